// Consistent hashing of a prompt's first pages, with bounded load: requests with a common beginning
// meet on one node until it is full, and a node more or less moves only its share of them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/routing/candidate.h"

namespace radixmesh {

// The beginning of a prompt that the hash sees: at most this many tokens, in whole pages.
inline constexpr std::uint32_t kHashTokensMax = 500;

// A hash of the first whole pages; where there is none, of the first tokens.
std::uint64_t first_pages_hash(const CacheNamespace& name, std::span<const TokenId> tokens,
                               std::uint32_t page_size);

// Rendezvous hashing: each node draws a number for this beginning, the highest wins.
std::uint64_t draw(NodeId node, std::uint64_t first_pages);

// Of the candidates of a role that are not full, the one that draws the highest; where all are, of
// all. Full is who has a quarter more requests than the mean, this one included, and more than a
// handful.
std::optional<std::size_t> hash_choice(const std::vector<RouteCandidate>& candidates,
                                       bool (*serves)(Role), std::uint64_t first_pages);

}  // namespace radixmesh
