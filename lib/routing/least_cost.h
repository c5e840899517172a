// The pair of nodes that costs least. Its terms (cost.h) belong to the prefill node or to the
// decode node alone, but for the transfer, which a unified node that does both saves. So it is
// found in O(candidates), not in their square.
//
// Routers that decide at one moment know the same, and would all send to the same node, which none
// of them sees before it has. So where others route too, one of those that cost little more than
// the best, and have as much of the prompt, is drawn by lot. Little is a part of what the request
// itself adds there, as large as the others' share of the routers: whoever routes alone knows
// better.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/routing/candidate.h"
#include "lib/routing/cost.h"

namespace radixmesh {

struct Lots {
  double share = 0;          // of the routers that are others; 0: this one routes alone
  std::uint64_t number = 0;  // another one at each router, and for each request
};

// Among equals, where nobody has any of it, the hash of the first pages decides.
RouteChoice least_cost(const std::vector<RouteCandidate>& candidates,
                       const std::vector<CostTerms>& terms, std::uint32_t tokens,
                       std::uint64_t first_pages, const CostWeights& weights, Lots lots = {});

}  // namespace radixmesh
