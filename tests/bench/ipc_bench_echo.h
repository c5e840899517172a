// The yardstick of ipc_bench: a process that reads frames from a Unix socket and answers each with
// as many bytes as it was told. One read, one write, no look at the content.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace radixmesh::bench {

class EchoServer {
 public:
  // Forks; to be made before this process starts a thread. Listens in a new folder of its own.
  EchoServer();
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;

  const std::string& socket() const { return path_; }

  // A frame of `bytes` in all, its length included, that is answered by `answer_bytes` in all; at
  // least 8 and 5. The first four bytes of the body say how many.
  static std::string make_frame(std::size_t bytes, std::size_t answer_bytes);

 private:
  std::string folder_, path_;
  pid_t pid_ = -1;
};

}  // namespace radixmesh::bench
