#include "lib/routing/prefix_first.h"

#include <xxhash.h>

#include <algorithm>
#include <tuple>

#include "lib/tree/digest.h"

namespace radixmesh {
namespace {

std::uint64_t load_of(const RouteCandidate& candidate) {
  if (!candidate.load) return 0;
  return std::uint64_t{candidate.load->running} + candidate.load->waiting;
}

// Rendezvous hashing: each node draws a number for this prompt, the highest wins.
std::uint64_t draw(const RouteCandidate& candidate, std::uint64_t first_pages) {
  return XXH3_64bits_withSeed(&candidate.id.value, sizeof candidate.id.value, first_pages);
}

std::optional<std::size_t> choose(const std::vector<RouteCandidate>& candidates,
                                  bool (*serves)(Role), std::uint64_t first_pages) {
  std::optional<std::size_t> best;
  const auto better = [&](const RouteCandidate& a, const RouteCandidate& b) {
    if (a.depth == 0 && b.depth == 0) {
      return std::tuple(draw(b, first_pages), a.rank) < std::tuple(draw(a, first_pages), b.rank);
    }
    return std::tuple(b.depth, load_of(a), a.rank) < std::tuple(a.depth, load_of(b), b.rank);
  };
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!serves(candidates[i].role)) continue;
    if (!best || better(candidates[i], candidates[*best])) best = i;
  }
  return best;
}

}  // namespace

std::uint64_t first_pages_hash(const CacheNamespace& name, std::span<const TokenId> tokens,
                               std::uint32_t page_size) {
  const std::size_t pages = std::min<std::size_t>(tokens.size(), kHashTokensMax) / page_size;
  const auto seen = pages > 0 ? tokens.first(pages * page_size)
                              : tokens.first(std::min<std::size_t>(tokens.size(), kHashTokensMax));
  const auto seed = static_cast<std::uint64_t>(PrefixHasher::of_namespace(name));
  return XXH3_64bits_withSeed(seen.data(), seen.size_bytes(), seed);
}

RouteChoice prefix_first(const std::vector<RouteCandidate>& candidates, std::uint64_t first_pages) {
  RouteChoice choice;
  choice.prefill = choose(candidates, serves_prefill, first_pages);
  choice.decode = choose(candidates, serves_decode, first_pages);
  const auto has_depth = [&](const std::optional<std::size_t>& at) {
    return at && candidates[*at].depth > 0;
  };
  if (choice.prefill || choice.decode) {
    const bool prefix = has_depth(choice.prefill) || has_depth(choice.decode);
    choice.reason = prefix ? RouteReason::prefix : RouteReason::hash;
  }
  return choice;
}

}  // namespace radixmesh
