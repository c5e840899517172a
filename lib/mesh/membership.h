// Who is a member, and under which rank: what others tell, two that have the same rank, views that
// differ, who is gone for good. Those of the lists are there from the beginning; others join, see
// joining.h.
//
// Members are added and removed by the replica, as all parts must hear of it; here it is said when.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/refusal.h"
#include "lib/base/timers.h"
#include "lib/mesh/greetings.h"
#include "lib/mesh/liveness.h"
#include "lib/mesh/news.h"

namespace radixmesh {

class Membership {
 public:
  // What it works with.
  struct Parts {
    Roster& roster;
    Greetings& greetings;
    Liveness& liveness;
    News& news;
    Ring& ring;
    NextLook& look;
    Post& post;
    Outbox& out;
  };
  // `given`: the rank that this node's operator gave it, if any.
  Membership(const Timers& timers, NodeRank given, Parts parts)
      : timers_(timers), given_(given), parts_(parts) {}

  // ---- news ------------------------------------------------------------------------------------

  // Later news win: by epoch, then by the counter of refutations. But what was heard of a member
  // itself, a moment ago, is better than what another says of it. What is said of this node's life
  // is Liveness' to refute, before. False where it is of nobody that is known here: if it tells of
  // one that lives, that is to be added.
  bool on_news(TimePoint now, NodeId from, const MemberNews& news);
  // Whether one more may be let in; who must make way for it, if anybody.
  struct Room {
    bool is_there = false;
    std::optional<NodeId> gone;
  };
  Room room() const;
  // It was added.
  void note_added(TimePoint now, Member& member);

  // ---- ranks -----------------------------------------------------------------------------------

  // The rank of one that joined may change: it is what its owner says.
  void adopt_rank(TimePoint now, Member& member, NodeRank rank);

  // ---- equal views -----------------------------------------------------------------------------

  // Whoever sees another set of members than we do is told all that we know, and answers likewise.
  void exchange_views(TimePoint now, NodeId with, std::uint64_t view_hash);
  void send_members(NodeId to, bool as_answer, bool wants_answer);

  // ---- who is gone -----------------------------------------------------------------------------

  // What becomes of one that is dead or left: its entries go first, and one that had joined goes
  // wholly later. As long as the lease of what it refers to here stands, it is known why that must
  // stay.
  struct Fate {
    bool forgets = false, removes = false;
  };
  // Whether it is time to look: minutes are not counted with every message.
  bool looks_at_gone(TimePoint now);
  Fate fate_of(TimePoint now, const Member& member, bool is_forgotten, TimePoint refers_until);
  // An operator's word: of one that joined and is gone for good. Refused for who lives or is
  // listed.
  std::optional<Refusal> remove(TimePoint now, std::string_view addr);

  void forget(NodeId id);

 private:
  void on_news_of_self(TimePoint now, const MemberNews& news);
  bool on_later_news(TimePoint now, NodeId from, Member& member, const MemberNews& news);
  void on_accusation(TimePoint now, NodeId from, Member& member, const MemberNews& news);
  void on_removal(TimePoint now, const Member& member);
  void settle_rank(TimePoint now, const Member& other);

  const Timers& timers_;
  NodeRank given_;
  Parts parts_;
  std::map<NodeId, TimePoint> same_rank_since_;  // as this node's own, both in one mesh
  std::map<NodeId, TimePoint> next_exchange_;
  TimePoint next_forget_ = TimePoint::min();
};

}  // namespace radixmesh
