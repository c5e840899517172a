// What is kept of one origin, another node whose ops this one applies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/oplog/lag_view.h"
#include "lib/oplog/origin_stream.h"
#include "lib/oplog/repair_timer.h"
#include "lib/oplog/staging.h"
#include "lib/tree/holder_set.h"

namespace radixmesh {

// How far one is in a node's ops: in which of its lives, and up to which.
using Progress = std::pair<Epoch, Seq>;

// What is kept of an origin's life that ended, hidden: the next one may go on with it.
struct FormerLife {
  Epoch epoch;
  Seq applied;
  HolderIndex holder;
  std::string engine_token;
  TimePoint since;
};

// What is missing of an origin, and what is done about it.
struct Missing {
  RepairTimer timer;
  bool wants_snapshot =
      false;                   // ops alone will not do: one could not be applied, or digests differ
  bool replaces_all = false;   // ... and a snapshot as old as what is here is welcome
  std::uint32_t failures = 0;  // in a row, of what was supposed to help
  bool degraded = false;
  std::optional<Staging> staging;
  std::optional<TimePoint> since;
  std::uint32_t asked_in_a_row = 0;  // one soon after the other
  TimePoint last_asked{};
  struct Note {
    TimePoint at;
    std::string_view how;  // "replay" or "snapshot"
  };
  std::optional<Note> repaired;

  void is_no_more() {
    wants_snapshot = replaces_all = degraded = false;
    failures = 0;
  }
};

// One origin's stream and what it takes to keep it whole. This node's own is not among them.
struct Origin {
  NodeId id;
  OriginStream stream;
  HolderIndex holder;
  Seq head;     // the highest op that anyone said exists in this epoch
  Seq refused;  // the op that came last and does not fit; 0: none did
  Missing missing;
  bool forgotten = false;  // dead or left for long: nothing is kept of it, and nothing repaired
  bool had_ops = false;    // ... and something was, of its present epoch
  std::optional<FormerLife> former;
  std::uint64_t digest_mismatches = 0;
  // What must be applied before this node has caught up.
  std::optional<Progress> needed;
  // The members that said to have more of it than is here, and how far they are.
  std::map<NodeId, Progress> further;

  Progress progress() const { return {stream.epoch(), stream.applied()}; }
  LagView lag(TimePoint now) const {
    LagView lag;
    const Seq applied = stream.applied();
    if (head > applied) lag.ops = head.value - applied.value;
    if (missing.since) lag.since = now - *missing.since;
    if (missing.repaired) {
      lag.last_repair = missing.repaired->how;
      lag.repaired_ago = now - missing.repaired->at;
    }
    lag.digest_mismatches = digest_mismatches;
    return lag;
  }
};

}  // namespace radixmesh
