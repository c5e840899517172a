#include "ipc/path_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ipc/server.h"

namespace radixmesh::ipc {
namespace {

// Not for the group, unlike the socket: who can open it can hold it, and keep the sidecar out. What
// is there is opened without O_CREAT: in a folder like /tmp the kernel refuses to "create" a file
// that another user owns, even to root, whom no lock left behind by another user may hold off.
int open_lock(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  while (true) {
    int descriptor = ::open(path.c_str(), kFlags);
    if (descriptor >= 0 || errno != ENOENT) return descriptor;
    descriptor = ::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
}

}  // namespace

PathLock::PathLock(const std::string& path) : path_(path + ".lock") {
  while (true) {
    descriptor_ = open_lock(path_);
    if (descriptor_ < 0) throw SocketError("ipc lock " + path_ + ": " + std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(descriptor_);
      if (error == EINTR) continue;
      if (error == EWOULDBLOCK) {
        throw SocketError("ipc socket is in use by another process: " + path);
      }
      throw SocketError("ipc lock " + path_ + ": " + std::strerror(error));
    }
    // Between opening and locking its last holder may have removed it: then this is the lock of
    // nothing, and the next one who comes makes a new file.
    if (holds()) return;
    ::close(descriptor_);
  }
}

PathLock::~PathLock() {
  if (holds()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool PathLock::holds() const {
  struct stat here {
  }, there{};
  return ::fstat(descriptor_, &here) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

}  // namespace radixmesh::ipc
