// The lives of others: one ends and another begins, one is forgotten and heard again.
#include "lib/base/planted.h"
#include "lib/oplog/streams.h"

namespace radixmesh {

void Streams::begin_life(TimePoint now, NodeId id, Epoch epoch) {
  Origin& origin = origins_.at(id);
  abandon_staging(origin);
  donor_.replaced(id);
  donor_.forget_ops(id);
  end_life(now, origin);
  origin.stream.begin_epoch(epoch);
  origin.stream.pause(false);
  origin.head = origin.refused = {};
  origin.had_ops = false;
  origin.missing.is_no_more();
  for (auto& [other, each] : origins_) each.further.erase(id);
  repair_.update(now, origin);
}

// Takes what the origin has out of sight, and gives it a fresh holder.
void Streams::end_life(TimePoint now, Origin& origin) {
  if (is_planted(PlantedFault::forget_epoch)) return;
  const std::string& engine_token = roster_.at(origin.id).engine_token;
  const bool had_state = origin.stream.applied().value > 0 && !origin.missing.replaces_all;
  if (had_state) drop_former(origin);
  // A life that never decided anything leaves what it found.
  if (had_state && !engine_token.empty()) {
    picture_.hide(origin.holder);
    origin.former = FormerLife{origin.stream.epoch(), origin.stream.applied(), origin.holder,
                               engine_token, now};
  } else {
    picture_.drop(origin.holder);
  }
  origin.holder = picture_.add(origin.id);
}

void Streams::drop_former(Origin& origin) {
  if (!origin.former) return;
  picture_.relation().drop_holder(origin.former->holder);
  origin.former.reset();
}

void Streams::on_taken_over(TimePoint now, NodeId id, const TakenOver& taken) {
  Origin& origin = origins_.at(id);
  if (!origin.former) return;
  const bool fits = taken.epoch == origin.former->epoch && taken.seq == origin.former->applied &&
                    origin.stream.applied().value == 0 && !origin.missing.staging;
  if (!fits) return drop_former(origin);
  picture_.drop(origin.holder);
  origin.holder = origin.former->holder;
  origin.former.reset();
  picture_.show(origin.holder, id);
  origin.stream.jump_to(origin.stream.epoch(), taken.seq);
  origin.head = std::max(origin.head, taken.seq);
  donor_.replaced(id);
  pace_.changed();
  out_.count("states_taken_over");
  drain(now, origin);
  repair_.update(now, origin);
}

Former Streams::former_of(const Member& member, Epoch life) const {
  const Origin* origin = find(member.id);
  if (origin == nullptr || picture_.cache() == nullptr) return {};
  const bool slots = picture_.has_remote_slots();
  if (origin->former) {
    const FormerLife& former = *origin->former;
    return Former{former.epoch, former.applied, former.engine_token, slots};
  }
  const bool ends = member.epoch.value != 0 && member.epoch < life;
  if (!ends || origin->missing.replaces_all || origin->stream.applied().value == 0) return {};
  return Former{origin->stream.epoch(), origin->stream.applied(), member.engine_token, slots};
}

TimePoint Streams::expire_former(TimePoint now, NodeId id, Duration kept) {
  Origin& origin = origins_.at(id);
  if (origin.former && now - origin.former->since >= kept) drop_former(origin);
  return origin.former ? origin.former->since + kept : kNever;
}

void Streams::forget(NodeId id) {
  Origin& origin = origins_.at(id);
  origin.forgotten = true;
  if (origin.stream.applied().value == 0) return;
  origin.had_ops = true;
  out_.count("origins_forgotten");
  abandon_staging(origin);
  drop_former(origin);
  donor_.replaced(id);
  donor_.forget_ops(id);
  applier_.hold_nothing(origin);
  origin.stream.begin_epoch(origin.stream.epoch());
  origin.stream.pause(true);
  origin.head = {};
  origin.missing.wants_snapshot = origin.missing.replaces_all = false;
  origin.missing.timer.disarm();
  repair_.forget(id);
}

void Streams::remember(TimePoint now, NodeId id) {
  Origin& origin = origins_.at(id);
  if (!std::exchange(origin.forgotten, false) || !origin.had_ops) return;
  // What was dropped of this life comes back as a whole: no op of it is applied a second time.
  repair_.want_snapshot(now, origin, "forgotten", false);
}

}  // namespace radixmesh
