// Whether this node may get requests, and who should be there and is not.
//
//             caught up, and met as many as it needs
//   not ready ─────────────────────────────────────► ready
//        ▲                                             │
//        └─── hears none of the others, or those ──────┘
//             that it hears refuse it
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>

#include "lib/base/link.h"
#include "lib/base/ready_needs.h"
#include "lib/base/timers.h"
#include "lib/mesh/greetings.h"
#include "lib/mesh/joining.h"
#include "lib/mesh/ring.h"
#include "lib/mesh/subscriptions.h"

namespace radixmesh {

class Readiness {
 public:
  // What it is seen by.
  struct Parts {
    const Roster& roster;
    const Streams& streams;
    const Greetings& greetings;
    const Joining& joining;
    const Subscriptions& subscriptions;
    const Ring& ring;
    NextLook& look;
    Outbox& out;
  };
  Readiness(const Timers& timers, ReadyNeeds needs, Parts parts)
      : timers_(timers), needs_(needs), parts_(parts) {}

  // Nothing is missing that existed when this node came. Does not go back.
  bool caught_up() const { return caught_up_; }
  // It may get requests. Can be lost.
  bool ready() const { return ready_; }
  Sight sight(TimePoint now) const;
  // Empty where it is.
  std::string why_not(TimePoint now) const;

  // Looks at it anew. True where it changed: that is to be told to others, then to the log.
  bool check(TimePoint now);
  void tell_change(TimePoint now);

  // A connection to a member is well, or what is wrong with it.
  void note_link(NodeId member, LinkKind kind, LinkTrouble trouble);
  // What stands between this node and another one, as far as it is known; empty where nothing does.
  std::string trouble_with(TimePoint now, const Member& member) const;
  // One line when it begins, one a minute while it lasts, one when it ends.
  void tell_of_absent(TimePoint now);
  void forget(NodeId member) { members_.erase(member); }

 private:
  struct Seen {
    bool met = false;                                        // introduced, and caught up with
    std::array<LinkTrouble, std::size(kLinkKinds)> links{};  // by kind, as the shell tells
    bool told = false;                                       // of the trouble
    TimePoint since = kNever, tell_next = kNever;
  };
  bool counts(TimePoint now, const Member& member) const;
  bool has_caught_up(TimePoint now) const;
  bool hears_nobody(const Sight& seen) const {
    return seen.of > 0 && seen.sees == 0 && needs_ != ReadyNeeds::self;
  }
  const Seen& seen_of(NodeId member) const;
  void tell_of(TimePoint now, const Member& member);

  const Timers& timers_;
  ReadyNeeds needs_;
  Parts parts_;
  std::map<NodeId, Seen> members_;
  bool caught_up_ = false, ready_ = false;
  TimePoint alone_tell_next_ = TimePoint::min();  // that it is in no mesh
};

}  // namespace radixmesh
