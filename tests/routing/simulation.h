// One run: a workload, a fleet of engines, routers with a policy; what came of it.
#pragma once

#include <cstdint>
#include <string>

#include "tests/routing/engine.h"
#include "tests/routing/outcome.h"
#include "tests/routing/policy.h"
#include "tests/routing/workload.h"

namespace radixmesh::routing {

struct RunSettings {
  std::string policy;
  std::uint32_t nodes = 16, routers = 1;
  EngineSettings engine;
  double index_delay_s = 0.002;     // from an engine's change to all routers
  double load_interval_s = 1;       // between an engine's reports
  bool tells_queued_tokens = true;  // engines, in their reports
  bool eager_reports = false;       // ... and with every change, not only at intervals
  double promises_delay_s = 0.021;  // from a router's booking to the other routers
  double detect_s = 3;              // until routers know that a node is dead
  double slo_s = 2;                 // a first token after this is not good
  std::uint64_t seed = 1;

  // ---- what may be unlike this -----------------------------------------------------------------
  bool closed = false;         // a request waits for the answer to the one that it continues
  double slow_share = 0;       // of the nodes: as fast by half
  bool reports = true;         // engines tell their load
  std::uint32_t deaths = 0;    // of nodes, spread over the run
  std::uint32_t restarts = 0;  // the same, but they are back at once, empty
  std::uint32_t crashes = 0;   // of gateways: their requests are dropped, and nobody tells of it
  double cancelled_share = 0;  // of requests: booked, and never sent
  double leaked_share = 0;     // of requests: the router never learns what became of them
  double prefill_share =
      0;  // of the nodes: they compute for the others, which decode; 0: all do both
  double link_rate = 100'000;  // tokens/s of KV into a decode node
  double pull_rate = 0;        // tokens/s of KV that a node reads from others, and gives; 0: none
  RoutingSettings core;        // of the project's own policies
};

RunOutcome run(const Workload& workload, const RunSettings& settings);

}  // namespace radixmesh::routing
