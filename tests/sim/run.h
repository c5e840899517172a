// One simulated run: everything drawn from a seed, faults on, then healed and checked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "lib/replica.h"

namespace radixmesh::sim {

struct RunOptions {
  std::uint64_t seed = 1;
  bool verbose = false;  // print what was drawn, and the log
  // What a node shows of itself at the end, as bytes. With it `RunReport::digest` is made.
  std::function<std::string(Replica&, TimePoint)> shown = nullptr;
};

struct RunReport {
  std::string drawn;    // the options that the seed gave
  std::string failure;  // empty if all is well
  std::uint64_t messages = 0, bytes = 0, ops = 0, snapshots = 0, replays = 0;
  std::uint64_t recovered = 0;                          // states taken back by a new life
  std::uint64_t reads_accepted = 0, reads_refused = 0;  // of slots of other nodes
  std::uint64_t collected = 0;                          // tokens of duplicates
  std::string digest;  // of all effects, and of what all show at the end
  double heal_ms = 0;  // from the end of the faults until all agreed
};

// The faults of plan.h for a while, then a healed network, on which all must agree within a bounded
// time. Deterministic in the options.
RunReport run(const RunOptions& options);

}  // namespace radixmesh::sim
