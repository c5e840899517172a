#include "sidecar/config/kubernetes_variables.h"

#include <algorithm>
#include <string_view>

namespace radixmesh {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

constexpr std::string_view kProtocols[] = {"tcp", "udp", "sctp"};

bool is_protocol(std::string_view value) {
  return std::ranges::find(kProtocols, value) != std::end(kProtocols);
}

// tcp://10.0.0.1:5001
bool is_endpoint(std::string_view value) {
  const std::size_t scheme = value.find("://");
  return scheme != std::string_view::npos && is_protocol(value.substr(0, scheme)) &&
         all_digits(value.substr(value.rfind(':') + 1));
}

// What is behind SERVICE_PORT_ in a name: "5001_TCP", or that with one of three ends.
bool is_port_name(std::string_view name, const std::string& value) {
  const std::size_t end = std::min(name.find('_'), name.size());
  if (!all_digits(name.substr(0, end))) return false;
  for (const std::string_view protocol : {"_TCP", "_UDP", "_SCTP"}) {
    if (!name.substr(end).starts_with(protocol)) continue;
    const std::string_view rest = name.substr(end + protocol.size());
    if (rest.empty()) return is_endpoint(value);
    if (rest == "_PROTO") return is_protocol(value);
    if (rest == "_PORT") return all_digits(value);
    if (rest == "_ADDR") return !value.empty();
  }
  return false;
}

// Whether Kubernetes gives such an end to the name of a service.
bool is_end(std::string_view end, const std::string& value) {
  constexpr std::string_view kNamedPort = "_SERVICE_PORT_", kPort = "_PORT_";
  if (end == "_SERVICE_HOST") return !value.empty();
  if (end == "_SERVICE_PORT") return all_digits(value);
  if (end == "_PORT") return is_endpoint(value);
  if (end.starts_with(kNamedPort)) return end.size() > kNamedPort.size() && all_digits(value);
  return end.starts_with(kPort) && is_port_name(end.substr(kPort.size()), value);
}

}  // namespace

std::optional<std::string> service_of_variable(const std::string& name, const std::string& value) {
  // The first place where an end can begin: the shortest name of a service.
  for (std::size_t at = name.find('_'); at != std::string::npos; at = name.find('_', at + 1)) {
    if (is_end(std::string_view(name).substr(at), value)) return name.substr(0, at);
  }
  return std::nullopt;
}

std::optional<std::string> service_over_option(const std::string& name, const Variables& all) {
  const auto own = all.find(name);
  if (own == all.end()) return std::nullopt;
  const auto service = service_of_variable(name, own->second);
  if (!service || *service + "_SERVICE_HOST" == name) return std::nullopt;
  return all.contains(*service + "_SERVICE_HOST") ? service : std::nullopt;
}

}  // namespace radixmesh
