#include "lib/oplog/streams.h"

#include <algorithm>
#include <string>

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/oplog/codec.h"

namespace radixmesh {

Streams::Streams(const Roster& roster, Picture& picture, Donor& donor, Post& post, Outbox& out,
                 HeadPace& pace, const Timers& timers)
    : roster_(roster),
      picture_(picture),
      donor_(donor),
      post_(post),
      out_(out),
      pace_(pace),
      timers_(timers),
      applier_(picture, donor, out),
      repair_(roster, post, out, timers, picture.has_remote_slots()) {}

// ---- look-ups ----------------------------------------------------------------------------------

const Origin* Streams::find(NodeId id) const {
  const auto found = origins_.find(id);
  return found == origins_.end() ? nullptr : &found->second;
}

void Streams::add_to(std::vector<VectorEntry>& vector) const {
  for (const auto& [id, origin] : origins_) {
    if (origin.stream.epoch().value == 0 || origin.forgotten) continue;
    vector.push_back({id, origin.stream.epoch(), origin.stream.applied()});
  }
}

void Streams::add_to(TimePoint now, HeadMessage::Stand& stand) const {
  for (NodeId id : repair_.lagging()) {
    const Origin& origin = origins_.at(id);
    if (origin.head > origin.stream.applied()) {
      stand.behind_ops += origin.head.value - origin.stream.applied().value;
    }
    if (const auto& since = origin.missing.since) {
      stand.behind = std::max(stand.behind, now - *since);
    }
  }
  stand.behind_ops = std::min(stand.behind_ops, limits::count_max);
}

// ---- members -----------------------------------------------------------------------------------

void Streams::add(NodeId id) {
  Origin& origin = origins_[id];
  origin.id = id;
  origin.holder = picture_.add(id);
}

void Streams::remove(NodeId id) {
  Origin& origin = origins_.at(id);
  abandon_staging(origin);
  drop_former(origin);
  donor_.replaced(id);
  donor_.forget_ops(id);
  picture_.drop(origin.holder);
  origins_.erase(id);
  repair_.forget(id);
  for (auto& [other, each] : origins_) each.further.erase(id);
}

// ---- ops ---------------------------------------------------------------------------------------

std::optional<OriginStream::Verdict> Streams::offer(const Envelope& envelope,
                                                    std::string_view frame, bool live) {
  using Verdict = OriginStream::Verdict;
  Origin& origin = origins_.at(envelope.origin);
  const bool is_after_gap = envelope.epoch == origin.stream.epoch() &&
                            envelope.seq.value > origin.stream.applied().value + 1;
  if (is_after_gap) {
    std::size_t held = 0;
    for (const auto& [id, each] : origins_) held += each.stream.held_bytes();
    if (held + frame.size() > limits::pending_all_bytes_max) {
      out_.count("ops_dropped_after_gap");
      return std::nullopt;
    }
  }
  const Verdict verdict = origin.stream.offer(envelope.epoch, envelope.seq, frame);
  // Passed on once: where each copy of it were, the copies would be copied.
  const bool was_refused = live && verdict == Verdict::next && origin.refused == envelope.seq;
  if (verdict == Verdict::duplicate || was_refused) {
    out_.count("ops_duplicate");
    return std::nullopt;
  }
  if (verdict == Verdict::stale_epoch) {
    out_.count("ops_of_stale_epoch");
    return std::nullopt;
  }
  return verdict;
}

void Streams::take(TimePoint now, OriginStream::Verdict verdict, const Message& message,
                   std::string_view frame) {
  Origin& origin = origins_.at(message.envelope.origin);
  switch (verdict) {
    case OriginStream::Verdict::next:
      apply_next(now, origin, message, frame);
      return drain(now, origin);
    case OriginStream::Verdict::held:
      return out_.count("ops_held");
    case OriginStream::Verdict::overflow:
      return out_.count("ops_dropped_after_gap");
    case OriginStream::Verdict::duplicate:
    case OriginStream::Verdict::stale_epoch:
    case OriginStream::Verdict::new_epoch:
      CHECK_THAT(false, message.envelope.seq.value);  // offer() tells of none of these here
  }
}

void Streams::on_unreadable(TimePoint now, const Envelope& envelope) {
  out_.count("ops_unreadable");
  const auto found = origins_.find(envelope.origin);
  if (found == origins_.end()) return;
  Origin& origin = found->second;
  const Progress next{origin.stream.epoch(), Seq{origin.stream.applied().value + 1}};
  if (Progress{envelope.epoch, envelope.seq} != next) return;
  note_head(now, origin.id, envelope.seq);
  if (++origin.missing.failures < 2) return;
  repair_.want_snapshot(now, origin, "unreadable_op", true);
}

void Streams::apply_next(TimePoint now, Origin& origin, const Message& message,
                         std::string_view frame) {
  const Envelope& envelope = message.envelope;
  const auto tokens = applier_.apply(origin, message);
  if (!tokens) {
    out_.count("ops_refused");
    origin.refused = envelope.seq;
    return repair_.want_snapshot(now, origin, "op_does_not_fit", true);
  }
  out_.owe(OpApplied{roster_.at(origin.id).addr, envelope.epoch, envelope.seq,
                     static_cast<MessageType>(envelope.type), *tokens});
  if (std::holds_alternative<GcQueryOp>(message.body)) retiring_.insert(origin.id);
  origin.stream.applied_one();
  // The first op of a life that began empty: what was before is gone for good.
  if (origin.former && envelope.seq.value == 1) drop_former(origin);
  // What could not be had or applied is applied now; only a wrong state still needs replacing.
  if (!origin.missing.replaces_all) origin.missing.wants_snapshot = false;
  donor_.append(origin.id, envelope.epoch, envelope.seq, Bytes(frame));
  repair_.progressed(now, origin);
  origin.missing.failures = 0;
  ++applied_;
  // In a large mesh someone always publishes: were that news of everybody, N HEADs of N entries
  // would go to N nodes ten times a second. What an origin publishes still tells of its own head.
  if (roster_.size() <= limits::mesh_members_max) pace_.changed();
}

// Applies what was held, as far as it goes without a gap.
void Streams::drain(TimePoint now, Origin& origin) {
  while (const std::optional<Bytes> frame = origin.stream.take_next()) {
    const auto message = decode(*frame);
    CHECK_THAT(message.has_value());  // it was decoded before it was held
    const Seq before = origin.stream.applied();
    apply_next(now, origin, *message, *frame);
    if (origin.stream.applied() == before) return;
  }
}

void Streams::note_head(TimePoint now, NodeId id, Seq head) {
  Origin& origin = origins_.at(id);
  if (origin.forgotten) return;
  origin.head = std::max(origin.head, head);
  repair_.update(now, origin);
}

void Streams::believe_head(TimePoint now, NodeId id, Seq head) {
  Origin& origin = origins_.at(id);
  const Seq applied = origin.stream.applied();
  origin.head = std::max(head, applied);
  // Nor is there a snapshot of more than is here.
  const bool has_all = head <= applied && !origin.had_ops;
  Missing& missing = origin.missing;
  if (has_all && !missing.replaces_all && !missing.staging) missing.wants_snapshot = false;
  if (origin.needed && std::get<Seq>(*origin.needed) > origin.head) origin.needed.reset();
  repair_.update(now, origin);
}

bool Streams::note_position(NodeId member, const VectorEntry& entry) {
  Origin& origin = origins_.at(entry.origin);
  const Progress said{entry.epoch, entry.applied};
  // What is here already makes nobody a donor, unless a wrong state is to be replaced.
  if (said > origin.progress() || origin.missing.wants_snapshot) {
    origin.further[member] = said;
    return true;
  }
  origin.further.erase(member);
  return false;
}

void Streams::need(const VectorEntry& entry) {
  std::optional<Progress>& needed = origins_.at(entry.origin).needed;
  needed = std::max(needed.value_or(Progress{}), Progress{entry.epoch, entry.applied});
}

bool Streams::has_all_needed() const {
  return std::ranges::all_of(origins_, [](const auto& each) {
    const Origin& origin = each.second;
    return !origin.needed || origin.forgotten || origin.progress() >= *origin.needed;
  });
}

// The origin itself has the truth; where it is gone, the one of the lower rank is believed.
void Streams::compare_digest(TimePoint now, const VectorEntry& at, Digest digest, NodeId said_by) {
  const auto found = origins_.find(at.origin);
  if (found == origins_.end()) return;
  Origin& origin = found->second;
  Missing& missing = origin.missing;
  if (origin.forgotten || missing.staging) return;
  if (origin.progress() != Progress{at.epoch, at.applied}) return;
  const Digest here = picture_.relation().digest(origin.holder);
  if (here == digest) {
    // By the origin's own word nothing is wrong here, whoever said so.
    if (said_by != origin.id || !missing.replaces_all) return;
    missing.replaces_all = missing.wants_snapshot = false;
    return repair_.update(now, origin);
  }
  // Asked for above what is here, nobody has one: it must be one that replaces all.
  if (missing.wants_snapshot && missing.replaces_all) return;
  const Member& member = roster_.at(origin.id);
  const Member& speaker = roster_.at(said_by);
  ++origin.digest_mismatches;
  out_.count("digest_mismatches");
  out_.log(LogLine::Level::error, "digest_mismatch",
           "node=" + member.addr + " seq=" + std::to_string(at.applied.value) + " here=" +
               digest_hex(here) + " there=" + digest_hex(digest) + " said_by=" + speaker.addr);
  if (member.state > MemberState::suspect && speaker.rank > roster_.self().rank) return;
  missing.replaces_all = true;
  repair_.want_snapshot(now, origin, "digest_mismatch", true);
}

// ---- repair ------------------------------------------------------------------------------------

void Streams::repair_what_is_due(TimePoint now) {
  if (now < repair_.next()) return;
  for (NodeId id : repair_.begin_look()) {
    Origin& origin = origins_.at(id);
    if (const auto& staging = origin.missing.staging) {
      if (now - staging->heard() < timers_.snapshot_silence) {
        repair_.look_at(origin);
        continue;
      }
      out_.count("snapshots_given_up");
      abandon_staging(origin);
      drain(now, origin);
    }
    repair_.update(now, origin);
    if (origin.missing.timer.due() <= now) repair_.ask(now, origin);
    repair_.look_at(origin);
  }
}

bool Streams::begin_replay(TimePoint now, NodeId from, const ReplayMessage& replay) {
  const auto found = origins_.find(replay.origin);
  if (found == origins_.end() || !repair_.lags(replay.origin) ||
      replay.epoch != found->second.stream.epoch()) {
    out_.count("replays_unwanted");
    return false;
  }
  Origin& origin = found->second;
  if (replay.status == ReplayStatus::snapshot_needed) {
    repair_.want_snapshot(now, origin, "replay_does_not_reach", false);
    repair_.progressed(now, origin);
    return false;
  }
  if (replay.status == ReplayStatus::unknown && from == replay.origin) {
    believe_head(now, from, origin.stream.applied());
    return false;
  }
  if (!replay.frames.empty()) origin.missing.repaired = Missing::Note{now, "replay"};
  return true;
}

}  // namespace radixmesh
