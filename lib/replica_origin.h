// What a replica keeps of one origin, another node whose ops it applies; of its own state on its
// way back; and of who waits for a replay.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/time.h"
#include "lib/mesh/repair_timer.h"
#include "lib/oplog/message.h"
#include "lib/oplog/origin_stream.h"
#include "lib/replica_answers.h"
#include "lib/replica_view.h"
#include "lib/tree/holder_set.h"

namespace radixmesh {

// The entries of one origin while its snapshot comes in: a holder that no answer shows yet.
struct SnapshotStaging {
  NodeId donor;
  std::uint64_t session = 0;
  Epoch epoch;
  std::uint32_t chunks = 0;  // received
  std::optional<HolderIndex> holder;
  TimePoint heard;
  Seq as_of{}, last_entry{};  // of what was received; neither goes down
};
// What is kept of an origin's life that ended, hidden: the next one may go on with it.
struct FormerLife {
  Epoch epoch;
  Seq applied;
  HolderIndex holder;
  std::string engine_token;
  TimePoint since;
};
// This node's own former state, on its way back. Before a donor is asked, `staging` is empty.
struct OwnRecovery {
  TimePoint deadline;  // to find a donor
  std::optional<SnapshotStaging> staging;
  TimePoint ask_again;  // the donor, if nothing of it came
  std::set<NodeId> declined;
  KnownState known;
  // All of it is here, as of its end, and becomes this node's own piece by piece; the next one.
  std::optional<Seq> next;
  Seq as_of;
  std::vector<Anchor> retiring;  // the first pages of what retired in it

  // Whoever has it is found only in a mesh.
  TimePoint due(bool joined, Duration join_wait) const {
    return deadline + (joined ? Duration{0} : join_wait);
  }
  void expect(TimePoint until) { deadline = std::max(deadline, until); }
};
// A request for ops that waits to be answered, in parts.
struct ReplayUnderWay {
  ReplayRequest request;
  std::size_t sent = 0;  // bytes
};
// Where the last page of a holder's entries ended: who asks for the next one begins there.
struct EntriesPageEnd {
  HolderIndex holder{};
  std::size_t skip = 0;
  Seq next{1};
};
// What is told of how an origin was repaired.
struct RepairNote {
  TimePoint at;
  std::string_view how;  // "replay" or "snapshot"
};
// One origin's stream and what it takes to keep it whole. This node's own is not among them.
struct OriginState {
  OriginStream stream;
  HolderIndex holder;
  Seq head;     // the highest op that anyone said exists in this epoch
  Seq refused;  // the op that came last and does not fit; 0: none did
  RepairTimer repair;
  bool wants_snapshot =
      false;                   // ops alone will not do: one could not be applied, or digests differ
  bool replaces_all = false;   // ... and a snapshot as old as what is here is welcome
  std::uint32_t failures = 0;  // in a row, of what was supposed to help
  bool degraded = false;
  bool forgotten = false;  // dead or left for long: nothing is kept of it, and nothing repaired
  bool had_ops = false;    // ... and something was, of its present epoch
  std::optional<SnapshotStaging> staging;
  std::optional<FormerLife> former;
  std::optional<TimePoint> behind_since;
  std::optional<RepairNote> repaired;
  std::uint64_t digest_mismatches = 0;
  std::uint32_t asked_in_a_row = 0;  // for repair, one soon after the other
  TimePoint last_asked{};
  TimePoint takeover_until = TimePoint::min();  // this standby passes it on

  LagView lag(TimePoint now) const {
    LagView lag;
    const Seq applied = stream.applied();
    if (head > applied) lag.ops = head.value - applied.value;
    if (behind_since) lag.since = now - *behind_since;
    if (repaired) {
      lag.last_repair = repaired->how;
      lag.repaired_ago = now - repaired->at;
    }
    lag.digest_mismatches = digest_mismatches;
    return lag;
  }
};

}  // namespace radixmesh
