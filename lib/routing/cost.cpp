#include "lib/routing/cost.h"

#include <algorithm>
#include <array>

#include "lib/base/in_place.h"

namespace radixmesh {
namespace {

std::uint32_t missing(const RouteCandidate& candidate, std::uint32_t tokens) {
  return tokens - std::min(tokens, candidate.depth);
}

// Of a prompt that is computed, beside those that wait: `delay`.
constexpr double kComputes = 0.2;
// Prompts that come while one is computed, at a node that is always busy: `delay`.
constexpr double kComes = 2;
// Above this share of its time nobody knows for how long a node will be as busy: `delay`.
constexpr double kBusyMax = 2.0 / 3;
// What a copy evicts, in copies, where requests have the share f of the KV: f^2 / (1 - f) of this.
constexpr double kEvicted = 3;
// Seconds: nobody is chosen at this cost where there is another.
constexpr double kLast = 1e6;

// What the terms of all candidates need.
class Fleet {
 public:
  Fleet(const std::vector<RouteCandidate>& candidates, std::uint32_t tokens) {
    std::vector<std::uint32_t> waiting;
    std::vector<double> waits;                    // seconds
    double computing = 0, rate = 0, seconds = 0;  // a token takes; most nodes are alike
    waiting.reserve(candidates.size());
    waits.reserve(candidates.size());
    for (const RouteCandidate& each : candidates) {
      std::uint32_t& depth = deepest_[static_cast<std::size_t>(each.role)];
      depth = std::max(depth, std::min(each.depth, tokens));
      if (!serves_prefill(each.role)) continue;
      waiting.push_back(waiting_at(each));
      if (each.prefill_rate != rate) seconds = 1 / (rate = each.prefill_rate);
      waits.push_back(each.queued_tokens * seconds);
      computing += each.queued_tokens > 0 && each.prefills > 0 ? 1 : 0;
    }
    if (waiting.empty()) return;
    computing /= static_cast<double>(waiting.size());
    waiting_ = mean_to_median(waiting) + kComputes * computing;
    wait_s_ = mean_to_median(waits);
  }

  // How many prompts wait for one that is computed there, see `delay` in the header. It waits there
  // for so long itself.
  double crowd(const RouteCandidate& at, double wait_s) const {
    const double here = wait_s < wait_s_ ? wait_s / wait_s_ : 1;
    const double common = waiting_ * (1 + here) / 2 + kComes * std::min(at.busy, 1.0);
    return std::max<double>(common, waiting_at(at)) / (1 - std::min(at.busy, kBusyMax));
  }
  // Tokens of the prompt that one of this role has.
  std::uint32_t deepest(Role role) const { return deepest_[static_cast<std::size_t>(role)]; }

 private:
  // Behind the one that is computed.
  static std::uint32_t waiting_at(const RouteCandidate& candidate) {
    // Who never says that a prompt is computed: by its time it is.
    return candidate.queued_tokens > 0 ? std::max(candidate.prefills, 1u) - 1 : 0;
  }

  // None counts for more than the median.
  template <class T>
  static double mean_to_median(std::vector<T>& of) {
    const auto median = of.begin() + static_cast<std::ptrdiff_t>((of.size() - 1) / 2);
    std::ranges::nth_element(of, median);
    double sum = 0;
    for (const T most = *median; T each : of) sum += static_cast<double>(std::min(each, most));
    return sum / static_cast<double>(of.size());
  }

  std::array<std::uint32_t, 4> deepest_{};  // by role
  double waiting_ = 0, wait_s_ = 0;         // at a prefill node
};

// How much of what is evicted for a copy was worth as much: where requests have little of the KV
// there is old stuff, where they have nearly all, whatever goes is missed at once.
double fullness(const RouteCandidate& candidate) {
  constexpr double kFreeMin = 0.02;
  if (!candidate.tells_kv()) return 0;
  const double all = std::max({1.0, candidate.kv_taken, candidate.kv_total});
  const double free = std::max(kFreeMin * all, all - candidate.kv_taken);
  return kEvicted * candidate.kv_taken * candidate.kv_taken / (all * free);
}

// Until there is room for so many tokens.
double room_s(const RouteCandidate& candidate, double lacks) {
  if (!candidate.tells_kv() || lacks <= candidate.kv_free()) return 0;
  const double freed_rate = candidate.kv_taken / std::max(1e-3, candidate.kv_held_s);
  return freed_rate > 0 ? std::min((lacks - candidate.kv_free()) / freed_rate, kLast) : kLast;
}

// Another of its role has `deepest` tokens of the prompt.
double duplicate_s(const RouteCandidate& candidate, std::uint32_t deepest,
                   const CostWeights& weights, double seconds_a_token) {
  if (deepest <= candidate.depth) return 0;
  const double worth = candidate.keeps_duplicates ? weights.duplicate : fullness(candidate);
  return worth * (deepest - candidate.depth) * seconds_a_token;
}

}  // namespace

std::vector<CostTerms> cost_terms(const std::vector<RouteCandidate>& candidates,
                                  std::uint32_t tokens, const CostWeights& weights, Lots lots) {
  const Fleet fleet(candidates, tokens);
  const Sources sources(candidates, tokens, lots);
  std::vector<CostTerms> terms;
  terms.reserve(candidates.size());
  const double weight = weights.affinity * (1 + lots.share);
  const double transfer_s = 1 / weights.transfer_rate, step_s = 1 / weights.decode_rate;
  double rate = 0, seconds = 0;  // a token takes; divisions are slow
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RouteCandidate& each = candidates[i];
    if (each.prefill_rate != rate) seconds = 1 / (rate = each.prefill_rate);
    const std::uint32_t lacks = missing(each, tokens);
    const double wait = each.queued_tokens * seconds;
    const double others = weight * fleet.crowd(each, wait);
    std::optional<Pull> reads;
    if (!sources.empty()) reads = sources.best_for(i, others);
    const Pull pull = reads.value_or(Pull{});
    // A decode node computes what is missing where no prefill node does.
    const double compute = (lacks - pull.tokens) * seconds;
    const bool decodes = serves_decode(each.role);
    // All of a row is named here: so nothing is cleared first.
    terms.emplace_back(InPlace([&] {
      return CostTerms{
          .wait = wait,
          .pull = std::max(0.0, pull.there_s - wait),
          .compute = compute,
          .delay = others * (compute + pull.link_s),
          .room = room_s(each, lacks),
          .transfer = decodes ? lacks * transfer_s : 0,
          .step = decodes ? (each.decode_tokens + tokens) * step_s : 0,
          .duplicate = duplicate_s(each, fleet.deepest(each.role), weights, seconds),
          .reads = std::nullopt,
      };
    }));
    if (reads) terms.back().reads = reads;
  }
  return terms;
}

}  // namespace radixmesh
