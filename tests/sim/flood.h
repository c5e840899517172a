// A member that asks one thing again and again, within the rules: as many frames as a message may
// have, every one of them valid and true.
#pragma once

#include "tests/sim/network.h"

namespace radixmesh::sim {

class Flood {
 public:
  Flood(Network& network, std::string cluster, std::uint64_t seed)
      : network_(network), cluster_(std::move(cluster)), random_(seed) {}
  // One message, from some node that runs to another one.
  void flood();

 private:
  Body question(std::size_t from, std::size_t to);

  Network& network_;
  std::string cluster_;
  Network::Random random_;
};

}  // namespace radixmesh::sim
