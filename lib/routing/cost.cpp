#include "lib/routing/cost.h"

#include <algorithm>
#include <map>

namespace radixmesh {
namespace {

std::uint32_t missing(const RouteCandidate& candidate, std::uint32_t tokens) {
  return tokens - std::min(tokens, candidate.depth);
}

// Of a node that computes and at which nobody waits.
constexpr double kComputes = 0.2;
// Seconds of work that follow one at the node that does it, see `balance`.
constexpr double kFollows = 3;
// Seconds: nobody is chosen at this cost where there is another.
constexpr double kLast = 1e6;

// How many prompts wait at a prefill node, see `delay` in the header.
double crowd_of(const std::vector<RouteCandidate>& candidates) {
  std::vector<std::uint32_t> waiting;
  double computing = 0;
  for (const RouteCandidate& each : candidates) {
    if (!serves_prefill(each.role)) continue;
    // Who never says that a prompt is computed: by its time it is.
    const std::uint32_t prefills = each.queued_tokens > 0 ? each.prefills : 0;
    waiting.push_back(std::max(prefills, 1u) - 1);
    computing += prefills > 0 ? 1 : 0;
  }
  if (waiting.empty()) return 0;
  const auto median = waiting.begin() + static_cast<std::ptrdiff_t>((waiting.size() - 1) / 2);
  std::ranges::nth_element(waiting, median);
  const std::uint32_t most = *median;
  double sum = kComputes * computing;
  for (std::uint32_t each : waiting) sum += std::min(each, most);
  return sum / static_cast<double>(waiting.size());
}

}  // namespace

double mean_busy_of(const std::vector<RouteCandidate>& candidates) {
  double sum = 0, count = 0;
  for (const RouteCandidate& each : candidates) {
    if (!serves_prefill(each.role)) continue;
    sum += each.busy;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

// How much of what is evicted for a copy was worth as much: where requests have little of the KV
// there is old stuff, where they have nearly all, whatever goes is missed at once.
double crowding(const RouteCandidate& candidate) {
  constexpr double kFreeMin = 0.02;
  return candidate.kv_used * candidate.kv_used / std::max(kFreeMin, 1 - candidate.kv_used);
}

// Until the node has room for what it lacks of the prompt.
double room_s(const RouteCandidate& candidate, std::uint32_t tokens) {
  if (!candidate.kv_free) return 0;
  const double lacks = missing(candidate, tokens) - *candidate.kv_free;
  if (lacks <= 0) return 0;
  return candidate.kv_freed_rate > 0 ? std::min(lacks / candidate.kv_freed_rate, kLast) : kLast;
}

std::vector<CostTerms> cost_terms(const std::vector<RouteCandidate>& candidates,
                                  std::uint32_t tokens, const CostWeights& weights) {
  std::map<Role, std::uint32_t> deepest;
  for (const RouteCandidate& each : candidates) {
    std::uint32_t& depth = deepest[each.role];
    depth = std::max(depth, std::min(each.depth, tokens));
  }
  const double crowd = crowd_of(candidates);
  const double mean_busy = mean_busy_of(candidates);
  std::vector<CostTerms> terms(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RouteCandidate& each = candidates[i];
    CostTerms& of = terms[i];
    // A decode node computes what is missing where no prefill node does.
    of.wait = each.queued_tokens / each.prefill_rate;
    of.compute = missing(each, tokens) / each.prefill_rate;
    of.delay = weights.affinity * crowd * of.compute;
    if (serves_prefill(each.role)) {
      of.balance = std::max(kFollows * (each.busy - mean_busy), -1.0) * of.compute;
    }
    const std::uint32_t depth = std::min(each.depth, tokens);
    const double copied_s = (deepest[each.role] - depth) / each.prefill_rate;
    of.duplicate = copied_s * (each.keeps_duplicates ? weights.duplicate : crowding(each));
    of.room = room_s(each, tokens);
    if (serves_decode(each.role)) {
      of.transfer = missing(each, tokens) / weights.transfer_rate;
      of.step = (each.decode_tokens + tokens) / weights.decode_rate;
    }
  }
  return terms;
}

}  // namespace radixmesh
