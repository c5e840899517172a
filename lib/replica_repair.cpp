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
  if (!missing || origin.forgotten) {
    origin.repair.disarm();
    lagging_.erase(id);
    origin.behind_since.reset();
    return;
  }
  lagging_.insert(id);
  if (!origin.behind_since) origin.behind_since = now;
  origin.repair.arm(now, repair_pace());
  look_at_repair_of(origin);
}

// The origin's repair is looked at when it is due, and its snapshot when its donor is silent.
void Replica::look_at_repair_of(const Origin& origin) {
  const TimePoint due = origin.staging ? origin.staging->heard + settings_.timers.snapshot_silence
                                       : origin.repair.due();
  next_repair_ = std::min(next_repair_, due);
}

RepairTimer::Pace Replica::repair_pace() const {
  const Timers& timers = settings_.timers;
  return {timers.repair_grace, timers.repair_pause_min, timers.repair_pause_max};
}

void Replica::repair_what_is_due(TimePoint now) {
  donor_.expire(now, settings_.timers.donor_idle);
  if (now < next_repair_) return;
  next_repair_ = kNever;
  const std::vector<NodeId> lagging(lagging_.begin(), lagging_.end());
  for (NodeId id : lagging) {
    Origin& origin = origins_.at(id);
    if (origin.staging) {
      if (now - origin.staging->heard < settings_.timers.snapshot_silence) {
        look_at_repair_of(origin);
        continue;
      }
      out_.count("snapshots_given_up");
      abandon_staging(origin);
      drain(now, id, origin);
    }
    update_repair(now, id, origin);
    if (origin.repair.due() <= now) ask_for_repair(now, id, origin);
    look_at_repair_of(origin);
  }
}

// Whom to ask, best first: the origin itself, then those that said they have more than we do. Those
// that keep slots come before routers, which have none to give.
std::vector<NodeId> Replica::donors_for(NodeId id, const Origin& origin) const {
  std::vector<NodeId> donors;
  const auto have = std::tuple(origin.stream.epoch(), origin.stream.applied());
  for (NodeId peer : by_rank_) {
    const Member& member = members_.at(peer);
    if (peer == self_->id || member.state >= MemberState::dead || !member.introduced) continue;
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
  if (donors.empty()) return stop_missing(now, id, origin);
  if (now - origin.last_asked > settings_.timers.repair_pause_max) origin.asked_in_a_row = 0;
  ++origin.asked_in_a_row;
  origin.last_asked = now;
  const NodeId donor = donors[attempt % donors.size()];
  const Epoch epoch = origin.stream.epoch();
  const Seq applied = origin.stream.applied();
  if (!origin.wants_snapshot &&
      (applied.value > 0 || origin.head.value <= kReplayFromStartOpsMax)) {
    // Up to what is held already, or to the end.
    out_.count("replays_asked");
    ask(donor, Channel::bulk,
        ReplayRequest{id, epoch, Seq{applied.value + 1}, std::max(origin.head, applied)});
    return;
  }
  out_.count("snapshots_asked");
  origin.staging = SnapshotStaging{donor, next_session_++, {}, 0, std::nullopt, now, {}, {}};
  origin.stream.pause(origin.replaces_all || origin.had_ops);
  const Seq known = origin.replaces_all ? Seq{} : applied;
  ask(donor, Channel::bulk,
      SnapshotRequest{id,
                      epoch,
                      known,
                      origin.staging->session,
                      cache_ != nullptr && settings_.keep_remote_slots,
                      {}});
}

// What nobody who lives has, and that for long, is not waited for: it went with its last holder.
// Who is not introduced may have it. Said again, it is missed again.
void Replica::stop_missing(TimePoint now, NodeId id, Origin& origin) {
  const bool long_ago =
      origin.behind_since && now - *origin.behind_since >= settings_.timers.unseen_wait;
  const bool may_come = std::ranges::any_of(members_, [](const auto& each) {
    return each.second.state < MemberState::dead && !each.second.introduced;
  });
  if (!long_ago || may_come || origin.staging) return;
  barrier_.erase(id);
  if (origin.head > origin.stream.applied()) out_.count("heads_disbelieved");
  origin.head = std::min(origin.head, origin.stream.applied());
  update_repair(now, id, origin);
}

// That ops no longer reach is no failure; that what came could not be used is.
void Replica::want_snapshot(TimePoint now, NodeId id, Origin& origin, std::string_view why,
                            bool is_failure) {
  if (is_failure) ++origin.failures;
  if (origin.failures >= kDegradedAfter && !origin.degraded) {
    origin.degraded = true;
    out_.count("origins_degraded");
    out_.log(LogLine::Level::error, "origin_degraded", "node=" + find_member(id)->addr);
  }
  if (!origin.wants_snapshot) {
    origin.wants_snapshot = true;
    out_.log(LogLine::Level::warning, "snapshot_wanted",
             "node=" + find_member(id)->addr + " why=" + std::string(why));
  }
  update_repair(now, id, origin);
}

// ---- replay ------------------------------------------------------------------------------------

// It waits for its turn, with those of all others: see serve_bulk().
void Replica::on_replay_request(NodeId from, const ReplayRequest& request) {
  auto& waiting = replays_[from];
  const auto found = waiting.find(request.origin);
  if (found == waiting.end() && waiting.size() >= limits::replays_waiting_max) {
    return out_.count("replays_refused");
  }
  waiting[request.origin] = {request, 0};
}

// One part of an answer for every peer that waits, and so on, as far as the turn's bound goes; the
// rest of it is for snapshots.
void Replica::serve_bulk() {
  std::size_t bytes = 0;
  while (!replays_.empty() && bytes < limits::bulk_bytes_per_turn_max) {
    for (auto peer = replays_.begin(); peer != replays_.end();) {
      auto& waiting = peer->second;
      const bool goes_on =
          !waiting.empty() && serve_replay(peer->first, waiting.begin()->second, bytes);
      if (!goes_on && !waiting.empty()) waiting.erase(waiting.begin());
      peer = waiting.empty() ? replays_.erase(peer) : std::next(peer);
    }
  }
  serve_snapshots(bytes);
}

// The next part of it; false if it was the last.
bool Replica::serve_replay(NodeId to, ReplayUnderWay& replay, std::size_t& bytes) {
  ReplayRequest& request = replay.request;
  ReplayMessage reply{request.origin, request.epoch, ReplayStatus::frames, {}};
  const std::optional<DonorState> state =
      members_.contains(to) ? donor_state(to, request.origin) : std::nullopt;
  const bool known = state && state->epoch == request.epoch && state->applied >= request.first;
  if (!known) reply.status = ReplayStatus::unknown;
  const Seq last = known ? std::min(request.last, state->applied) : Seq{};
  const bool is_first = replay.sent == 0;
  bool goes_on = false;
  for (; request.first <= last; ++request.first.value) {
    const Bytes* frame = op_log_.find(request.origin, request.epoch, request.first);
    if (frame == nullptr ||
        frame->size() + limits::replay_overhead_bytes_max > limits::frame_bytes_max) {
      if (is_first && reply.frames.empty()) reply.status = ReplayStatus::snapshot_needed;
      break;
    }
    if (!reply.frames.empty() &&
        reply.frames.size() + frame->size() > limits::insert_payload_bytes_max) {
      goes_on = replay.sent + reply.frames.size() < limits::replay_bytes_max;
      break;
    }
    reply.frames.append(*frame);
  }
  if (!is_first && reply.frames.empty()) return false;
  if (is_first && reply.status != ReplayStatus::unknown) out_.count("replays_served");
  replay.sent += reply.frames.size();
  bytes += reply.frames.size() + limits::replay_overhead_bytes_max;
  out_.owe(Answer{to, Channel::bulk, encode(control(std::move(reply)))});
  return goes_on;
}

void Replica::on_replay(TimePoint now, NodeId from, const ReplayMessage& replay) {
  Origin* origin = find_origin(replay.origin);
  if (origin == nullptr || !lagging_.contains(replay.origin) ||
      replay.epoch != origin->stream.epoch()) {
    out_.count("replays_unwanted");
    return;
  }
  if (replay.status == ReplayStatus::snapshot_needed) {
    want_snapshot(now, replay.origin, *origin, "replay_does_not_reach", false);
    origin->repair.progressed(now, repair_pace());
    look_at_repair_of(*origin);
    return;
  }
  if (replay.status == ReplayStatus::unknown && from == replay.origin) {
    return believe_head(now, from, origin->stream.applied());
  }
  if (!replay.frames.empty()) origin->repaired = RepairNote{now, "replay"};
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
      on_unreadable_op(now, *envelope);
    }
  }
}

}  // namespace radixmesh
