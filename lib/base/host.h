// "host:port", and what of it is a number.
#pragma once

#include <string>
#include <string_view>

namespace radixmesh {

// The host of "host:port", with the brackets of an IPv6 number; all of it where there is no colon.
inline std::string_view host_of(std::string_view addr) { return addr.substr(0, addr.rfind(':')); }
inline std::string_view port_of(std::string_view addr) {
  const std::size_t colon = addr.rfind(':');
  return colon == std::string_view::npos ? std::string_view{} : addr.substr(colon + 1);
}

// Whether there is a port: the colons of an IPv6 number stand in brackets.
inline bool has_port(std::string_view addr) {
  const std::size_t colon = addr.rfind(':');
  return colon != std::string_view::npos && addr.find(']', colon) == std::string_view::npos;
}

// Whether it needs no look-up: an IPv4 number, or an IPv6 number in brackets. Of the form alone;
// what is no address in spite of it is found when it is connected to.
inline bool is_number(std::string_view host) {
  if (host.starts_with('[')) return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace radixmesh
