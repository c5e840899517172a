// The streams of all others: each origin's ops in order and applied once, what is missing of them
// repaired, and what is left of its earlier lives.
//
//   ops ──offer()──► next ──► take() ──► the picture's facts
//                │   held, after a gap ◄── Repair asks; replays come as ops
//                └── of a later life: begin_life(), and offered again
//   chunks ──► Staging, out of sight ──complete──► commit(): in the place of what was known
//
// Who it is that lives a later life, or is heard again, others decide; here it is carried out.
//
// What holds at every moment
//  S1  per origin (epoch, applied) never goes down
//  S2  what is applied of an origin is exactly its ops 1..applied of that epoch, in order
//  S3  equal vectors, equal entries of each origin on every node; equal digests prove it
//
// Order and ops are in streams.cpp, snapshots in streams_snapshot.cpp, lives in streams_lives.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/oplog/applier.h"
#include "lib/oplog/donor.h"
#include "lib/oplog/head_pace.h"
#include "lib/oplog/origin.h"
#include "lib/oplog/repair.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Streams {
 public:
  Streams(const Roster& roster, Picture& picture, Donor& donor, Post& post, Outbox& out,
          HeadPace& pace, const Timers& timers);

  // ---- look-ups --------------------------------------------------------------------------------

  const Origin* find(NodeId id) const;
  const Origin& at(NodeId id) const { return origins_.at(id); }
  const std::map<NodeId, Origin>& all() const { return origins_; }
  bool lags(NodeId id) const { return repair_.lags(id); }
  // Appends how far this node is with each.
  void add_to(std::vector<VectorEntry>& vector) const;
  // What it misses of all: how many ops, and for how long.
  void add_to(TimePoint now, HeadMessage::Stand& stand) const;
  std::uint64_t applied() const { return applied_; }  // ops of this process
  // When repair_what_is_due() has something to do.
  TimePoint due() const { return repair_.next(); }

  // ---- members ---------------------------------------------------------------------------------

  void add(NodeId id);
  void remove(NodeId id);

  // ---- ops -------------------------------------------------------------------------------------

  // What an op that came is. Nothing where that ends it: it is known, of an earlier life, or there
  // is no room for what all hold; that is counted. `live`: as published, not as a replay.
  std::optional<OriginStream::Verdict> offer(const Envelope& envelope, std::string_view frame,
                                             bool live);
  // Carries out what offer() said: `next` is applied, and what was held behind it.
  void take(TimePoint now, OriginStream::Verdict verdict, const Message& message,
            std::string_view frame);
  // One that cannot be read is as good as lost, and cannot be skipped: it is asked for again, and
  // if that does not help, a snapshot goes past it.
  void on_unreadable(TimePoint now, const Envelope& envelope);
  // Someone says that this op of the present life exists.
  void note_head(TimePoint now, NodeId id, Seq head);
  // The origin itself says that it has no more than this: what was said to be above never was.
  void believe_head(TimePoint now, NodeId id, Seq head);
  // A member says how far it is with an origin. True where that is further than this node is, or a
  // wrong state here is to be replaced.
  bool note_position(NodeId member, const VectorEntry& entry);
  // Before this is applied this node has not caught up.
  void need(const VectorEntry& entry);
  void need_no_more(NodeId id) { origins_.at(id).needed.reset(); }
  bool has_all_needed() const;
  // Whether frames of this answer to a question for ops are to be offered, one by one.
  bool begin_replay(TimePoint now, NodeId from, const ReplayMessage& replay);
  // Of two that are equally far with an origin, one says that its digest of it is another.
  void compare_digest(TimePoint now, const VectorEntry& at, Digest digest, NodeId said_by);
  // Origins of which pages began to retire, since the last call.
  std::set<NodeId> take_retiring() { return std::exchange(retiring_, {}); }
  void repair_what_is_due(TimePoint now);

  // ---- snapshots -------------------------------------------------------------------------------

  // The holder of a snapshot that is complete with it and newer than what is here: once its life is
  // the present one it is committed, else refused.
  std::optional<HolderIndex> on_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk);
  void refuse_staged(TimePoint now, NodeId id, HolderIndex staged);
  // The snapshot replaces what was known of the origin.
  void commit(TimePoint now, const SnapshotChunk& chunk, HolderIndex staged);
  // What may be given to a peer: of itself, what is kept of its former life.
  std::optional<DonorState> state_for(NodeId peer, NodeId id) const;

  // ---- lives -----------------------------------------------------------------------------------

  // A later life: nothing of the earlier one is shown any more. What it had is kept for a while,
  // hidden, in case the new life goes on with it.
  void begin_life(TimePoint now, NodeId id, Epoch epoch);
  // The origin says what it goes on with. Whoever has exactly that need not be sent it again.
  void on_taken_over(TimePoint now, NodeId id, const TakenOver& taken);
  // What is still here of the life before `life`: kept apart already, or about to end.
  Former former_of(const Member& member, Epoch life) const;
  // Drops what was kept of a former life for so long; else says when that is.
  TimePoint expire_former(TimePoint now, NodeId id, Duration kept);
  // Its entries go; its epoch stays known, so that nothing of an earlier life ever counts again.
  void forget(NodeId id);
  // It is heard again.
  void remember(TimePoint now, NodeId id);

 private:
  void apply_next(TimePoint now, Origin& origin, const Message& message, std::string_view frame);
  void drain(TimePoint now, Origin& origin);
  void end_life(TimePoint now, Origin& origin);
  void drop_former(Origin& origin);
  void abandon_staging(Origin& origin);
  bool drop_if_outdated(TimePoint now, Origin& origin, const SnapshotChunk& chunk);

  const Roster& roster_;
  Picture& picture_;
  Donor& donor_;
  Post& post_;
  Outbox& out_;
  HeadPace& pace_;
  const Timers& timers_;
  Applier applier_;
  Repair repair_;
  std::map<NodeId, Origin> origins_;
  std::set<NodeId> retiring_;
  std::uint64_t applied_ = 0;
};

}  // namespace radixmesh
