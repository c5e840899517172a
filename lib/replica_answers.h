// What the engine's verbs answer, where that is more than is shown, and what an engine says of
// itself. See the verbs in replica.h.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/ids.h"
#include "lib/gc/registrations.h"
#include "lib/replica_view.h"
#include "lib/tree/local_cache.h"
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
  MatchView match;
  LockedPath path;
  ReferenceId reference = 0;
  std::vector<SegmentView> segments;  // what is locked here, and what is referred to there
  struct Wait {
    NodeId owner;
    Anchor page;
  };
  std::optional<Wait> wait;  // nothing is locked yet: ask again when waits() is false
};

// The state that an engine knows of: nothing older is its.
struct KnownState {
  Epoch epoch;
  Seq seq;
  friend auto operator<=>(const KnownState&, const KnownState&) = default;
};

}  // namespace radixmesh
