// What the engine's verbs answer, where that is more than is shown. See the verbs in replica.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/time.h"
#include "lib/gc/references.h"
#include "lib/tree/local_cache.h"
#include "lib/tree/match_view.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// A member that an operator had removed: at once, or when the lease lapses of what it refers to at
// this node.
struct MemberRemoved {
  std::string addr;
  Duration waits{};
};

struct Evicted {
  SlotRuns freed;
  std::uint64_t retiring = 0;  // tokens on their way out: other nodes may read them still
};

// What is locked here for whoever reads it, and referred to elsewhere.
struct Acquired {
  using Wait = References::Wait;
  MatchView match;
  LockedPath path;
  ReferenceId reference = 0;
  std::vector<SegmentView> segments;  // what is locked here, and what is referred to there
  std::optional<Wait> wait;           // nothing is locked yet: ask again when waits() is false
};

}  // namespace radixmesh
