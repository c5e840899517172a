// What a mesh of N nodes costs, and how long it takes to agree: measured on simulated nodes with a
// constant delay from each to each, and a light load. What is measured is checked as well: every op
// is applied by every node, and at the end all vectors and digests are equal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/members/topology.h"

namespace radixmesh::sim {

struct ScaleOptions {
  std::size_t nodes = 5;
  Topology topology = Topology::mesh;
  std::uint64_t seed = 1;
  bool verbose = false;  // tells on stderr where it is
};

// All times are virtual, but cpu_s.
struct ScaleRow {
  std::size_t nodes = 0;
  std::string topology;
  std::string failure;  // empty: all that was measured was also as it should be
  std::uint64_t ops = 0;
  // Over all links, from the first insert until the last node has the last op: on the lane of ops
  // alone, and with everything that nodes say to each other meanwhile.
  double op_messages_per_op = 0, op_bytes_per_op = 0;
  double messages_per_op = 0, bytes_per_op = 0;
  double idle_messages_per_node_s = 0, idle_bytes_per_node_s = 0;  // sent, while nothing happens
  std::uint32_t hops_max = 0;  // from an op's origin to a node that applied it
  double hops_mean = 0;
  double last_node_ms_p50 = 0, last_node_ms_p99 = 0;  // from publication
  double ready_ms = 0;                                // all nodes, started at once
  double killed_out_ms = 0;                           // no other node has it alive any more
  // Until all vectors and digests are equal.
  double partition_heal_ms = 0, restart_heal_ms = 0;
  // ... and every node has every other alive.
  double partition_whole_ms = 0, restart_whole_ms = 0;
  // A relay dies: the longest that a member of its group heard no op of the relayed origin, which
  // publishes one every 20 ms; and how long ops came late, by repair. Groups only.
  std::optional<double> relay_gap_ms, relay_late_ms;
  double cpu_s = 0;
};

ScaleRow measure(const ScaleOptions& options);

}  // namespace radixmesh::sim
