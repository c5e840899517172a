// The yardstick of mesh_bench: as many processes as the mesh has nodes, linked in the same way,
// that do nothing but pass bytes on. Each has a PUB socket to which all others subscribe, one I/O
// thread, no bound on its queues, messages of one part.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace radixmesh::bench {

class BareMesh {
 public:
  // Forks; to be made before this process starts a thread.
  explicit BareMesh(std::size_t nodes);
  ~BareMesh();
  BareMesh(const BareMesh&) = delete;

  // The first `publishers` publish `messages` of `bytes` each, as fast as they can. Throws if a
  // message was lost.
  struct Flood {
    double seconds = 0;      // until the last has received all
    double cpu_seconds = 0;  // of all nodes
  };
  Flood flood(std::size_t publishers, std::uint64_t messages, std::size_t bytes);

  // One message of `bytes` from the first. `request` is written to it first, as an engine writes an
  // insert, and each receiver writes a note, as a sidecar notifies.
  struct Trip {
    double published_us = 0;  // from before the publisher sends until the last receiver has it
    double visible_us = 0;    // from before the request is written until the last note is here
  };
  Trip publish_one(const std::string& request, std::size_t bytes);

 private:
  struct Node {
    pid_t pid = -1;
    int link = -1;
  };
  double cpu_seconds() const;

  std::vector<Node> nodes_;
};

}  // namespace radixmesh::bench
