#include "sidecar/seeds.h"

#include <netdb.h>

#include <algorithm>

namespace radixmesh {
namespace {

std::vector<std::string> addresses_of(std::string host) {
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  std::vector<std::string> out;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return out;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST] = {};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    out.push_back(each->ai_family == AF_INET6 ? "[" + std::string(text) + "]" : text);
  }
  ::freeaddrinfo(found);
  return out;
}

}  // namespace

std::vector<std::string> resolve_seeds(const std::vector<std::string>& seeds) {
  std::vector<std::string> out;
  const auto add = [&out](std::string seed) {
    if (std::ranges::find(out, seed) == out.end()) out.push_back(std::move(seed));
  };
  for (const std::string& seed : seeds) {
    const std::size_t colon = seed.rfind(':');
    const std::vector<std::string> found = addresses_of(seed.substr(0, colon));
    if (found.empty()) add(seed);
    for (const std::string& address : found) add(address + seed.substr(colon));
  }
  return out;
}

}  // namespace radixmesh
