// Repair of others' streams: what is missing is asked for, as ops where someone still has them,
// else as a snapshot. Which origins lag, when to ask next, and whom.
//
// Streams owns the origins, and tells of each change to one by update().
#pragma once

#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "lib/base/timers.h"
#include "lib/members/roster.h"
#include "lib/oplog/origin.h"
#include "lib/oplog/post.h"

namespace radixmesh {

class Repair {
 public:
  // `wants_slots`: snapshots are asked for with the slots of others.
  Repair(const Roster& roster, Post& post, Outbox& out, const Timers& timers, bool wants_slots)
      : roster_(roster), post_(post), out_(out), timers_(timers), wants_slots_(wants_slots) {}

  // Arms or disarms the origin's repair, by what is missing of it now.
  void update(TimePoint now, Origin& origin);
  // Something came.
  void progressed(TimePoint now, Origin& origin);
  // The origin's repair is looked at when it is due, and its snapshot when its donor is silent.
  void look_at(const Origin& origin);
  // Nothing of it is missing any more, whatever it is.
  void forget(NodeId origin) { lagging_.erase(origin); }

  // Ops alone will not do. That they no longer reach is no failure; that what came could not be
  // used is, and after some of them the origin is called degraded, loudly.
  void want_snapshot(TimePoint now, Origin& origin, std::string_view why, bool is_failure);
  // Asks whoever has it. What nobody who lives has, and that for long, is not waited for any more.
  void ask(TimePoint now, Origin& origin);

  bool lags(NodeId origin) const { return lagging_.contains(origin); }
  const std::set<NodeId>& lagging() const { return lagging_; }
  TimePoint next() const { return next_; }
  // Those to look at now; each is to be looked at again.
  std::vector<NodeId> begin_look();

 private:
  RepairTimer::Pace pace() const {
    return {timers_.repair_grace, timers_.repair_pause_min, timers_.repair_pause_max};
  }
  std::vector<NodeId> donors_for(const Origin& origin) const;
  void stop_missing(TimePoint now, Origin& origin);

  const Roster& roster_;
  Post& post_;
  Outbox& out_;
  const Timers& timers_;
  bool wants_slots_;
  std::set<NodeId> lagging_;  // origins that miss something
  TimePoint next_ = kNever;   // when to look at them, at the latest
};

}  // namespace radixmesh
