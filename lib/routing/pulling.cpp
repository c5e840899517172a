#include "lib/routing/pulling.h"

#include <algorithm>

#include "lib/routing/first_pages.h"

namespace radixmesh {
namespace {

// So many at most are asked about: those that gain the most for a reader that has nothing yet.
constexpr std::size_t kSourcesMax = 8;

double out_s(const RouteCandidate& source) { return source.pull_out_tokens / source.pull_rate; }

}  // namespace

Sources::Sources(const std::vector<RouteCandidate>& candidates, std::uint32_t tokens, Lots lots)
    : candidates_(candidates), tokens_(tokens), lots_(lots) {
  double seconds_a_token = 0;  // to compute one, where that takes longest
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].pull_rate <= 0) continue;
    seconds_a_token = std::max(seconds_a_token, 1 / candidates[i].prefill_rate);
    if (candidates[i].indexed > 0) sources_.push_back(i);
  }
  if (sources_.size() <= kSourcesMax) return;
  const auto gain_s = [&](std::size_t at) {
    const RouteCandidate& each = candidates[at];
    const double read = std::min(each.indexed, tokens);
    return read * (seconds_a_token - 1 / each.pull_rate) - out_s(each);
  };
  std::ranges::nth_element(sources_, sources_.begin() + kSourcesMax, std::greater{}, gain_s);
  sources_.resize(kSourcesMax);
}

std::optional<Pull> Sources::best_for(std::size_t reader, double others) const {
  const RouteCandidate& to = candidates_[reader];
  if (sources_.empty() || to.pull_rate <= 0 || !serves_prefill(to.role)) return std::nullopt;
  const double wait_s = to.queued_tokens / to.prefill_rate;
  const auto pull_from = [&](std::size_t source) {
    const RouteCandidate& from = candidates_[source];
    const std::uint32_t end = std::min(from.indexed, tokens_);
    const std::uint32_t more = end > to.depth && source != reader ? end - to.depth : 0;
    const double link_s = more / std::min(from.pull_rate, to.pull_rate);
    const double begins_s = std::max(out_s(from), to.pull_in_tokens / to.pull_rate);
    return Pull{source, more, link_s, begins_s + link_s};
  };
  const auto gain_s = [&](const Pull& pull) {
    const double beyond_s = std::max(0.0, pull.there_s - wait_s);
    return (1 + others) * pull.tokens / to.prefill_rate - others * pull.link_s - beyond_s;
  };
  std::optional<Pull> best;
  for (std::size_t source : sources_) {
    const Pull each = pull_from(source);
    if (each.tokens > 0 && gain_s(each) > (best ? gain_s(*best) : 0)) best = each;
  }
  if (!best || lots_.share == 0) return best;
  const double least = std::max(0.0, gain_s(*best) - lots_.near(best->link_s));
  for (std::size_t source : sources_) {
    const Pull each = pull_from(source);
    if (each.tokens != best->tokens || gain_s(each) <= least) continue;
    const auto drawn = [&](const Pull& pull) {
      return draw(candidates_[pull.source].id, lots_.number);
    };
    if (drawn(each) > drawn(*best)) best = each;
  }
  return best;
}

}  // namespace radixmesh
