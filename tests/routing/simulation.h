// One run: a workload, a fleet of engines, routers with a policy; what came of it.
#pragma once

#include <cstdint>
#include <string>

#include "tests/routing/engine.h"
#include "tests/routing/workload.h"

namespace radixmesh::routing {

struct RunSettings {
  std::string policy;
  std::uint32_t nodes = 16, routers = 1;
  EngineSettings engine;
  double index_delay_s = 0.002;     // from an engine's change to all routers
  double load_interval_s = 1;       // between an engine's reports
  double promises_delay_s = 0.021;  // from a router's booking to the other routers
  std::uint32_t deaths = 0;         // of nodes, spread over the run
  double detect_s = 3;              // until routers know that one is dead
  double slo_s = 2;                 // a first token after this is not good
  std::uint64_t seed = 1;
};

struct RunResult {
  std::uint64_t requests = 0;
  double hit_rate = 0;  // of input tokens, as the engines found them
  double ttft_mean_s = 0, ttft_p50_s = 0, ttft_p99_s = 0;
  double goodput_share = 0;  // of requests whose first token came in time
  double imbalance = 0;      // busiest node's prefill time by the mean
  double utilisation = 0;    // of prefill, until the last request was done
  // The run's length past the last arrival, by its span. At 1 it was given up: what was not done
  // then counts as if it had been done then.
  double late_share = 0;
  double route_us = 0;  // real time of a decision
};

RunResult run(const Workload& workload, const RunSettings& settings);

}  // namespace radixmesh::routing
