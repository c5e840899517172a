#include "lib/routing/first_pages.h"

#include <xxhash.h>

#include <algorithm>
#include <tuple>

#include "lib/tree/digest.h"

namespace radixmesh {
namespace {

// The bound of "consistent hashing with bounded loads" (arXiv 1608.01350), in quarters of the mean.
constexpr std::uint64_t kFullQuarters = 5;
// So many requests at once fill nobody.
constexpr std::uint32_t kNeverFull = 4;

}  // namespace

std::uint64_t first_pages_hash(const CacheNamespace& name, std::span<const TokenId> tokens,
                               std::uint32_t page_size) {
  const std::size_t pages = std::min<std::size_t>(tokens.size(), kHashTokensMax) / page_size;
  const auto seen = pages > 0 ? tokens.first(pages * page_size)
                              : tokens.first(std::min<std::size_t>(tokens.size(), kHashTokensMax));
  const auto seed = static_cast<std::uint64_t>(PrefixHasher::of_namespace(name));
  return XXH3_64bits_withSeed(seen.data(), seen.size_bytes(), seed);
}

std::uint64_t draw(NodeId node, std::uint64_t first_pages) {
  return XXH3_64bits_withSeed(&node.value, sizeof node.value, first_pages);
}

std::optional<std::size_t> hash_choice(const std::vector<RouteCandidate>& candidates,
                                       bool (*serves)(Role), std::uint64_t first_pages) {
  std::uint64_t nodes = 0, requests = 1;
  for (const RouteCandidate& each : candidates) {
    if (!serves(each.role)) continue;
    ++nodes;
    requests += each.requests;
  }
  const auto is_full = [&](const RouteCandidate& each) {
    return each.requests >= kNeverFull &&
           4 * nodes * std::uint64_t{each.requests} >= kFullQuarters * requests;
  };
  const auto key = [&](const RouteCandidate& each) {
    return std::tuple(is_full(each), ~draw(each.id, first_pages), each.rank);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!serves(candidates[i].role)) continue;
    if (!best || key(candidates[i]) < key(candidates[*best])) best = i;
  }
  return best;
}

}  // namespace radixmesh
