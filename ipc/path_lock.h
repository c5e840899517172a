// The right to the file at a path, held by one process at a time.
//
// It is an flock on PATH.lock. The kernel gives it back when the process ends, however it ends, so
// a lock file that was left behind holds nobody off. Who lets go in good order removes the file
// first, while it still has the lock.
#pragma once

#include <string>

namespace radixmesh::ipc {

class PathLock {
 public:
  // Throws SocketError where another process holds it, or where PATH.lock cannot be opened.
  explicit PathLock(const std::string& path);
  ~PathLock();
  PathLock(const PathLock&) = delete;
  PathLock& operator=(const PathLock&) = delete;

  // Whether PATH.lock is still the file that is locked. It is not where somebody removed it by
  // hand, and then the path may be another's.
  bool holds() const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace radixmesh::ipc
