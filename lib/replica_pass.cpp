// What passes between the parts of a replica: ops and HEADs, lives that begin and end.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {

// What came of a message and concerns other parts than the one that it was for.
void Replica::pass_on(TimePoint now) {
  for (NodeId id : mesh_.liveness.take_gone()) placement_.end(now, id);
  if (const auto seen = mesh_.liveness.take_outgrown()) outgrow(now, *seen, false);
  for (NodeId id : streams_.take_retiring()) gc_.references().registrations().tell_soon(id);
}

Heads::Self Replica::own_standing(TimePoint now) const {
  const Sight seen = mesh_.readiness.sight(now);
  return {ready(), gc_.engine().keeps_duplicates(), seen.sees, seen.of};
}

Placement::Self Replica::own_place() const {
  return {draining() ? "draining" : ready() ? "" : "not_ready", gc_.engine().keeps_duplicates()};
}

// ---- lives -------------------------------------------------------------------------------------

// Others say that a node lives a later life. Of one that is not heard here that is believed until
// it says otherwise itself; one that is heard is asked, and until then it lives the life that it
// told.
bool Replica::hear_of_epoch(TimePoint now, NodeId id, Epoch epoch) {
  mesh_.greetings.doubt(now, id);
  if (roster_.at(id).introduced || epoch.value > limits::epoch_told_max) {
    out_.count("unknown_epochs");
    return false;
  }
  begin_life(now, id, epoch);
  mesh_.greetings.note_hearsay(id);
  return true;
}

void Replica::begin_life(TimePoint now, NodeId id, Epoch epoch) {
  streams_.begin_life(now, id, epoch);
  gc_.begin_life(now, id);
  placement_.begin_life(now, id);
  mesh_.heads.begin_life(id);
  mesh_.greetings.begin_life(now, id);
  mesh_.liveness.begin_life(now, roster_.at(id), epoch);
}

// Others know a later life of this node than the one it lives; see OwnStream.
void Replica::outgrow(TimePoint now, Epoch seen, bool not_mine) {
  const auto next = own_.outgrow(now, seen, not_mine);
  if (!next) return;
  mesh_.liveness.begin_own_epoch(now, *next);
  gc_.outgrow(now);
}

// ---- ops ---------------------------------------------------------------------------------------

// `live`: it came as published; a replay of it proves nothing about its origin's life.
void Replica::on_op(TimePoint now, const Message& message, std::string_view frame, bool live) {
  using Verdict = OriginStream::Verdict;
  const Envelope& envelope = message.envelope;
  const NodeId id = envelope.origin;
  const Member& self = roster_.self();
  if (id == self.id) {
    const bool not_mine = envelope.epoch == self.epoch && envelope.seq > own_.head();
    if (envelope.epoch > self.epoch || not_mine) outgrow(now, envelope.epoch, not_mine);
    return;
  }
  if (!roster_.contains(id)) return out_.count("unknown_origins");
  auto verdict = streams_.offer(envelope, frame, live);
  if (verdict == Verdict::new_epoch) {
    if (!hear_of_epoch(now, id, envelope.epoch)) return;
    verdict = streams_.offer(envelope, frame, live);
  }
  if (!verdict) return;
  if (verdict != Verdict::overflow) {
    mesh_.subscriptions.relay(now, envelope, frame);
    if (live) mesh_.liveness.heard(now, id, roster_.topology() == Topology::mesh);
  }
  streams_.take(now, *verdict, message, frame);
  note_head(now, id, envelope.epoch, envelope.seq);
}

// Someone says that the origin's op `head` of this epoch exists.
void Replica::note_head(TimePoint now, NodeId id, Epoch epoch, Seq head) {
  const Origin* origin = streams_.find(id);
  if (origin == nullptr || epoch < origin->stream.epoch()) return;
  if (epoch > origin->stream.epoch() && !hear_of_epoch(now, id, epoch)) return;
  streams_.note_head(now, id, head);
}

void Replica::on_replay(TimePoint now, NodeId from, const ReplayMessage& replay) {
  if (!streams_.begin_replay(now, from, replay)) return;
  std::string_view frames = replay.frames;
  while (!frames.empty()) {
    const auto frame = take_frame(frames);
    if (!frame) return out_.count("malformed_frames");
    const auto envelope = decode_envelope(*frame);
    if (!envelope || !envelope->is_op() || envelope->origin != replay.origin) {
      return out_.count("malformed_frames");
    }
    if (const auto message = decode(*frame)) {
      on_op(now, *message, *frame, false);
    } else {
      streams_.on_unreadable(now, *envelope);
    }
  }
}

// ---- snapshots ---------------------------------------------------------------------------------

std::optional<DonorState> Replica::state_for(NodeId peer, NodeId origin) const {
  const Member& self = roster_.self();
  if (origin == self.id) return DonorState{self.epoch, own_.head(), kSelf, {}};
  return streams_.state_for(peer, origin);
}

void Replica::on_snapshot_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk) {
  const NodeId id = chunk.origin;
  if (id == roster_.self().id) return recovery_.on_chunk(now, from, chunk);
  const auto staged = streams_.on_chunk(now, from, chunk);
  if (!staged) return;
  const bool is_later = chunk.epoch > streams_.at(id).stream.epoch();
  if (is_later && !hear_of_epoch(now, id, chunk.epoch)) {
    return streams_.refuse_staged(now, id, *staged);
  }
  streams_.commit(now, chunk, *staged);
}

// ---- what members say of themselves, and of each other -----------------------------------------

void Replica::on_head(TimePoint now, const Envelope& envelope, const HeadMessage& head,
                      std::string_view frame) {
  const NodeId id = envelope.origin;
  const Member* member = roster_.find(id);
  if (member == nullptr) return out_.count("unknown_origins");
  if (roster_.is_self(*member)) {
    if (envelope.epoch > member->epoch) outgrow(now, envelope.epoch, false);
    return;
  }
  if (envelope.epoch < member->epoch) return out_.count("heads_of_stale_epoch");
  if (envelope.epoch > member->epoch && !hear_of_epoch(now, id, envelope.epoch)) return;
  if (!mesh_.heads.note(id, head)) return;
  mesh_.subscriptions.note_published(now, id);
  mesh_.subscriptions.relay(now, envelope, frame);
  if (head.taken_over) streams_.on_taken_over(now, id, *head.taken_over);
  note_head(now, id, envelope.epoch, head.head);
  // Of what only it can say, it is asked.
  const bool another_rank = head.rank != kAnyRank && head.rank != member->rank;
  if (head.refute > member->refute || another_rank) mesh_.greetings.doubt(now, id);
  roster_.at(id).engine_token = head.engine_token;
  mesh_.liveness.heard(now, id, roster_.topology() == Topology::mesh);
  placement_.note_load(now, id, head.load);
  placement_.note_head(id, head.ready, head.keeps_duplicates);
  note_vector(now, id, head.vector, false);
  streams_.compare_digest(now, {id, envelope.epoch, head.head}, head.digest, id);
  mesh_.subscriptions.take_over_if_lagging(now, id);
  on_news(now, id, head.news);
}

// What a member says it has: it may be asked for that, and it reveals what is missing here.
void Replica::note_vector(TimePoint now, NodeId from, const std::vector<VectorEntry>& vector,
                          bool is_marker) {
  const Member& self = roster_.self();
  for (const VectorEntry& entry : vector) {
    if (entry.origin == self.id) {
      // Ops that this life never published: an earlier one had the same epoch.
      const bool not_mine = entry.epoch == self.epoch && entry.applied > own_.head();
      if (entry.epoch > self.epoch || not_mine) outgrow(now, entry.epoch, not_mine);
      continue;
    }
    if (streams_.find(entry.origin) == nullptr) continue;
    if (streams_.note_position(from, entry)) {
      note_head(now, entry.origin, entry.epoch, entry.applied);
    }
    if (is_marker && !ready()) streams_.need(entry);
  }
}

void Replica::on_pulse(TimePoint now, NodeId from, const Pulse& pulse) {
  placement_.note_load(now, from, pulse.load);
  mesh_.liveness.on_standing(now, pulse.seen);
  pass_on(now);
  std::vector<VectorEntry> vector;
  for (const DigestEntry& each : pulse.digests) vector.push_back(each.at);
  note_vector(now, from, vector, false);
  for (const DigestEntry& each : pulse.digests) {
    streams_.compare_digest(now, each.at, each.digest, from);
  }
  on_news(now, from, pulse.news);
  if (roster_.contains(from)) mesh_.membership.exchange_views(now, from, pulse.view_hash);
}

}  // namespace radixmesh
