// radixmesh_scale: what each topology costs with so many nodes, one row each. Exits 1 if a mesh did
// not do what it should.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/scale.h"

namespace {

using radixmesh::sim::ScaleRow;

// clang-format off
constexpr const char* kHeading =
    "One way takes 100 to 105 us. Load: each node inserts 4 prefixes of 64 tokens within 200 ms.\n"
    "Messages and bytes per op: over all links, on the lane of ops, and with all else that is\n"
    "said meanwhile; idle: sent by a node in a second without load. Times are virtual ms.\n"
    "last: from publication to the last node. killed: until no answer shows the node. partition\n"
    "(10 s, both sides insert), restart: until all vectors and digests are equal. relay: the\n"
    "longest that a member of a dead relay's group heard no op, and how long ops came late.\n\n";
// clang-format on

void print_heading() {
  std::printf("%s%5s %-8s %9s %9s %9s %9s %9s %5s %6s %8s %8s %7s %7s %9s %9s %7s %7s %7s\n",
              kHeading, "nodes", "topology", "msg/op", "all/op", "bytes/op", "all B/op", "idle m/s",
              "hops", "mean", "last p50", "p99", "ready", "killed", "partition", "restart", "relay",
              "late", "cpu s");
}

void print_row(const ScaleRow& row) {
  char relay[32] = "-", late[32] = "-";
  if (row.relay_gap_ms) std::snprintf(relay, sizeof relay, "%.0f", *row.relay_gap_ms);
  if (row.relay_late_ms) std::snprintf(late, sizeof late, "%.0f", *row.relay_late_ms);
  std::printf(
      "%5zu %-8s %9.1f %9.0f %9.0f %9.0f %9.1f %5u %6.1f %8.2f %8.2f %7.0f %7.0f %9.0f %9.0f %7s "
      "%7s %7.1f\n",
      row.nodes, row.topology.c_str(), row.op_messages_per_op, row.messages_per_op,
      row.op_bytes_per_op, row.bytes_per_op, row.idle_messages_per_node_s, row.hops_max,
      row.hops_mean, row.last_node_ms_p50, row.last_node_ms_p99, row.ready_ms, row.killed_out_ms,
      row.partition_heal_ms, row.restart_heal_ms, relay, late, row.cpu_s);
  if (!row.failure.empty()) std::printf("      FAILED: %s\n", row.failure.c_str());
}

void print_json(const ScaleRow& row) {
  std::printf("{\"nodes\": %zu, \"topology\": \"%s\", \"failure\": \"%s\", \"ops\": %llu, ",
              row.nodes, row.topology.c_str(), row.failure.c_str(),
              static_cast<unsigned long long>(row.ops));
  const auto number = [](const char* name, std::optional<double> value) {
    if (value) {
      std::printf("\"%s\": %.3f, ", name, *value);
    } else {
      std::printf("\"%s\": null, ", name);
    }
  };
  number("op_messages_per_op", row.op_messages_per_op);
  number("messages_per_op", row.messages_per_op);
  number("op_bytes_per_op", row.op_bytes_per_op);
  number("bytes_per_op", row.bytes_per_op);
  number("idle_messages_per_node_s", row.idle_messages_per_node_s);
  number("idle_bytes_per_node_s", row.idle_bytes_per_node_s);
  number("hops_max", row.hops_max);
  number("hops_mean", row.hops_mean);
  number("last_node_ms_p50", row.last_node_ms_p50);
  number("last_node_ms_p99", row.last_node_ms_p99);
  number("ready_ms", row.ready_ms);
  number("killed_out_ms", row.killed_out_ms);
  number("partition_heal_ms", row.partition_heal_ms);
  number("partition_whole_ms", row.partition_whole_ms);
  number("restart_heal_ms", row.restart_heal_ms);
  number("restart_whole_ms", row.restart_whole_ms);
  number("relay_gap_ms", row.relay_gap_ms);
  number("relay_late_ms", row.relay_late_ms);
  std::printf("\"cpu_s\": %.1f}", row.cpu_s);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace radixmesh;
  CLI::App app{"What each topology costs with so many simulated nodes, and how soon it agrees"};
  std::vector<std::size_t> nodes{5, 50, 500};
  std::vector<std::string> topologies{"mesh", "ring", "groups"};
  sim::ScaleOptions options;
  bool json = false;
  app.add_option("--nodes", nodes, "how many nodes, from 3 to 1000")
      ->delimiter(',')
      ->check(CLI::Range(3, 1000))
      ->capture_default_str();
  app.add_option("--topology", topologies, "mesh, ring, groups")
      ->delimiter(',')
      ->check(CLI::IsMember({"mesh", "ring", "groups"}))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of jitter, load and victims")->capture_default_str();
  app.add_flag("--json", json, "a list of objects, one a row");
  app.add_flag("--verbose", options.verbose, "tell on stderr what each step took");
  CLI11_PARSE(app, argc, argv);

  bool failed = false, first = true;
  if (!json) print_heading();
  for (const std::size_t each : nodes) {
    for (const std::string& topology : topologies) {
      options.nodes = each;
      options.topology = *parse_topology(topology);
      const ScaleRow row = sim::measure(options);
      failed = failed || !row.failure.empty();
      if (json) {
        std::printf("%s", std::exchange(first, false) ? "[" : ",\n ");
        print_json(row);
      } else {
        print_row(row);
      }
      std::fflush(stdout);
    }
  }
  if (json) std::printf("]\n");
  return failed ? 1 : 0;
}
