#include "sidecar/config/check_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/base/limits.h"
#include "sidecar/config/value_text.h"

namespace radixmesh {
namespace {

// Of the domain name system.
constexpr std::size_t kNameBytesMax = 253, kLabelBytesMax = 63;
constexpr unsigned kPortMax = 65535;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// The underscore stands in no host name by the book, but in those of container networks.
bool is_of_name(char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '_'; }

struct HostAndPort {
  std::string_view host;  // with its brackets
  std::string_view port;
};
HostAndPort split(std::string_view addr) {
  const std::size_t colon = addr.rfind(':');
  return {addr.substr(0, colon), addr.substr(colon + 1)};
}

// An in_addr or in6_addr; nothing where the text is no such number.
template <class Number>
std::optional<Number> number_of(int family, std::string_view text) {
  Number number;
  // What the file holds may have a zero byte in it, where the library would stop reading.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (::inet_pton(family, std::string(text).c_str(), &number) != 1) return std::nullopt;
  return number;
}
std::optional<in_addr> ipv4_of(std::string_view text) { return number_of<in_addr>(AF_INET, text); }
std::optional<in6_addr> ipv6_of(std::string_view text) {
  return number_of<in6_addr>(AF_INET6, text);
}

// The character that begins at `at`, all of its bytes.
std::string_view character_at(std::string_view text, std::size_t at) {
  std::size_t bytes = 1;
  while (at + bytes < text.size() && (text[at + bytes] & 0xC0) == 0x80) ++bytes;
  return text.substr(at, bytes);
}

// What is in the brackets, and the interface behind its "%", if there is one.
struct Ipv6 {
  std::string_view number, zone;
  bool has_zone = false;
};
Ipv6 inside_brackets(std::string_view host) {
  const std::string_view inside = host.substr(1, host.size() - 2);
  const std::size_t percent = inside.find('%');
  if (percent == std::string_view::npos) return {inside, {}, false};
  return {inside.substr(0, percent), inside.substr(percent + 1), true};
}

bool in_brackets(std::string_view host) {
  return host.size() >= 2 && host.front() == '[' && host.back() == ']';
}

bool is_wildcard(std::string_view host) {
  if (host == "*") return true;
  if (const auto four = ipv4_of(host)) return four->s_addr == 0;
  if (!in_brackets(host)) return false;
  const auto six = ipv6_of(inside_brackets(host).number);
  if (!six) return false;
  const bool no_number =
      std::all_of(six->s6_addr + 12, six->s6_addr + 16, [](auto b) { return b == 0; });
  return IN6_IS_ADDR_UNSPECIFIED(&*six) || (IN6_IS_ADDR_V4MAPPED(&*six) && no_number);
}

// Without brackets, more than one colon: what it should have been, as far as that can be told.
std::string with_brackets(std::string_view addr) {
  const auto [host, port] = split(addr);
  if (ipv6_of(host)) return "[" + std::string(host) + "]:" + std::string(port);
  return ipv6_of(addr) ? "[" + std::string(addr) + "]:PORT" : "";
}

std::optional<std::string> check_port(std::string_view port, AddressRules rules) {
  const unsigned min = rules.port_zero ? 0 : 1;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(port.begin(), port.end(), value);
  const bool whole = error == std::errc{} && end == port.end() && is_digit(port.front());
  const bool padded = port.size() > 1 && port.front() == '0';
  if (whole && !padded && value >= min && value <= kPortMax) return std::nullopt;
  return "has no port from " + std::to_string(min) + " to " + std::to_string(kPortMax) +
         " behind its last colon";
}

std::optional<std::string> check_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > kNameBytesMax) {
    return "has no host name of 1 to " + std::to_string(kNameBytesMax) + " letters";
  }
  std::string_view label;
  for (std::string_view rest = host;;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    const auto odd = std::ranges::find_if_not(label, is_of_name);
    if (odd != label.end()) {
      const auto at = static_cast<std::size_t>(odd - label.begin());
      return "has " + in_quotes(character_at(label, at)) +
             " in its host, which is in no host name: write letters, digits, dots, - and _";
    }
    if (label.empty() || label.size() > kLabelBytesMax) {
      return "has a host with a part between dots that is empty or longer than " +
             std::to_string(kLabelBytesMax) + " letters";
    }
    if (label.front() == '-' || label.back() == '-') {
      return "has a host with a part that begins or ends with -";
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // No name ends with digits alone, so that numbers can be told from names.
  if (std::ranges::all_of(label, is_digit) && !ipv4_of(host)) {
    return "has a host that is neither a name nor an IPv4 number: write four numbers from 0 to 255 "
           "with dots between";
  }
  return std::nullopt;
}

std::optional<std::string> check_host(std::string_view addr, std::string_view host) {
  if (in_brackets(host)) {
    const Ipv6 inside = inside_brackets(host);
    const bool zone_good =
        std::ranges::all_of(inside.zone, [](char c) { return is_of_name(c) || c == '.'; });
    if (ipv6_of(inside.number) && zone_good && inside.has_zone == !inside.zone.empty()) {
      return std::nullopt;
    }
    return "has no IPv6 number in its brackets: names and IPv4 numbers stand without";
  }
  if (host.find(':') != std::string_view::npos && host.find('[') == std::string_view::npos) {
    const std::string meant = with_brackets(addr);
    if (!meant.empty()) return "is an IPv6 number without brackets: write " + in_quotes(meant);
    return "has more than one colon: write host:port, or [IPv6 number]:port";
  }
  return check_name(host);
}

std::optional<std::string> broken_rule(std::string_view addr, AddressRules rules) {
  if (addr.size() > limits::address_bytes_max) {
    return "is longer than " + std::to_string(limits::address_bytes_max) + " bytes";
  }
  if (const std::size_t scheme = addr.find("://"); scheme != std::string_view::npos) {
    return "begins with a scheme: write " + in_quotes(addr.substr(scheme + 3));
  }
  if (ipv6_of(addr) && !ipv6_of(split(addr).host)) return check_host(addr, split(addr).host);
  const bool no_port = addr.find(':') == std::string_view::npos || addr.ends_with(']');
  if (no_port && !rules.port_missing) return "has no port: write host:port";
  const auto [host, port] = no_port ? HostAndPort{addr, "0"} : split(addr);
  if (host.empty()) return "has no host: write host:port";
  const bool wildcard = is_wildcard(host);
  if (wildcard && !rules.wildcard) {
    return "stands for any address, so nobody can connect to it: write the name or the number by "
           "which the other nodes reach this one";
  }
  if (!wildcard) {
    if (auto rule = check_host(addr, host)) return rule;
  }
  return no_port ? std::nullopt : check_port(port, rules);
}

}  // namespace

std::optional<std::string> check_address(std::string_view addr, AddressRules rules) {
  auto rule = broken_rule(addr, rules);
  if (rule) *rule = in_quotes(addr) + " " + *rule;
  return rule;
}

std::string same_address(std::string_view addr) {
  const auto [host, port] = split(addr);
  std::string out;
  const auto six = in_brackets(host) ? ipv6_of(inside_brackets(host).number) : std::nullopt;
  if (six) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET6, &*six, text.data(), text.size());
    out = text.data();
    if (inside_brackets(host).has_zone) out += "%" + std::string(inside_brackets(host).zone);
  } else {
    for (const char c : host)
      out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    if (out.ends_with('.')) out.pop_back();
  }
  return out + ":" + std::string(port);
}

}  // namespace radixmesh
