// KV that need not be computed as another node has it: which node would read from which, how much,
// and how long that takes.
//
// A read begins when the request comes, waits for the reader's link in and the source's link out,
// each of which carries one after the other, and goes on while the request waits for its turn. It
// is worth while where it is over before the same would have been computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/routing/candidate.h"

namespace radixmesh {

struct Pull {
  std::size_t source = 0;    // index into the candidates
  std::uint32_t tokens = 0;  // the source's, from the reader's depth on
  double link_s = 0;         // seconds of the links' time
  double there_s = 0;        // from now until they have come
};

// One for each candidate, the one that is done soonest with all of the prompt; nothing where none
// is worth while. Empty where no two nodes can. Sources are those that have the tokens by the
// index: what is promised is not there yet. O(candidates).
std::vector<std::optional<Pull>> best_pulls(const std::vector<RouteCandidate>& candidates,
                                            std::uint32_t tokens);

}  // namespace radixmesh
