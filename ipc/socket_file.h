// The Unix socket as a file: who may have it, and whose it is.
//
// A path has one owner at a time, from before it looks at what lies there until after it has
// removed its own (path_lock.h). So what lies there when a path is taken is nobody's, and what an
// owner removes is its own, whenever another one starts, and wherever one is killed.
#pragma once

#include <string>

#include "ipc/path_lock.h"

namespace radixmesh::ipc {

class SocketFile {
 public:
  // Listens at `path` with mode 0660. Replaces a socket file that nobody owns or answers; throws
  // SocketError where somebody does, where the file is of another kind, or where it cannot be made.
  explicit SocketFile(const std::string& path);
  // Removes the file, if it is still this one, and only then stops listening.
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  int descriptor() const { return descriptor_; }
  // Whether the process at the other end of an accepted connection may talk to us: root, this
  // process's own user, and members of the file's group.
  bool admits(int connection) const;

 private:
  bool is_own() const;

  std::string path_;
  PathLock lock_;
  int descriptor_ = -1;
  unsigned long long device_ = 0, inode_ = 0;
  unsigned group_ = 0;
};

}  // namespace radixmesh::ipc
