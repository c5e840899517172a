// Ops of others: in order, applied once, passed on once.
#include <xxhash.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {

void Replica::on_op(TimePoint now, const Message& message, std::string_view frame, bool live) {
  const Envelope& envelope = message.envelope;
  if (envelope.origin == self_->id) {
    const bool not_mine = envelope.epoch == self_->epoch && envelope.seq > head_;
    if (envelope.epoch > self_->epoch || not_mine) outgrow_epoch(now, envelope.epoch, not_mine);
    return;
  }
  Origin* origin = find_origin(envelope.origin);
  if (origin == nullptr) {
    out_.count("unknown_origins");
    return;
  }
  if (envelope.epoch == origin->stream.epoch() &&
      envelope.seq.value > origin->stream.applied().value + 1 &&
      held_bytes() + frame.size() > limits::pending_all_bytes_max) {
    return out_.count("ops_dropped_after_gap");
  }
  auto verdict = origin->stream.offer(envelope.epoch, envelope.seq, frame);
  if (verdict == OriginStream::Verdict::new_epoch) {
    if (!hear_of_epoch(now, *find_member(envelope.origin), envelope.epoch)) return;
    verdict = origin->stream.offer(envelope.epoch, envelope.seq, frame);
  }
  // Passed on once: where each copy of it were, the copies would be copied.
  if (live && verdict == OriginStream::Verdict::next && origin->refused == envelope.seq) {
    return out_.count("ops_duplicate");
  }
  const bool directly = effective(settings_.topology, view_.members) == Topology::mesh;
  switch (verdict) {
    case OriginStream::Verdict::next:
      relay(now, envelope, frame);
      if (live) heard_from(now, *find_member(envelope.origin), directly);
      apply_next(now, envelope.origin, *origin, message, frame);
      drain(now, envelope.origin, *origin);
      break;
    case OriginStream::Verdict::held:
      relay(now, envelope, frame);
      if (live) heard_from(now, *find_member(envelope.origin), directly);
      out_.count("ops_held");
      break;
    case OriginStream::Verdict::overflow:
      out_.count("ops_dropped_after_gap");
      break;
    case OriginStream::Verdict::duplicate:
      out_.count("ops_duplicate");
      return;
    case OriginStream::Verdict::stale_epoch:
      out_.count("ops_of_stale_epoch");
      return;
    case OriginStream::Verdict::new_epoch:
      return;  // hear_of_epoch() has made it the present one
  }
  note_head(now, envelope.origin, envelope.epoch, envelope.seq);
}

// Of all origins, after gaps.
std::size_t Replica::held_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, origin] : origins_) bytes += origin.stream.held_bytes();
  return bytes;
}

// An op that cannot be read is as good as lost, and cannot be skipped: it is asked for again, and
// if that does not help, a snapshot goes past it.
void Replica::on_unreadable_op(TimePoint now, const Envelope& envelope) {
  out_.count("ops_unreadable");
  Origin* origin = find_origin(envelope.origin);
  if (origin == nullptr || envelope.epoch != origin->stream.epoch()) return;
  if (envelope.seq.value != origin->stream.applied().value + 1) return;
  note_head(now, envelope.origin, envelope.epoch, envelope.seq);
  if (++origin->failures >= 2) want_snapshot(now, envelope.origin, *origin, "unreadable_op", true);
}

// Others say that a node lives a later life. Of one that is not heard here that is believed until
// it says otherwise itself; one that is heard is asked, and until then it lives the life that it
// told.
bool Replica::hear_of_epoch(TimePoint now, Member& member, Epoch epoch) {
  doubt(now, member);
  if (member.introduced || epoch.value > limits::epoch_told_max) {
    out_.count("unknown_epochs");
    return false;
  }
  begin_epoch(now, member.id, epoch);
  member.epoch_is_hearsay = true;
  member.fresh_question = member.questions + 1;
  return true;
}

// A later life of a node: nothing of the earlier one is shown any more. What it had is kept for a
// while, hidden, in case the new life goes on with it.
void Replica::begin_epoch(TimePoint now, NodeId id, Epoch epoch) {
  Origin& origin = origins_.at(id);
  Member& member = *find_member(id);
  const bool known = member.epoch.value != 0;
  abandon_staging(origin);
  donor_.replaced(id);
  op_log_.forget(id);
  end_life(now, id, origin);
  origin.stream.begin_epoch(epoch);
  origin.stream.pause(false);
  origin.head = origin.refused = {};
  origin.wants_snapshot = origin.replaces_all = origin.degraded = origin.had_ops = false;
  origin.failures = 0;
  note_former_lease(now, member, member.lease);
  member.lease = Duration{0};
  member.epoch = epoch;
  member.epoch_is_hearsay = false;
  member.refute = 0;
  member.last_beat = 0;
  member.introduced = false;
  member.next_hello = now;
  member.hellos = 0;
  member.load.reset();
  member.ready = false;
  member.keeps_duplicates = false;
  member.pull_rate = 0;
  router_.forget(now, id);
  reader_began_anew(id);
  forget_rounds_of(id);
  registrations_.drop(id);
  member.vector.clear();
  member.accusers.clear();
  // Who left may come back in a new life.
  if (member.state == MemberState::left) {
    member.state = MemberState::dead;
    member.state_since = now;
  }
  view_changed();
  look_by(now);
  update_repair(now, id, origin);
  if (known) {
    out_.count("epochs_begun");
    member.restart_told = member.state != MemberState::alive;
    out_.log(LogLine::Level::info, "node_restarted",
             "node=" + member.addr + " epoch=" + std::to_string(epoch.value));
  }
}

void Replica::apply_next(TimePoint now, NodeId id, Origin& origin, const Message& message,
                         std::string_view frame) {
  if (!apply(id, origin, message)) {
    out_.count("ops_refused");
    origin.refused = message.envelope.seq;
    want_snapshot(now, id, origin, "op_does_not_fit", true);
    return;
  }
  origin.stream.applied_one();
  // The first op of a life that began empty: what was before is gone for good.
  if (origin.former && message.envelope.seq.value == 1) drop_former(origin);
  // What could not be had or applied is applied now; only a wrong state still needs replacing.
  if (!origin.replaces_all) origin.wants_snapshot = false;
  op_log_.append(id, message.envelope.epoch, message.envelope.seq, Bytes(frame));
  origin.repair.progressed(now, repair_pace());
  look_at_repair_of(origin);
  origin.failures = 0;
  ++ops_applied_;
  // In a large mesh someone always publishes: were that news of everybody, N HEADs of N entries
  // would go to N nodes ten times a second. What an origin publishes still tells of its own head.
  if (members_.size() <= limits::mesh_members_max) dirty_ = true;
}

// Applies what was held, as far as it goes without a gap.
void Replica::drain(TimePoint now, NodeId id, Origin& origin) {
  while (const std::optional<Bytes> frame = origin.stream.take_next()) {
    const auto message = decode(*frame);
    CHECK_THAT(message.has_value());  // it was decoded before it was held
    const Seq before = origin.stream.applied();
    apply_next(now, id, origin, *message, *frame);
    if (origin.stream.applied() == before) return;
  }
}

// False if the op does not fit the origin's entries; then nothing has changed.
bool Replica::apply(NodeId id, Origin& origin, const Message& message) {
  std::uint64_t tokens = 0;
  const Seq seq = message.envelope.seq;
  if (const auto* insert = std::get_if<InsertOp>(&message.body)) {
    if (!has_room(origin.holder, insert->tokens.size())) return false;
    const auto added = relation_->store(
        origin.holder, Insertion{seq, insert->anchor, insert->name, insert->tokens, insert->slots});
    if (!added) return false;
    if (*added < insert->tokens.size()) donor_.replaced(id);  // slots of sent entries may be others
    tokens = *added;
  } else if (const auto* removal = std::get_if<DeleteOp>(&message.body)) {
    for (const Anchor& first : removal->first_pages) {
      if (!relation_->has(origin.holder, first)) return false;
    }
    // All were there; one that is gone when its turn comes lay below one before it.
    for (const Anchor& first : removal->first_pages) {
      tokens += relation_->remove(origin.holder, first).value_or(0);
    }
    donor_.removed(id, removal->first_pages);
  } else if (const auto* query = std::get_if<GcQueryOp>(&message.body)) {
    const auto marked = mark_pages(id, origin.holder, query->first_pages, true);
    if (!marked) return false;
    tokens = *marked;
    registrations_.tell_soon(id);  // which of them this node refers to
  } else if (const auto* abort = std::get_if<GcAbortOp>(&message.body)) {
    const auto marked = mark_pages(id, origin.holder, abort->first_pages, false);
    if (!marked) return false;
    tokens = *marked;
  } else {
    tokens = relation_->tokens_of(origin.holder);
    hold_nothing(id, origin);
    donor_.replaced(id);
  }
  out_.owe(OpApplied{find_member(id)->addr, message.envelope.epoch, seq,
                     static_cast<MessageType>(message.envelope.type), tokens});
  return true;
}

// What the origin held goes by and by, and answers do not know of it any more.
void Replica::hold_nothing(NodeId id, Origin& origin) {
  if (relation_->tokens_of(origin.holder) == 0) return;
  holders_.erase(origin.holder);
  relation_->drop_holder(origin.holder);
  origin.holder = relation_->add_holder();
  holders_.emplace(origin.holder, id);
}

// Whether so many tokens more may be kept of a holder.
bool Replica::has_room(HolderIndex holder, std::size_t tokens) {
  const bool fits = relation_->tokens_of(holder) + tokens <= limits::holder_tokens_max &&
                    relation_->stored_token_count() + tokens <= limits::tree_tokens_max;
  if (!fits) out_.count("tokens_past_bounds");
  return fits;
}

// Pages of a holder begin to retire, or no longer do. Nothing, and nothing has changed, if one of
// them is not there. Returns how many tokens that concerns.
std::optional<std::uint64_t> Replica::mark_pages(NodeId id, HolderIndex holder,
                                                 std::span<const Anchor> firsts, bool retiring) {
  for (const Anchor& first : firsts) {
    if (!relation_->has(holder, first)) return std::nullopt;
  }
  std::uint64_t tokens = 0;
  for (const Anchor& first : firsts) tokens += *relation_->set_retiring(holder, first, retiring);
  donor_.marked(id, firsts, retiring);
  return tokens;
}

// Only what is accepted for the first time comes here, so no arrangement of links can loop.
void Replica::relay(TimePoint now, const Envelope& envelope, std::string_view frame) {
  const bool stands_in = origins_.at(envelope.origin).takeover_until > now;
  if (!stands_in && !relays(settings_.topology, view_, self_->id, envelope.origin)) return;
  if (envelope.ttl <= 1) {
    out_.count("ttl_expired");
    return;
  }
  const bool into_group = effective(settings_.topology, view_.members) == Topology::groups;
  const Lane lane = into_group ? Lane::relayed : envelope.is_op() ? Lane::ops : Lane::control;
  const bool counts = counts_hop(view_.members, self_->rank);
  const auto ttl = static_cast<std::uint8_t>(envelope.ttl - (counts ? 1 : 0));
  out_.count("frames_relayed");
  out_.owe(Publish{lane, with_ttl(frame, ttl), group_of(view_, self_->id)});
}

// Someone says that the origin's op `head` of this epoch exists.
void Replica::note_head(TimePoint now, NodeId id, Epoch epoch, Seq head) {
  Origin* origin = find_origin(id);
  if (origin == nullptr || epoch < origin->stream.epoch()) return;
  if (epoch > origin->stream.epoch() && !hear_of_epoch(now, *find_member(id), epoch)) return;
  if (origin->forgotten) return;
  origin->head = std::max(origin->head, head);
  update_repair(now, id, *origin);
}

// The origin itself says that it has no more than this: what was said to be above never was.
void Replica::believe_head(TimePoint now, NodeId id, Seq head) {
  Origin& origin = origins_.at(id);
  origin.head = std::max(head, origin.stream.applied());
  // Nor is there a snapshot of more than is here.
  const bool has_all = head <= origin.stream.applied() && !origin.had_ops;
  if (has_all && !origin.replaces_all && !origin.staging) origin.wants_snapshot = false;
  const auto needed = barrier_.find(id);
  if (needed != barrier_.end() && needed->second.applied > origin.head) barrier_.erase(needed);
  update_repair(now, id, origin);
}

// Others know a later life of this node than the one it lives: its clock went back, or a process
// with the same address ran. It goes on under a higher epoch, with the same entries and numbers:
// whoever has all of the old one goes on with that, the others take a snapshot. Not just one
// higher: an earlier life may have outgrown the same epoch, and some know that one.
void Replica::outgrow_epoch(TimePoint now, Epoch seen, bool not_mine) {
  const bool is_above_all = seen > self_->epoch && epoch_is_last(seen);
  if (is_above_all || self_->epoch.value + 2 * limits::epoch_step_max > limits::epoch_max) {
    return out_.count("unknown_epochs");
  }
  // Each is a snapshot for everybody: whoever goes on saying so does not drive it.
  if (last_step_ < next_outgrowing_) return out_.count("epochs_not_outgrown");
  next_outgrowing_ = last_step_ + settings_.timers.head_idle;
  const std::uint64_t own = settings_.seed;
  const std::uint64_t step = 1 + XXH3_64bits(&own, sizeof own) % limits::epoch_step_max;
  const Epoch next{std::max(seen, self_->epoch).value + step};
  const Epoch old = std::exchange(self_->epoch, next);
  // Of an epoch that two lives had nobody has just this one's: all take a snapshot.
  const Seq kept = not_mine ? Seq{limits::count_max} : head_;
  if (taken_over_ || head_.value > 0) taken_over_ = TakenOver{old, kept};
  self_->refute = 0;
  view_changed();
  out_.count("epochs_outgrown");
  out_.log(LogLine::Level::warning, "epoch_outgrown",
           "seen=" + std::to_string(seen.value) + " epoch=" + std::to_string(self_->epoch.value));
  op_log_.forget(self_->id);
  donor_.replaced(self_->id);
  registrations_.drop_all();
  // The better holders let go of what they kept for the life that was.
  if (collection_.round) end_round(now);
  for (auto& [id, member] : members_) {
    if (id == self_->id) continue;
    member.introduced = false;
    member.next_hello = now;
    member.hellos = 0;
  }
  look_by(now);
  dirty_ = true;
}

}  // namespace radixmesh
