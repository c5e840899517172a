// What this node gives to others that missed something: the last ops of each origin, as frames, and
// whole states, as snapshots. Who asks waits for its turn, so that no turn grows with what is
// asked.
//
//   ops as they are applied ──► OpLog ──────────┐
//   changes of entries ───────► SnapshotDonor ──┼── serve(): a part for each that waits, bounded
//   REPLAY_REQUEST, SNAPSHOT_REQUEST, credit ───┘
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>

#include "lib/members/roster.h"
#include "lib/oplog/op_log.h"
#include "lib/oplog/post.h"
#include "lib/oplog/snapshot_donor.h"

namespace radixmesh {

class Donor {
 public:
  Donor(const Roster& roster, Post& post, Outbox& out, OpLog log)
      : roster_(roster), post_(post), out_(out), log_(std::move(log)) {}

  // ---- what there is to give -------------------------------------------------------------------

  // An op was applied; see OpLog. Ours before it is published.
  void append(NodeId origin, Epoch epoch, Seq seq, Bytes frame) {
    log_.append(origin, epoch, seq, std::move(frame));
  }
  void forget_ops(NodeId origin) { log_.forget(origin); }
  // An origin's entries changed; see SnapshotDonor.
  void removed(NodeId origin, std::span<const Anchor> first_pages) {
    snapshots_.removed(origin, first_pages);
  }
  void marked(NodeId origin, std::span<const Anchor> first_pages, bool retiring) {
    snapshots_.marked(origin, first_pages, retiring);
  }
  void replaced(NodeId origin) { snapshots_.replaced(origin); }

  // ---- who asks --------------------------------------------------------------------------------

  void on_replay_request(NodeId from, const ReplayRequest& request);
  // `state`: what may be given to it of that origin; nothing where there is none.
  void on_snapshot_request(TimePoint now, NodeId from, const SnapshotRequest& request,
                           std::optional<DonorState> state);
  void on_credit(TimePoint now, NodeId from, const SnapshotCredit& credit) {
    snapshots_.credit(now, from, credit);
  }
  void expire(TimePoint now, Duration idle) { snapshots_.expire(now, idle); }

  // What may be given to a peer of an origin, by now.
  using StateOf = std::function<std::optional<DonorState>(NodeId peer, NodeId origin)>;
  // One turn: replays first, the rest of it for snapshots.
  void serve(Relation& relation, bool has_slots, const StateOf& state_of);
  bool has_work() const { return !replays_.empty() || snapshots_.has_work() || log_.gives_back(); }
  void give_back(std::size_t frames_max) { log_.give_back(frames_max); }
  std::size_t memory_bytes() const { return log_.memory_bytes(); }

 private:
  // A request for ops that waits to be answered, in parts.
  struct Replay {
    ReplayRequest request;
    std::size_t sent = 0;  // bytes
  };
  bool serve_replay(NodeId to, Replay& replay, const StateOf& state_of, std::size_t& bytes);

  const Roster& roster_;
  Post& post_;
  Outbox& out_;
  OpLog log_;
  SnapshotDonor snapshots_;
  std::map<NodeId, std::map<NodeId, Replay>> replays_;  // by who asked, then by origin
};

}  // namespace radixmesh
