// The ring of those that are alive or suspect, in this node's mesh: keeps the view up to date, and
// sends the tokens that check it. See ring_check.h for what they prove.
#pragma once

#include "lib/base/timers.h"
#include "lib/members/roster.h"
#include "lib/mesh/ring_check.h"
#include "lib/oplog/outbox.h"
#include "lib/oplog/post.h"

namespace radixmesh {

class Ring {
 public:
  Ring(NodeId self, const Timers& timers, Roster& roster, Post& post, Outbox& out, TimePoint now)
      : roster_(roster),
        post_(post),
        out_(out),
        check_(self, {timers.tick, timers.tick_retry, timers.tick_hop}, now) {}

  // Brings the view up to date, if anything about it changed.
  void refresh_view(TimePoint now);
  void run(TimePoint now);
  // When run() has something to do.
  TimePoint due() const { return takes_part() ? check_.due() : kNever; }
  // Acknowledges it, and passes it on.
  void on_tick(TimePoint now, NodeId from, const TickMessage& tick);
  void on_ack(const TickAckMessage& ack) { check_.on_ack(ack); }
  const RingCheck& check() const { return check_; }

 private:
  bool takes_part() const { return roster_.joined() && !roster_.draining(); }
  void send(RingCheck::Sends sends);

  Roster& roster_;
  Post& post_;
  Outbox& out_;
  RingCheck check_;
};

}  // namespace radixmesh
