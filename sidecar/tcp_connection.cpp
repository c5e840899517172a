#include "sidecar/tcp_connection.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace radixmesh {
namespace {

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::string end_of(int descriptor, NameOf name_of) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (name_of(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return {};
  return {reinterpret_cast<const char*>(&address), size};
}

}  // namespace

std::string ends_of(int descriptor) {
  const std::string theirs = end_of(descriptor, ::getpeername);
  return theirs.empty() ? theirs : theirs + end_of(descriptor, ::getsockname);
}

std::optional<std::uint64_t> bytes_received(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return info.tcpi_bytes_received;
}

std::uint64_t bytes_waiting(int descriptor) {
  int waiting = 0;
  if (::ioctl(descriptor, FIONREAD, &waiting) != 0) return 0;
  return static_cast<std::uint64_t>(waiting);
}

bool reset(int descriptor, const std::string& ends) {
  if (ends.empty() || ends_of(descriptor) != ends) return false;
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  if (::connect(descriptor, &nobody, sizeof nobody) != 0) ::shutdown(descriptor, SHUT_RDWR);
  return true;
}

}  // namespace radixmesh
