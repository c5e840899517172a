#include "tests/routing/comparison.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "tests/routing/stress.h"

namespace radixmesh::routing {
namespace {

std::map<std::string, double> figures_of(const RunOutcome& outcome) {
  return {{"hit_rate", outcome.hit_rate},           {"ttft_mean_s", outcome.ttft_mean_s},
          {"ttft_p50_s", outcome.ttft_p50_s},       {"ttft_p99_s", outcome.ttft_p99_s},
          {"goodput_share", outcome.goodput_share}, {"imbalance", outcome.imbalance},
          {"utilisation", outcome.utilisation},     {"computed_tokens", outcome.computed_tokens},
          {"queued_s", outcome.queued_s},           {"late_share", outcome.late_share},
          {"recovered_s", outcome.recovered_s},     {"route_us", outcome.route_us}};
}

Figures join(const std::vector<RunOutcome>& outcomes) {
  Figures joined;
  for (const RunOutcome& outcome : outcomes) {
    for (const auto& [name, value] : figures_of(outcome)) {
      Figure& figure = joined.try_emplace(name, Figure{0, value, value}).first->second;
      figure.mean += value / static_cast<double>(outcomes.size());
      figure.low = std::min(figure.low, value);
      figure.high = std::max(figure.high, value);
    }
  }
  return joined;
}

}  // namespace

std::string Cell::name() const {
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "/%ux%u/%.2f", nodes, routers, load);
  return trace + numbers + (closed ? "/closed" : "") + (stress.empty() ? "" : "/" + stress);
}

std::vector<Figures> Comparison::compare(const Cell& cell, const std::vector<std::string>& policies,
                                         std::uint32_t seeds) const {
  RunSettings base = run;
  base.nodes = cell.nodes;
  base.routers = cell.routers;
  base.closed = cell.closed;
  const StressCase* stress = cell.stress.empty() ? nullptr : &stress_case(cell.stress);
  if (stress != nullptr && stress->change != nullptr) stress->change(base);
  std::vector<Workload> workloads;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    Workload each =
        at_load(workload_of(cell.trace, seed), cell.load, cell.nodes, base.engine.prefill_rate);
    const bool changes = stress != nullptr && stress->change_workload != nullptr;
    workloads.push_back(changes ? stress->change_workload(std::move(each)) : std::move(each));
  }
  std::vector<std::vector<RunOutcome>> outcomes(policies.size(), std::vector<RunOutcome>(seeds));
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i; (i = next++) < policies.size() * seeds;) {
      RunSettings settings = base;
      settings.policy = policies[i / seeds];
      settings.seed = 1 + i % seeds;
      outcomes[i / seeds][i % seeds] = routing::run(workloads[i % seeds], settings);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < jobs; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  std::vector<Figures> out;
  for (const auto& each : outcomes) out.push_back(join(each));
  return out;
}

}  // namespace radixmesh::routing
