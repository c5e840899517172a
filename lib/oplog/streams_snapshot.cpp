// Snapshots of others, staged out of sight, then put in the place of what was known.
#include <string>

#include "lib/base/limits.h"
#include "lib/oplog/streams.h"

namespace radixmesh {

std::optional<HolderIndex> Streams::on_chunk(TimePoint now, NodeId from,
                                             const SnapshotChunk& chunk) {
  const auto found = origins_.find(chunk.origin);
  const bool is_wanted = found != origins_.end() && found->second.missing.staging &&
                         found->second.missing.staging->is_of(from, chunk);
  if (!is_wanted) {
    out_.count("chunks_unwanted");
    return std::nullopt;
  }
  Origin& origin = found->second;
  Staging& staging = *origin.missing.staging;
  const char* failed = chunk.status == SnapshotStatus::cannot            ? "snapshots_declined"
                       : !staging.is_next(chunk)                         ? "snapshots_out_of_order"
                       : !staging.take(picture_.relation(), chunk, out_) ? "snapshots_broken"
                                                                         : nullptr;
  if (failed != nullptr) {
    out_.count(failed);
    abandon_staging(origin);
    drain(now, origin);
    repair_.update(now, origin);
    return std::nullopt;
  }
  staging.heard(now);
  if (chunk.status == SnapshotStatus::last) {
    if (drop_if_outdated(now, origin, chunk)) return std::nullopt;
    return staging.detach();
  }
  post_.ask(from, Channel::bulk, SnapshotCredit{chunk.origin, chunk.session, staging.chunks()});
  return std::nullopt;
}

// It replaces nothing that is as new.
bool Streams::drop_if_outdated(TimePoint now, Origin& origin, const SnapshotChunk& chunk) {
  Missing& missing = origin.missing;
  const Progress have = origin.progress(), got{chunk.epoch, chunk.as_of};
  if (got > have || (got == have && missing.wants_snapshot)) return false;
  out_.count("snapshots_outdated");
  abandon_staging(origin);
  if (!missing.replaces_all) missing.wants_snapshot = false;
  drain(now, origin);
  repair_.update(now, origin);
  return true;
}

void Streams::refuse_staged(TimePoint now, NodeId id, HolderIndex staged) {
  Origin& origin = origins_.at(id);
  picture_.relation().drop_holder(staged);
  abandon_staging(origin);
  repair_.update(now, origin);
}

void Streams::commit(TimePoint now, const SnapshotChunk& chunk, HolderIndex staged) {
  Origin& origin = origins_.at(chunk.origin);
  Missing& missing = origin.missing;
  origin.had_ops = false;
  abandon_staging(origin);
  donor_.replaced(origin.id);
  donor_.forget_ops(origin.id);
  picture_.drop(origin.holder);
  origin.holder = staged;
  picture_.show(staged, origin.id);
  origin.stream.jump_to(chunk.epoch, chunk.as_of);
  origin.head = std::max(origin.head, chunk.as_of);
  missing.is_no_more();
  repair_.progressed(now, origin);
  out_.count("snapshots_taken");
  missing.repaired = Missing::Note{now, "snapshot"};
  out_.log(LogLine::Level::info, "snapshot_taken",
           "node=" + roster_.at(origin.id).addr + " seq=" + std::to_string(chunk.as_of.value) +
               " tokens=" + std::to_string(picture_.relation().tokens_of(staged)));
  drain(now, origin);
  repair_.update(now, origin);
  pace_.changed();
}

void Streams::abandon_staging(Origin& origin) {
  std::optional<Staging>& staging = origin.missing.staging;
  if (!staging) return;
  staging->drop(picture_.relation());
  staging.reset();
  origin.stream.pause(origin.had_ops);
  repair_.look_at(origin);
}

std::optional<DonorState> Streams::state_for(NodeId peer, NodeId id) const {
  const Origin* origin = find(id);
  if (origin == nullptr || origin->stream.epoch().value == 0) return std::nullopt;
  if (peer == id) {
    if (!origin->former) return std::nullopt;
    const FormerLife& former = *origin->former;
    return DonorState{former.epoch, former.applied, former.holder, former.engine_token};
  }
  // What is here may be nothing, or wrong.
  if (origin->forgotten || origin->missing.replaces_all) return std::nullopt;
  return DonorState{origin->stream.epoch(), origin->stream.applied(), origin->holder, {}};
}

}  // namespace radixmesh
