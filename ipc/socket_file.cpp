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

// Looked at before anything is made there.
const std::string& checked(const std::string& path) {
  address_of(path);
  return path;
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

// A file left by a process that is gone is removed; anything else is somebody's. One that answers
// though nobody holds the lock is of a program that does not know of locks.
void clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return;
  if (!S_ISSOCK(file.st_mode)) throw SocketError("ipc path is there and is no socket: " + path);
  if (answers(address)) throw SocketError("ipc socket is in use by another process: " + path);
  ::unlink(path.c_str());
}

// The supplementary groups of the peer; none where the kernel does not tell.
std::vector<gid_t> groups_of(int connection) {
  std::vector<gid_t> groups(64);
  while (true) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int outcome = ::getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    const std::size_t count = size / sizeof(gid_t);
    // Where they do not fit, the kernel says how many there are. They are fixed when the peer
    // connects, so the second time they do.
    const bool grow = outcome != 0 && errno == ERANGE && count > groups.size();
    if (outcome != 0 && !grow) return {};
    groups.resize(count);
    if (outcome == 0) return groups;
  }
}

}  // namespace

SocketFile::SocketFile(const std::string& path) : path_(checked(path)), lock_(path) {
  const sockaddr_un address = address_of(path);
  clear_stale(path, address);
  descriptor_ = new_socket();
  // The mask makes the file 0660 from its first moment on.
  const mode_t mask = ::umask(0117);
  const int bound =
      ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(mask);
  struct stat file {};
  if (bound != 0 || ::listen(descriptor_, kWaitingClients) != 0 ||
      ::lstat(path.c_str(), &file) != 0) {
    const int reason = bound != 0 ? error : errno;
    if (bound == 0) ::unlink(path.c_str());
    ::close(descriptor_);
    throw SocketError("ipc socket " + path + ": " + std::strerror(reason));
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
  group_ = file.st_gid;
}

// In this order: while the socket is open its inode number is nobody else's, so that the file at
// the path is told apart from any other; and the lock goes last.
SocketFile::~SocketFile() {
  if (is_own()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool SocketFile::is_own() const {
  struct stat file {};
  return lock_.holds() && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
         file.st_ino == inode_;
}

bool SocketFile::admits(int connection) const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || peer.uid == ::geteuid() || peer.gid == group_) return true;
  const std::vector<gid_t> groups = groups_of(connection);
  return std::ranges::find(groups, group_) != groups.end();
}

}  // namespace radixmesh::ipc
