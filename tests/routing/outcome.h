// What came of a run.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/routing/engine.h"
#include "tests/routing/job.h"

namespace radixmesh::routing {

struct RunOutcome {
  std::uint64_t requests = 0;
  double hit_rate = 0;  // of input tokens, as the engines found them
  double ttft_mean_s = 0, ttft_p50_s = 0, ttft_p99_s = 0;
  double goodput_share = 0;    // of requests whose first token came in time
  double imbalance = 0;        // busiest node's prefill time by the mean
  double utilisation = 0;      // of prefill, until the last request was done
  double computed_tokens = 0;  // by all nodes, a request that has its first token
  double queued_s = 0;         // of work, by nodes, at the last arrival
  // The run's length past the last arrival, by its span. At 1 it was given up: what was not done
  // then counts as if it had been done then.
  double late_share = 0;
  double recovered_s = 0;  // after the end of an overload, see recovery()
  double route_us = 0;     // real time of a decision
};

// `slo_s`: a first token after this is not good. What was cancelled, or never sent, does not count.
RunOutcome outcome_of(const std::vector<Job>& jobs,
                      const std::vector<std::unique_ptr<Engine>>& engines, double now_s,
                      double slo_s);

// How long after `ended_s` the mean time to first token of those who came within a window of 30 s
// is at most 1.1 times what it was of those who came before `began_s`; the run's rest where it
// never is.
double recovery(const std::vector<Job>& jobs, double now_s, double began_s, double ended_s);

}  // namespace radixmesh::routing
