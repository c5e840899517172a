// Policies side by side in a cell: one trace, fleet, load and stress; each figure the mean of some
// seeds, with their spread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/routing/simulation.h"

namespace radixmesh::routing {

struct Cell {
  std::string trace;
  std::uint32_t nodes = 16, routers = 1;
  double load = 0.5;
  bool closed = false;
  std::string stress;  // of stress_cases(); empty: none

  // As `--cells` takes a part of it: "agentic/16x4/0.50/closed/slow_nodes".
  std::string name() const;
};

struct Figure {
  double mean = 0, low = 0, high = 0;
};
using Figures = std::map<std::string, Figure>;

// The workload for a seed: a trace from a file is the same for all.
using WorkloadOf = std::function<Workload(const std::string& trace, std::uint64_t seed)>;

struct Comparison {
  RunSettings run;  // what a cell does not say
  std::uint32_t jobs = 1;
  WorkloadOf workload_of;

  // One for each policy, in their order, over seeds 1 to `seeds`.
  std::vector<Figures> compare(const Cell& cell, const std::vector<std::string>& policies,
                               std::uint32_t seeds) const;
};

}  // namespace radixmesh::routing
