// Snapshots: one origin's entries in chunks, staged out of sight, then put in the place of what was
// known of it.
#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"
#include "lib/base/planted.h"
#include "lib/replica.h"

namespace radixmesh {

// ---- as a donor --------------------------------------------------------------------------------

// What may be given to `peer` of an origin. Of itself it gets what is kept of its former life.
std::optional<DonorState> Replica::donor_state(NodeId peer, NodeId id) const {
  if (id == self_->id) return DonorState{self_->epoch, head_, kSelf};
  auto found = origins_.find(id);
  if (found == origins_.end() || found->second.stream.epoch().value == 0) return std::nullopt;
  const Origin& origin = found->second;
  if (peer == id) {
    if (!origin.former) return std::nullopt;
    return DonorState{origin.former->epoch, origin.former->applied, origin.former->holder};
  }
  if (origin.forgotten) return std::nullopt;
  if (origin.replaces_all) return std::nullopt;  // what is here may be wrong
  return DonorState{origin.stream.epoch(), origin.stream.applied(), origin.holder};
}

void Replica::on_snapshot_request(TimePoint now, NodeId from, const SnapshotRequest& request) {
  std::optional<DonorState> state = donor_state(from, request.origin);
  if (state && request.origin == from &&
      request.engine_token != origins_.at(from).former->engine_token) {
    state.reset();  // another engine's
  }
  const bool newer = state && std::tuple(state->epoch, state->applied) >
                                  std::tuple(request.epoch, request.applied);
  if (newer && donor_.open(now, from, request, state->epoch)) {
    out_.count("snapshots_served");
    return;
  }
  SnapshotChunk none;
  none.origin = request.origin;
  none.epoch = state ? state->epoch : Epoch{};
  none.session = request.session;
  none.status = SnapshotStatus::cannot;
  answer(from, Channel::bulk, std::move(none));
}

void Replica::serve_snapshots(std::size_t bytes) {
  while (bytes < limits::bulk_bytes_per_turn_max) {
    auto next = donor_.next(*relation_, cache_ != nullptr && settings_.keep_remote_slots,
                            [this](NodeId peer, NodeId id) { return donor_state(peer, id); });
    if (!next) return;
    Bytes frame = encode(control(std::move(next->chunk)));
    bytes += frame.size();
    out_.owe(Answer{next->peer, Channel::bulk, std::move(frame)});
  }
}

// ---- as a receiver -----------------------------------------------------------------------------

void Replica::on_snapshot_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk) {
  if (chunk.origin == self_->id) return on_own_chunk(now, from, chunk);
  Origin* origin = find_origin(chunk.origin);
  if (origin == nullptr || !origin->staging || origin->staging->donor != from ||
      origin->staging->session != chunk.session) {
    out_.count("chunks_unwanted");
    return;
  }
  SnapshotStaging& staging = *origin->staging;
  const bool in_order =
      chunk.index == staging.chunks && (staging.chunks == 0 || chunk.epoch == staging.epoch);
  const char* failed = chunk.status == SnapshotStatus::cannot ? "snapshots_declined"
                       : !in_order                            ? "snapshots_out_of_order"
                       : !stage(staging, chunk)               ? "snapshots_broken"
                                                              : nullptr;
  if (failed != nullptr) {
    out_.count(failed);
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
bool Replica::stage(SnapshotStaging& staging, const SnapshotChunk& chunk) {
  if (!staging.holder) {
    staging.holder = relation_->add_holder();
    staging.epoch = chunk.epoch;
  }
  ++staging.chunks;
  // Chunk by chunk, so that whoever asks when it is complete need not hash all of it.
  (void)relation_->digest(*staging.holder);
  if (chunk.as_of < staging.as_of) return false;
  staging.as_of = chunk.as_of;
  if (chunk.index == 0 && is_planted(PlantedFault::skip_chunk)) return true;
  for (const Anchor& first : chunk.removals) {
    if (!relation_->remove(*staging.holder, first)) return false;
  }
  for (const SnapshotMark& mark : chunk.marks) {
    // One that is gone went after it was marked, and its removal came before.
    relation_->set_retiring(*staging.holder, mark.first, mark.retiring);
  }
  for (const SnapshotEntry& entry : chunk.entries) {
    // Entries come in the order of their seq, also where an earlier one is gone again.
    if (entry.seq <= staging.last_entry || entry.seq > chunk.as_of) return false;
    staging.last_entry = entry.seq;
    if (!has_room(*staging.holder, entry.body.tokens.size())) return false;
    const auto added = relation_->store(
        *staging.holder, Insertion{entry.seq, Anchor{entry.parent, entry.begin}, entry.body.name,
                                   entry.body.tokens, entry.body.slots});
    if (!added || *added != entry.body.tokens.size()) return false;
    if (entry.retired_from == Entry::kNotRetired) continue;
    const Anchor first{entry.seq, entry.retired_from + settings_.page_size};
    if (!relation_->set_retiring(*staging.holder, first, true)) return false;
  }
  return true;
}

// The snapshot replaces what was known of the origin, if it is not older than that.
void Replica::commit(TimePoint now, NodeId id, Origin& origin, const SnapshotChunk& chunk) {
  const auto have = std::tuple(origin.stream.epoch(), origin.stream.applied());
  const auto got = std::tuple(chunk.epoch, chunk.as_of);
  if (got < have || (got == have && !origin.wants_snapshot)) {
    out_.count("snapshots_outdated");
    abandon_staging(origin);
    if (!origin.replaces_all) origin.wants_snapshot = false;
    drain(now, id, origin);
    update_repair(now, id, origin);
    return;
  }
  if (chunk.epoch > origin.stream.epoch() && find_member(id)->introduced) {
    abandon_staging(origin);
    update_repair(now, id, origin);
    return void(hear_of_epoch(now, *find_member(id), chunk.epoch));
  }
  const HolderIndex fresh = *origin.staging->holder;
  origin.staging->holder.reset();
  if (chunk.epoch > origin.stream.epoch() && !hear_of_epoch(now, *find_member(id), chunk.epoch)) {
    relation_->drop_holder(fresh);
    return abandon_staging(origin);
  }
  origin.had_ops = false;
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
  look_at_repair_of(origin);
  out_.count("snapshots_taken");
  origin.repaired = RepairNote{now, "snapshot"};
  out_.log(LogLine::Level::info, "snapshot_taken",
           "node=" + find_member(id)->addr + " seq=" + std::to_string(chunk.as_of.value) +
               " tokens=" + std::to_string(relation_->tokens_of(fresh)));
  drain(now, id, origin);
  update_repair(now, id, origin);
  dirty_ = true;
}

void Replica::abandon_staging(Origin& origin) {
  if (!origin.staging) return;
  drop_staging(origin.staging);
  origin.stream.pause(origin.had_ops);
  look_at_repair_of(origin);
}

void Replica::drop_staging(std::optional<SnapshotStaging>& staging) {
  if (staging && staging->holder) relation_->drop_holder(*staging->holder);
  staging.reset();
}

}  // namespace radixmesh
