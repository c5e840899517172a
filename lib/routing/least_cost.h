// The pair of nodes that costs least. Its terms (cost.h) belong to the prefill node or to the
// decode node alone, but for the transfer, which a unified node that does both saves. So it is
// found in O(candidates), not in their square.
//
// Where other routers route too, a lot is drawn among those that are about as good as the best and
// have as much of the prompt: lots.h.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/routing/candidate.h"
#include "lib/routing/cost.h"
#include "lib/routing/lots.h"

namespace radixmesh {

// Among equals, where nobody has or reads any of it, the hash of the first pages decides.
RouteChoice least_cost(const std::vector<RouteCandidate>& candidates,
                       const std::vector<CostTerms>& terms, std::uint32_t tokens,
                       std::uint64_t first_pages, const CostWeights& weights, Lots lots = {});

}  // namespace radixmesh
