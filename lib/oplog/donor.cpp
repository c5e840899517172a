#include "lib/oplog/donor.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "lib/base/limits.h"

namespace radixmesh {

void Donor::on_replay_request(NodeId from, const ReplayRequest& request) {
  auto& waiting = replays_[from];
  const auto found = waiting.find(request.origin);
  if (found == waiting.end() && waiting.size() >= limits::replays_waiting_max) {
    return out_.count("replays_refused");
  }
  waiting[request.origin] = {request, 0};
}

void Donor::on_snapshot_request(TimePoint now, NodeId from, const SnapshotRequest& request,
                                std::optional<DonorState> state) {
  const bool is_own = request.origin == from;
  if (state && is_own && request.engine_token != state->engine_token) state.reset();
  const bool newer = state && std::tuple(state->epoch, state->applied) >
                                  std::tuple(request.epoch, request.applied);
  if (newer && snapshots_.open(now, from, request, state->epoch)) {
    out_.count("snapshots_served");
    return;
  }
  SnapshotChunk none;
  none.origin = request.origin;
  none.epoch = state ? state->epoch : Epoch{};
  none.session = request.session;
  none.status = SnapshotStatus::cannot;
  post_.answer(from, Channel::bulk, std::move(none));
}

// One part of an answer for every peer that waits, and so on, as far as the turn's bound goes.
void Donor::serve(Relation& relation, bool has_slots, const StateOf& state_of) {
  std::size_t bytes = 0;
  while (!replays_.empty() && bytes < limits::bulk_bytes_per_turn_max) {
    for (auto peer = replays_.begin(); peer != replays_.end();) {
      auto& waiting = peer->second;
      const bool goes_on =
          !waiting.empty() && serve_replay(peer->first, waiting.begin()->second, state_of, bytes);
      if (!goes_on && !waiting.empty()) waiting.erase(waiting.begin());
      peer = waiting.empty() ? replays_.erase(peer) : std::next(peer);
    }
  }
  while (bytes < limits::bulk_bytes_per_turn_max) {
    auto next = snapshots_.next(relation, has_slots, state_of);
    if (!next) return;
    Bytes frame = post_.frame(std::move(next->chunk));
    bytes += frame.size();
    out_.owe(Answer{next->peer, Channel::bulk, std::move(frame)});
  }
}

// The next part of it; false if it was the last.
bool Donor::serve_replay(NodeId to, Replay& replay, const StateOf& state_of, std::size_t& bytes) {
  ReplayRequest& request = replay.request;
  ReplayMessage reply{request.origin, request.epoch, ReplayStatus::frames, {}};
  const std::optional<DonorState> state =
      roster_.contains(to) ? state_of(to, request.origin) : std::nullopt;
  const bool known = state && state->epoch == request.epoch && state->applied >= request.first;
  if (!known) reply.status = ReplayStatus::unknown;
  const Seq last = known ? std::min(request.last, state->applied) : Seq{};
  const bool is_first = replay.sent == 0;
  bool goes_on = false;
  for (; request.first <= last; ++request.first.value) {
    const Bytes* frame = log_.find(request.origin, request.epoch, request.first);
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
  out_.owe(Answer{to, Channel::bulk, post_.frame(std::move(reply))});
  return goes_on;
}

}  // namespace radixmesh
