// A fleet whose sidecars are real processes and whose engines are those of the fleet simulator
// (tests/routing), driven in real time: what routing does there, and not only in the simulator.
#pragma once

#include <cstdint>

#include "tests/bench/sidecars.h"
#include "tests/routing/engine.h"
#include "tests/routing/outcome.h"
#include "tests/routing/workload.h"

namespace radixmesh::bench {

struct RealFleetOptions {
  routing::EngineSettings engine;
  double load_interval_s = 1;  // between an engine's reports
  double slo_s = 2;            // a first token after this is not good
};

struct RealOutcome {
  routing::RunOutcome run;
  double predicted_hit_rate = 0;        // of input tokens, as `route` said
  double lag_p99_s = 0, lag_max_s = 0;  // of this driver: until it did what was due
  double route_p50_us = 0, route_p99_us = 0;
  std::uint64_t evicted_blocks = 0;
};

// All requests, one after the other to each router in turn. Takes as long as the workload. Throws
// where a sidecar refuses something, or names nobody.
RealOutcome run_for_real(const routing::Workload& workload, const Sidecars& sidecars,
                         const RealFleetOptions& options);

}  // namespace radixmesh::bench
