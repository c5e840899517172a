// KV that need not be computed as another node has it: from which node one would read it, how much,
// and how long that takes.
//
// A read begins when the request comes, waits for the reader's link in and the source's link out,
// each of which carries one after the other, and goes on while the request waits for its turn. It
// is worth while where the request is done sooner, and others are not delayed by more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/routing/candidate.h"
#include "lib/routing/cost_terms.h"
#include "lib/routing/lots.h"

namespace radixmesh {

// Who may be read from for a prompt of so many tokens. Sources are those that have some of it by
// the index: what is promised is not there yet.
class Sources {
 public:
  // O(candidates).
  Sources(const std::vector<RouteCandidate>& candidates, std::uint32_t tokens, Lots lots);

  bool empty() const { return sources_.empty(); }
  // Nothing where no read is worth while. `others`: how much a second of work that the reader, or a
  // link, is given costs others, in seconds. O(1).
  std::optional<Pull> best_for(std::size_t reader, double others) const;

 private:
  const std::vector<RouteCandidate>& candidates_;
  std::uint32_t tokens_;
  Lots lots_;
  std::vector<std::size_t> sources_;
};

}  // namespace radixmesh
