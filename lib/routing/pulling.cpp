#include "lib/routing/pulling.h"

#include <algorithm>

namespace radixmesh {
namespace {

// Of those that have the most of the prompt, so many are asked about: the rest has less to give, or
// is as good.
constexpr std::size_t kSourcesMax = 8;

double out_s(const RouteCandidate& source) { return source.pull_out_tokens / source.pull_rate; }

// The deepest first, of equals the one whose link is free first.
std::vector<std::size_t> sources(const std::vector<RouteCandidate>& candidates) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].pull_rate > 0 && candidates[i].indexed > 0) found.push_back(i);
  }
  const auto is_better = [&](std::size_t a, std::size_t b) {
    const RouteCandidate &one = candidates[a], &other = candidates[b];
    if (one.indexed != other.indexed) return one.indexed > other.indexed;
    if (out_s(one) != out_s(other)) return out_s(one) < out_s(other);
    return one.rank < other.rank;
  };
  const std::size_t count = std::min(found.size(), kSourcesMax);
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(count), is_better);
  found.resize(count);
  return found;
}

}  // namespace

std::vector<std::optional<Pull>> best_pulls(const std::vector<RouteCandidate>& candidates,
                                            std::uint32_t tokens) {
  const std::vector<std::size_t> from = sources(candidates);
  std::vector<std::optional<Pull>> pulls;
  if (from.empty()) return pulls;
  pulls.resize(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const RouteCandidate& reader = candidates[i];
    if (reader.pull_rate <= 0 || !serves_prefill(reader.role)) continue;
    const double wait_s = reader.queued_tokens / reader.prefill_rate;
    double gain_s = 0;  // nothing to be gained: nothing to be read
    for (std::size_t source : from) {
      const RouteCandidate& each = candidates[source];
      const std::uint32_t end = std::min(each.indexed, tokens);
      if (source == i || end <= reader.depth) continue;
      const std::uint32_t more = end - reader.depth;
      const double begins_s = std::max(out_s(each), reader.pull_in_tokens / reader.pull_rate);
      const double link_s = more / std::min(each.pull_rate, reader.pull_rate);
      const double there_s = begins_s + link_s;
      const double gains_s = more / reader.prefill_rate - std::max(0.0, there_s - wait_s);
      if (gains_s <= gain_s) continue;
      gain_s = gains_s;
      pulls[i] = Pull{source, more, link_s, there_s};
    }
  }
  return pulls;
}

}  // namespace radixmesh
