#include "sidecar/own_numbers.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>

#include <memory>

namespace radixmesh {

std::set<std::string> own_numbers() {
  std::set<std::string> numbers;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return numbers;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const bool six = each->ifa_addr->sa_family == AF_INET6;
    if (!six && each->ifa_addr->sa_family != AF_INET) continue;
    char text[NI_MAXHOST];
    const socklen_t bytes = six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (::getnameinfo(each->ifa_addr, bytes, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) {
      continue;
    }
    numbers.insert(six ? "[" + std::string(text) + "]" : text);
  }
  return numbers;
}

}  // namespace radixmesh
