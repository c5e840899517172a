// Repair: what was missed is asked for, as ops where someone still has them, else as a snapshot.
#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// A node that has nothing of an origin with a longer history than this asks for a snapshot at once:
// its entries are fewer than its ops.
constexpr std::uint64_t kReplayFromStartOpsMax = 1000;
// Failures in a row after which an origin is called degraded, loudly.
constexpr std::uint32_t kDegradedAfter = 6;

}  // namespace

// Arms or disarms the origin's repair by what is missing now.
void Replica::update_repair(TimePoint now, NodeId id, Origin& origin) {
  const bool missing =
      origin.wants_snapshot || origin.staging || origin.head > origin.stream.applied();
  if (!missing) {
    origin.repair.disarm();
    lagging_.erase(id);
    return;
  }
  lagging_.insert(id);
  origin.repair.arm(now, repair_pace());
}

RepairTimer::Pace Replica::repair_pace() const {
  const Timers& timers = settings_.timers;
  return {timers.repair_grace, timers.repair_pause_min, timers.repair_pause_max};
}

void Replica::repair_what_is_due(TimePoint now) {
  const std::vector<NodeId> lagging(lagging_.begin(), lagging_.end());
  for (NodeId id : lagging) {
    Origin& origin = origins_.at(id);
    if (origin.staging) {
      if (now - origin.staging->heard < settings_.timers.snapshot_silence) continue;
      count("snapshots_given_up");
      abandon_staging(origin);
      drain(now, id, origin);
    }
    update_repair(now, id, origin);
    if (origin.repair.due() <= now) ask_for_repair(now, id, origin);
  }
  donor_.expire(now, settings_.timers.donor_idle);
}

// Whom to ask, best first: the origin itself, then those that said they have more than we do. Those
// that keep slots come before routers, which have none to give.
std::vector<NodeId> Replica::donors_for(NodeId id, const Origin& origin) const {
  std::vector<NodeId> donors;
  const auto have = std::tuple(origin.stream.epoch(), origin.stream.applied());
  for (NodeId peer : by_rank_) {
    const Member& member = members_.at(peer);
    if (peer == self_->id || member.state != MemberState::alive || !member.introduced) continue;
    auto known = member.vector.find(id);
    const bool has_more =
        known != member.vector.end() &&
        (std::tuple(known->second.epoch, known->second.applied) > have ||
         (origin.wants_snapshot && std::tuple(known->second.epoch, known->second.applied) == have));
    if (peer == id || has_more) donors.push_back(peer);
  }
  std::ranges::stable_sort(donors, {}, [&](NodeId peer) {
    return std::tuple(peer != id, members_.at(peer).role == Role::router);
  });
  return donors;
}

void Replica::ask_for_repair(TimePoint now, NodeId id, Origin& origin) {
  const std::vector<NodeId> donors = donors_for(id, origin);
  const std::uint32_t attempt = origin.repair.attempts();
  origin.repair.asked(now, repair_pace());
  if (donors.empty()) return;
  const NodeId donor = donors[attempt % donors.size()];
  const Epoch epoch = origin.stream.epoch();
  const Seq applied = origin.stream.applied();
  if (!origin.wants_snapshot &&
      (applied.value > 0 || origin.head.value <= kReplayFromStartOpsMax)) {
    // Up to what is held already, or to the end.
    count("replays_asked");
    ask(donor, Channel::bulk,
        ReplayRequest{id, epoch, Seq{applied.value + 1}, std::max(origin.head, applied)});
    return;
  }
  count("snapshots_asked");
  origin.staging = Staging{donor, next_session_++, {}, 0, std::nullopt, now};
  origin.stream.pause(origin.replaces_all);
  const Seq known = origin.replaces_all ? Seq{} : applied;
  ask(donor, Channel::bulk,
      SnapshotRequest{id, epoch, known, origin.staging->session,
                      cache_ != nullptr && settings_.keep_remote_slots});
}

void Replica::want_snapshot(TimePoint now, NodeId id, Origin& origin, std::string_view why) {
  ++origin.failures;
  if (origin.failures >= kDegradedAfter && !origin.degraded) {
    origin.degraded = true;
    count("origins_degraded");
    log(LogLine::Level::error, "origin_degraded", "node=" + find_member(id)->addr);
  }
  if (!origin.wants_snapshot) {
    origin.wants_snapshot = true;
    log(LogLine::Level::warning, "snapshot_wanted",
        "node=" + find_member(id)->addr + " why=" + std::string(why));
  }
  update_repair(now, id, origin);
}

// ---- replay ------------------------------------------------------------------------------------

void Replica::on_replay_request(NodeId from, const ReplayRequest& request) {
  ReplayMessage reply{request.origin, request.epoch, ReplayStatus::frames, {}};
  const std::optional<DonorState> state = donor_state(request.origin);
  if (!state || state->epoch != request.epoch || state->applied < request.first) {
    reply.status = ReplayStatus::unknown;
    answer(from, Channel::bulk, std::move(reply));
    return;
  }
  std::size_t sent = 0;
  const Seq last = std::min(request.last, state->applied);
  for (Seq seq = request.first; seq <= last; ++seq.value) {
    const Bytes* frame = op_log_.find(request.origin, request.epoch, seq);
    if (frame == nullptr ||
        frame->size() + limits::replay_overhead_bytes_max > limits::frame_bytes_max) {
      if (seq == request.first) reply.status = ReplayStatus::snapshot_needed;
      break;
    }
    if (!reply.frames.empty() &&
        reply.frames.size() + frame->size() > limits::insert_payload_bytes_max) {
      sent += reply.frames.size();
      answer(from, Channel::bulk, std::exchange(reply, {request.origin, request.epoch, {}, {}}));
      if (sent >= limits::replay_bytes_max) return;
    }
    reply.frames.append(*frame);
  }
  count("replays_served");
  answer(from, Channel::bulk, std::move(reply));
}

void Replica::on_replay(TimePoint now, NodeId, const ReplayMessage& replay) {
  Origin* origin = find_origin(replay.origin);
  if (origin == nullptr || !lagging_.contains(replay.origin) ||
      replay.epoch != origin->stream.epoch()) {
    count("replays_unwanted");
    return;
  }
  if (replay.status == ReplayStatus::snapshot_needed) {
    want_snapshot(now, replay.origin, *origin, "replay_does_not_reach");
    origin->repair.progressed(now, repair_pace());
    return;
  }
  std::string_view frames = replay.frames;
  while (!frames.empty()) {
    const auto frame = take_frame(frames);
    if (!frame) return count("malformed_frames");
    const auto envelope = decode_envelope(*frame);
    if (!envelope || !envelope->is_op() || envelope->origin != replay.origin) {
      return count("malformed_frames");
    }
    if (const auto message = decode(*frame)) {
      on_op(now, *message, *frame, false);
    } else {
      on_unreadable_op(now, *envelope);
    }
  }
}

// ---- snapshots ---------------------------------------------------------------------------------

std::optional<DonorState> Replica::donor_state(NodeId id) const {
  if (id == self_->id) return DonorState{self_->epoch, head_, kSelf};
  auto found = origins_.find(id);
  if (found == origins_.end() || found->second.stream.epoch().value == 0) return std::nullopt;
  const Origin& origin = found->second;
  if (origin.replaces_all) return std::nullopt;  // what is here may be wrong
  return DonorState{origin.stream.epoch(), origin.stream.applied(), origin.holder};
}

void Replica::on_snapshot_request(TimePoint now, NodeId from, const SnapshotRequest& request) {
  const std::optional<DonorState> state = donor_state(request.origin);
  const bool newer = state && std::tuple(state->epoch, state->applied) >
                                  std::tuple(request.epoch, request.applied);
  if (newer && donor_.open(now, from, request, state->epoch)) {
    count("snapshots_served");
    return;
  }
  SnapshotChunk none;
  none.origin = request.origin;
  none.epoch = state ? state->epoch : Epoch{};
  none.session = request.session;
  none.status = SnapshotStatus::cannot;
  answer(from, Channel::bulk, std::move(none));
}

void Replica::serve_snapshots() {
  std::size_t bytes = 0;
  while (bytes < limits::bulk_bytes_per_step_max) {
    auto next = donor_.next(*relation_, cache_ != nullptr && settings_.keep_remote_slots,
                            [this](NodeId id) { return donor_state(id); });
    if (!next) return;
    Bytes frame = encode(control(std::move(next->chunk)));
    bytes += frame.size();
    effects_.push_back(Answer{next->peer, Channel::bulk, std::move(frame)});
  }
}

void Replica::on_snapshot_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk) {
  Origin* origin = find_origin(chunk.origin);
  if (origin == nullptr || !origin->staging || origin->staging->donor != from ||
      origin->staging->session != chunk.session) {
    count("chunks_unwanted");
    return;
  }
  Staging& staging = *origin->staging;
  const bool in_order =
      chunk.index == staging.chunks && (staging.chunks == 0 || chunk.epoch == staging.epoch);
  const char* failed = chunk.status == SnapshotStatus::cannot ? "snapshots_declined"
                       : !in_order                            ? "snapshots_out_of_order"
                       : !stage(*origin, chunk)               ? "snapshots_broken"
                                                              : nullptr;
  if (failed != nullptr) {
    count(failed);
    abandon_staging(*origin);
    drain(now, chunk.origin, *origin);
    update_repair(now, chunk.origin, *origin);
    return;
  }
  staging.heard = now;
  if (chunk.status == SnapshotStatus::last) {
    commit(now, chunk.origin, *origin, chunk);
  } else {
    ask(from, Channel::bulk, SnapshotCredit{chunk.origin, chunk.session, staging.chunks});
  }
}

// Carries out one chunk on the holder that is not shown yet. False if it does not fit.
bool Replica::stage(Origin& origin, const SnapshotChunk& chunk) {
  Staging& staging = *origin.staging;
  if (!staging.holder) {
    staging.holder = relation_->add_holder();
    staging.epoch = chunk.epoch;
  }
  ++staging.chunks;
  if (chunk.as_of < staging.as_of) return false;
  staging.as_of = chunk.as_of;
  for (const Anchor& first : chunk.removals) {
    if (!relation_->remove(*staging.holder, first)) return false;
  }
  for (const SnapshotEntry& entry : chunk.entries) {
    // Entries come in the order of their seq, also where an earlier one is gone again.
    if (entry.seq <= staging.last_entry || entry.seq > chunk.as_of) return false;
    staging.last_entry = entry.seq;
    const auto added = relation_->store(
        *staging.holder, Insertion{entry.seq, Anchor{entry.parent, entry.begin}, entry.body.name,
                                   entry.body.tokens, entry.body.slots});
    if (!added || *added != entry.body.tokens.size()) return false;
  }
  return true;
}

// The snapshot replaces what was known of the origin, if it is not older than that.
void Replica::commit(TimePoint now, NodeId id, Origin& origin, const SnapshotChunk& chunk) {
  const auto have = std::tuple(origin.stream.epoch(), origin.stream.applied());
  const auto got = std::tuple(chunk.epoch, chunk.as_of);
  if (got < have || (got == have && !origin.wants_snapshot)) {
    count("snapshots_outdated");
    abandon_staging(origin);
    if (!origin.replaces_all) origin.wants_snapshot = false;
    drain(now, id, origin);
    update_repair(now, id, origin);
    return;
  }
  const HolderIndex fresh = *origin.staging->holder;
  origin.staging->holder.reset();
  if (chunk.epoch > origin.stream.epoch()) begin_epoch(now, id, chunk.epoch);
  abandon_staging(origin);
  donor_.replaced(id);
  op_log_.forget(id);
  holders_.erase(origin.holder);
  relation_->drop_holder(origin.holder);
  origin.holder = fresh;
  holders_.emplace(fresh, id);
  origin.stream.jump_to(chunk.epoch, chunk.as_of);
  origin.head = std::max(origin.head, chunk.as_of);
  origin.wants_snapshot = origin.replaces_all = origin.degraded = false;
  origin.failures = 0;
  origin.repair.progressed(now, repair_pace());
  count("snapshots_taken");
  log(LogLine::Level::info, "snapshot_taken",
      "node=" + find_member(id)->addr + " seq=" + std::to_string(chunk.as_of.value) +
          " tokens=" + std::to_string(relation_->tokens_of(fresh)));
  drain(now, id, origin);
  update_repair(now, id, origin);
  dirty_ = true;
}

void Replica::abandon_staging(Origin& origin) {
  if (!origin.staging) return;
  if (origin.staging->holder) relation_->drop_holder(*origin.staging->holder);
  origin.staging.reset();
  origin.stream.pause(false);
}

}  // namespace radixmesh
