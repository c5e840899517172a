#include "lib/routing/cost.h"

#include <algorithm>
#include <limits>
#include <map>

#include "lib/routing/first_pages.h"

namespace radixmesh {
namespace {

// Less of a difference than this, in seconds, is none: figures are not that exact.
constexpr double kEqual = 1e-4;

// Of some candidates that one of the least cost, and among equals the one that draws the highest.
class Least {
 public:
  Least(const std::vector<RouteCandidate>& candidates, std::uint64_t first_pages)
      : candidates_(&candidates), first_pages_(first_pages) {}

  void offer(std::size_t at, double cost) {
    if (!found_ || cost < cost_ - kEqual) {
      found_ = at;
      cost_ = cost;
      equals_ = false;
    } else if (cost <= cost_ + kEqual) {
      equals_ = true;
      if (draws_higher(at, *found_)) found_ = at;
      cost_ = std::min(cost_, cost);
    }
  }

  bool empty() const { return !found_; }
  std::size_t choice() const { return *found_; }
  double cost() const { return found_ ? cost_ : std::numeric_limits<double>::infinity(); }
  bool had_equals() const { return equals_; }

 private:
  bool draws_higher(std::size_t a, std::size_t b) const {
    const RouteCandidate &one = (*candidates_)[a], &other = (*candidates_)[b];
    const std::uint64_t drawn = draw(one.id, first_pages_), against = draw(other.id, first_pages_);
    return drawn != against ? drawn > against : one.rank < other.rank;
  }

  const std::vector<RouteCandidate>* candidates_;
  std::uint64_t first_pages_;
  std::optional<std::size_t> found_;
  double cost_ = 0;
  bool equals_ = false;
};

std::uint32_t missing(const RouteCandidate& candidate, std::uint32_t tokens) {
  return tokens - std::min(tokens, candidate.depth);
}

// Of a node that computes and at which nobody waits.
constexpr double kComputes = 0.2;

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

std::vector<CostTerms> cost_terms(const std::vector<RouteCandidate>& candidates,
                                  std::uint32_t tokens, const CostWeights& weights) {
  std::map<Role, std::uint32_t> deepest;
  for (const RouteCandidate& each : candidates) {
    std::uint32_t& depth = deepest[each.role];
    depth = std::max(depth, std::min(each.depth, tokens));
  }
  const double crowd = crowd_of(candidates);
  std::vector<CostTerms> terms(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RouteCandidate& each = candidates[i];
    CostTerms& of = terms[i];
    // A decode node computes what is missing where no prefill node does.
    of.wait = each.queued_tokens / each.prefill_rate;
    of.compute = missing(each, tokens) / each.prefill_rate;
    of.delay = weights.affinity * crowd * of.compute;
    const std::uint32_t depth = std::min(each.depth, tokens);
    if (each.keeps_duplicates) {
      of.duplicate = weights.duplicate * (deepest[each.role] - depth) / each.prefill_rate;
    }
    if (serves_decode(each.role)) {
      of.transfer = missing(each, tokens) / weights.transfer_rate;
      of.step = (each.decode_tokens + tokens) / weights.decode_rate;
    }
  }
  return terms;
}

namespace {

// `computes` was taken of those that serve so.
RouteReason reason_of(const std::vector<RouteCandidate>& candidates, std::size_t computes,
                      bool (*serves)(Role), bool had_equals) {
  std::uint32_t deepest = 0;
  for (const RouteCandidate& each : candidates) {
    if (serves(each.role)) deepest = std::max(deepest, each.depth);
  }
  const std::uint32_t depth = candidates[computes].depth;
  if (depth > 0 && depth >= deepest) return RouteReason::prefix;
  if (deepest > 0) return RouteReason::load;
  return had_equals ? RouteReason::hash : RouteReason::load;
}

}  // namespace

RouteChoice least_cost(const std::vector<RouteCandidate>& candidates,
                       const std::vector<CostTerms>& terms, std::uint32_t tokens,
                       std::uint64_t first_pages, const CostWeights& weights) {
  const auto is_small = [&](const RouteCandidate& each) {
    return decodes_alone(each, tokens, weights.decode_only_tokens);
  };
  // A unified node does not hand over to another: it does both, or works with one that does not.
  Least prefill(candidates, first_pages), only_prefill = prefill, only_decode = prefill,
                                          unified_decode = prefill, both = prefill, alone = prefill;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const CostTerms& of = terms[i];
    switch (candidates[i].role) {
      case Role::prefill:
        prefill.offer(i, of.as_prefill());
        only_prefill.offer(i, of.as_prefill());
        break;
      case Role::decode:
        only_decode.offer(i, of.as_decode());
        if (is_small(candidates[i])) alone.offer(i, of.as_both());
        break;
      case Role::unified:
        prefill.offer(i, of.as_prefill());
        unified_decode.offer(i, of.as_decode());
        both.offer(i, of.as_both());
        break;
      case Role::router:
        break;
    }
  }
  RouteChoice choice;
  if (prefill.empty()) {
    // There are only decode nodes: one of them computes the prompt.
    Least any(candidates, first_pages);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (serves_decode(candidates[i].role)) any.offer(i, terms[i].as_both());
    }
    if (any.empty()) return choice;
    choice.decode = any.choice();
    choice.reason = reason_of(candidates, any.choice(), serves_decode, any.had_equals());
    return choice;
  }
  if (only_decode.empty() && unified_decode.empty()) {
    choice.prefill = prefill.choice();
    choice.reason = reason_of(candidates, prefill.choice(), serves_prefill, prefill.had_equals());
    return choice;
  }
  struct Pair {
    double cost;
    const Least *computes, *decodes;
  };
  Pair best{both.cost(), &both, &both};
  for (const Pair& each :
       {Pair{prefill.cost() + only_decode.cost(), &prefill, &only_decode},
        Pair{only_prefill.cost() + unified_decode.cost(), &only_prefill, &unified_decode},
        Pair{alone.cost(), &alone, &alone}}) {
    if (each.cost < best.cost) best = each;
  }
  choice.prefill = best.computes->choice();
  choice.decode = best.decodes->choice();
  choice.reason =
      reason_of(candidates, *choice.prefill, serves_prefill, best.computes->had_equals());
  if (is_small(candidates[*choice.decode])) {
    choice.prefill.reset();
    choice.reason = RouteReason::decode_only;
  }
  return choice;
}

}  // namespace radixmesh
