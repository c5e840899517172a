#include "lib/routing/least_cost.h"

#include <algorithm>
#include <limits>
#include <optional>

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

// Of those of the role and depth of `at` that cost little more than it, one by lot. `own`: what a
// request like this one adds to a node. Both in seconds.
template <class Cost>
std::size_t draw_near(const std::vector<RouteCandidate>& candidates, std::size_t at, Lots lots,
                      double own, Cost&& cost, std::uint32_t& near) {
  const RouteCandidate& best = candidates[at];
  const double most = cost(at) + lots.near(own);
  std::size_t drawn = at;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RouteCandidate& each = candidates[i];
    if (i == at || each.role != best.role || each.depth != best.depth || cost(i) > most) continue;
    ++near;
    if (draw(each.id, lots.number) > draw(candidates[drawn].id, lots.number)) drawn = i;
  }
  return drawn;
}

// Where nobody has any of the prompt the hash decides, so that those that begin alike meet.
bool has_any(const std::vector<RouteCandidate>& candidates) {
  return std::ranges::any_of(candidates, [](const RouteCandidate& each) { return each.depth > 0; });
}

void draw_lots(const std::vector<RouteCandidate>& candidates, const std::vector<CostTerms>& terms,
               std::uint32_t tokens, const CostWeights& weights, Lots lots, RouteChoice& choice) {
  const bool both = choice.prefill == choice.decode;
  if (!has_any(candidates)) return;
  if (choice.prefill) {
    const CostTerms& of = terms[*choice.prefill];
    const double own = of.compute + (of.reads ? of.reads->link_s : 0);
    choice.prefill = draw_near(
        candidates, *choice.prefill, lots, own,
        [&](std::size_t i) { return both ? terms[i].as_both() : terms[i].as_prefill(); },
        choice.near_equals);
  }
  if (both) {
    choice.decode = choice.prefill;
  } else if (choice.decode) {
    choice.decode = draw_near(
        candidates, *choice.decode, lots, tokens / weights.decode_rate,
        [&](std::size_t i) { return terms[i].as_decode(); }, choice.near_equals);
  }
}

// There are only decode nodes: one of them computes the prompt.
RouteChoice of_decode_nodes(const std::vector<RouteCandidate>& candidates,
                            const std::vector<CostTerms>& terms, std::uint64_t first_pages,
                            Lots lots) {
  RouteChoice choice;
  Least any(candidates, first_pages);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (serves_decode(candidates[i].role)) any.offer(i, terms[i].as_both());
  }
  if (any.empty()) return choice;
  choice.decode = any.choice();
  if (lots.share > 0 && has_any(candidates)) {
    choice.decode = draw_near(
        candidates, any.choice(), lots, terms[any.choice()].compute,
        [&](std::size_t i) { return terms[i].as_both(); }, choice.near_equals);
  }
  choice.reason = reason_of(candidates, *choice.decode, serves_decode, any.had_equals());
  return choice;
}

}  // namespace

RouteChoice least_cost(const std::vector<RouteCandidate>& candidates,
                       const std::vector<CostTerms>& terms, std::uint32_t tokens,
                       std::uint64_t first_pages, const CostWeights& weights, Lots lots) {
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
        if (is_small(candidates[i])) {
          alone.offer(i, of.as_both());  // no prefill node works for it
        } else {
          only_decode.offer(i, of.as_decode());
        }
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
  if (prefill.empty()) return of_decode_nodes(candidates, terms, first_pages, lots);
  RouteChoice choice;
  if (only_decode.empty() && unified_decode.empty() && alone.empty()) {
    choice.prefill = prefill.choice();
    if (lots.share > 0) draw_lots(candidates, terms, tokens, weights, lots, choice);
    choice.reason = reason_of(candidates, *choice.prefill, serves_prefill, prefill.had_equals());
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
  if (lots.share > 0) draw_lots(candidates, terms, tokens, weights, lots, choice);
  choice.reason =
      reason_of(candidates, *choice.prefill, serves_prefill, best.computes->had_equals());
  if (is_small(candidates[*choice.decode])) {
    choice.prefill.reset();
    choice.reason = RouteReason::decode_only;
  }
  return choice;
}

}  // namespace radixmesh
