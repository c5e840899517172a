#include "ipc/socket_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "ipc/server.h"

namespace radixmesh::ipc {
namespace {

constexpr int kWaitingClients = 64;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw SocketError("ipc path must have from 1 to " +
                      std::to_string(sizeof address.sun_path - 1) + " bytes: " + path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int new_socket() {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) throw SocketError("ipc socket: " + std::string(std::strerror(errno)));
  return descriptor;
}

bool answers(const sockaddr_un& address) {
  const int descriptor = new_socket();
  const int outcome =
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = outcome != 0 && errno == ECONNREFUSED;
  ::close(descriptor);
  return !refused;  // accepted, or so busy that its queue is full
}

// A file left by a process that is gone is removed; anything else is somebody's.
void clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return;
  if (!S_ISSOCK(file.st_mode)) throw SocketError("ipc path is there and is no socket: " + path);
  if (answers(address)) throw SocketError("ipc socket is in use by another process: " + path);
  ::unlink(path.c_str());
}

}  // namespace

ListeningSocket listen_at(const std::string& path) {
  const sockaddr_un address = address_of(path);
  clear_stale(path, address);
  ListeningSocket socket;
  socket.descriptor = new_socket();
  // The mask makes the file 0660 from its first moment on.
  const mode_t mask = ::umask(0117);
  const int bound =
      ::bind(socket.descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(mask);
  struct stat file {};
  if (bound != 0 || ::listen(socket.descriptor, kWaitingClients) != 0 ||
      ::stat(path.c_str(), &file) != 0) {
    const int reason = bound != 0 ? error : errno;
    ::close(socket.descriptor);
    throw SocketError("ipc socket " + path + ": " + std::strerror(reason));
  }
  socket.device = file.st_dev;
  socket.inode = file.st_ino;
  socket.group = file.st_gid;
  return socket;
}

void remove_own(const std::string& path, std::uint64_t device, std::uint64_t inode) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) == 0 && file.st_dev == device && file.st_ino == inode) {
    ::unlink(path.c_str());
  }
}

bool peer_may_enter(int descriptor, unsigned group) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || peer.uid == ::geteuid() || peer.gid == group) return true;
  std::vector<gid_t> groups(256);
  size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  groups.resize(size / sizeof(gid_t));
  return std::ranges::find(groups, group) != groups.end();
}

}  // namespace radixmesh::ipc
