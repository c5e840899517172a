// The Unix socket as a file: who may have it, and whose it is.
#pragma once

#include <cstdint>
#include <string>

namespace radixmesh::ipc {

struct ListeningSocket {
  int descriptor = -1;
  std::uint64_t device = 0, inode = 0;
  unsigned group = 0;  // that of the file
};

// Listens at `path` with mode 0660. Replaces a socket file that nobody answers; throws SocketError
// where one answers, where the file is of another kind, or where it cannot be made.
ListeningSocket listen_at(const std::string& path);

// Removes the file if it is still the one with these numbers.
void remove_own(const std::string& path, std::uint64_t device, std::uint64_t inode);

// Root, this process's own user, and members of the file's group.
bool peer_may_enter(int descriptor, unsigned group);

}  // namespace radixmesh::ipc
