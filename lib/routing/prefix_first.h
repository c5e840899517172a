// The routing policy `prefix_first`: for each role the deepest match; on a tie the least load, then
// the lowest rank. Where nobody has anything beyond what most prompts have in common
// (common_beginning.h), the hash, past nodes that are full: else all would go to where one of them
// was.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/routing/candidate.h"

namespace radixmesh {

// O(candidates). A pure function: the same picture gives the same choice on every node.
RouteChoice prefix_first(const std::vector<RouteCandidate>& candidates, std::uint32_t tokens,
                         std::uint32_t common, std::uint64_t first_pages,
                         std::uint32_t decode_only_tokens);

}  // namespace radixmesh
