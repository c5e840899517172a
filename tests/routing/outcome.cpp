#include "tests/routing/outcome.h"

#include <algorithm>

namespace radixmesh::routing {
namespace {

constexpr double kWindowS = 30, kWindowStepS = 5, kAsBefore = 1.1;

double ttft_of(const Job& job, double now_s) {
  return (job.done_s >= 0 ? job.done_s : now_s) - job.arrival_s;
}

double mean_ttft(const std::vector<Job>& jobs, double now_s, double from_s, double until_s) {
  double sum = 0, count = 0;
  for (const Job& job : jobs) {
    if (job.cancelled || !job.sent || job.arrival_s < from_s || job.arrival_s >= until_s) continue;
    sum += ttft_of(job, now_s);
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

}  // namespace

RunOutcome outcome_of(const std::vector<Job>& jobs,
                      const std::vector<std::unique_ptr<Engine>>& engines, double now_s,
                      double slo_s) {
  RunOutcome out;
  std::vector<double> ttft;
  double good = 0, hit_blocks = 0, blocks = 0, done = 0;
  for (const Job& job : jobs) {
    if (job.cancelled || !job.sent) continue;
    ttft.push_back(ttft_of(job, now_s));
    out.ttft_mean_s += ttft.back();
    good += ttft.back() <= slo_s ? 1 : 0;
    blocks += static_cast<double>(job.request->blocks.size());
    if (job.done_s < 0) continue;
    hit_blocks += job.hit_blocks;
    ++done;
  }
  if (ttft.empty()) return out;
  const auto count = static_cast<double>(ttft.size());
  std::ranges::sort(ttft);
  out.requests = ttft.size();
  out.hit_rate = hit_blocks / blocks;
  out.ttft_mean_s /= count;
  out.ttft_p50_s = ttft[ttft.size() / 2];
  out.ttft_p99_s = ttft[ttft.size() * 99 / 100];
  out.goodput_share = good / count;
  double busy = 0, busiest = 0;
  for (const auto& engine : engines) {
    busy += engine->busy_s();
    busiest = std::max(busiest, engine->busy_s());
    out.computed_tokens += engine->computed_tokens() / std::max(done, 1.0);
  }
  out.imbalance = busiest * static_cast<double>(engines.size()) / busy;
  out.utilisation = busy / static_cast<double>(engines.size()) / now_s;
  return out;
}

double recovery(const std::vector<Job>& jobs, double now_s, double began_s, double ended_s) {
  const double most = kAsBefore * mean_ttft(jobs, now_s, 0, began_s);
  for (double from_s = ended_s; from_s + kWindowS <= now_s; from_s += kWindowStepS) {
    const double mean = mean_ttft(jobs, now_s, from_s, from_s + kWindowS);
    if (mean > 0 && mean <= most) return from_s - ended_s;
  }
  return now_s - ended_s;
}

}  // namespace radixmesh::routing
