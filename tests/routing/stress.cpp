#include "tests/routing/stress.h"

#include <algorithm>
#include <stdexcept>

namespace radixmesh::routing {

const std::vector<StressCase>& stress_cases() {
  using Run = RunSettings;
  static const std::vector<StressCase> all = {
      {"slow_nodes", "half of the nodes are half as fast", [](Run& run) { run.slow_share = 0.5; },
       nullptr},
      {"slow_nodes_told", "the same, and engines report their rates",
       [](Run& run) {
         run.slow_share = 0.5;
         run.engine.tells_rate = true;
       },
       nullptr},
      {"burst", "ten times as many for 30 s", nullptr,
       [](Workload workload) { return with_rush(std::move(workload), 10, 30); }},
      {"overload", "three times as many for 60 s", nullptr,
       [](Workload workload) { return with_rush(std::move(workload), 3, 60); }},
      {"viral", "60 % of the requests get a common prompt of 4,096 tokens", nullptr,
       [](Workload workload) { return with_common_prompt(std::move(workload), 0.6, 8); }},
      {"small_cache", "KV of 200,000 tokens a node",
       [](Run& run) { run.engine.kv_tokens = 200'000; }, nullptr},
      {"tiny_cache", "KV of 100,000 tokens a node",
       [](Run& run) { run.engine.kv_tokens = 100'000; }, nullptr},
      {"attention", "a token at position 16,384 takes twice as long",
       [](Run& run) { run.engine.attention_tokens = 16'384; }, nullptr},
      {"interference", "prefill and decode slow each other",
       [](Run& run) {
         run.engine.decode_slows_prefill = 1;
         run.engine.prefill_slows_decode = 0.5;
       },
       nullptr},
      {"chunked", "prompts are computed in chunks", [](Run& run) { run.engine.chunked = true; },
       nullptr},
      {"no_reports", "engines never tell their load", [](Run& run) { run.reports = false; },
       nullptr},
      {"leaked", "a tenth of the bookings is never ended", [](Run& run) { run.leaked_share = 0.1; },
       nullptr},
      {"leaked_no_reports", "both",
       [](Run& run) {
         run.leaked_share = 0.1;
         run.reports = false;
       },
       nullptr},
      {"cancelled", "a fifth is booked and never sent", [](Run& run) { run.cancelled_share = 0.2; },
       nullptr},
      {"deaths", "two nodes die", [](Run& run) { run.deaths = 2; }, nullptr},
      {"restarts", "four nodes restart empty", [](Run& run) { run.restarts = 4; }, nullptr},
      {"gateway_crash", "a gateway crashes", [](Run& run) { run.crashes = 1; }, nullptr},
      {"rate_10x", "the believed rate is ten times too high",
       [](Run& run) { run.core.prefill_rate *= 10; }, nullptr},
      {"rate_tenth", "... too low", [](Run& run) { run.core.prefill_rate /= 10; }, nullptr},
      {"split", "half of the nodes compute, half decode", [](Run& run) { run.prefill_share = 0.5; },
       nullptr},
      {"split_slow", "the same, and 10,000 tokens/s into a decode node",
       [](Run& run) {
         run.prefill_share = 0.5;
         run.link_rate = 10'000;
       },
       nullptr},
      {"pulling", "engines read each other's KV at 50,000 tokens/s",
       [](Run& run) { run.pull_rate = 50'000; }, nullptr},
      {"no_tokens", "engines tell requests, and no tokens of them",
       [](Run& run) { run.tells_queued_tokens = false; }, nullptr},
      {"eager_reports", "engines tell their load with every request as well",
       [](Run& run) { run.eager_reports = true; }, nullptr},
      {"rare_reports", "engines tell their load every 5 s",
       [](Run& run) { run.load_interval_s = 5; }, nullptr},
  };
  return all;
}

const StressCase& stress_case(std::string_view name) {
  const auto found = std::ranges::find(stress_cases(), name, &StressCase::name);
  if (found == stress_cases().end()) {
    throw std::runtime_error("no stress case: " + std::string(name));
  }
  return *found;
}

}  // namespace radixmesh::routing
