#include "lib/routing/pulling.h"

#include <algorithm>
#include <array>
#include <span>

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
  if (to.pull_rate <= 0 || !serves_prefill(to.role)) return std::nullopt;
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
  const auto lot = [&](const Pull& pull) {
    return draw(candidates_[pull.source].id, lots_.number);
  };
  struct Offer {
    Pull pull;
    double gain_s;
  };
  std::array<Offer, kSourcesMax> offers;
  std::size_t count = 0;
  const Offer* best = nullptr;
  for (std::size_t source : sources_) {
    const Pull pull = pull_from(source);
    const Offer& each = offers[count++] = {pull, gain_s(pull)};
    const double most_s = best == nullptr ? 0 : best->gain_s;
    if (pull.tokens > 0 && each.gain_s > most_s) best = &each;
  }
  if (best == nullptr) return std::nullopt;
  if (lots_.share == 0) return best->pull;
  const double least_s = std::max(0.0, best->gain_s - lots_.near(best->pull.link_s));
  const Offer* drawn = best;
  for (const Offer& each : std::span(offers).first(count)) {
    if (each.pull.tokens != best->pull.tokens || each.gain_s <= least_s) continue;
    if (lot(each.pull) > lot(drawn->pull)) drawn = &each;
  }
  return drawn->pull;
}

}  // namespace radixmesh
