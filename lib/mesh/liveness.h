// Who lives: heartbeats to the neighbours, silence and what follows from it. See suspicion.h for
// the times.
//
//   anything heard ──► alive ──silent──► suspect ──silent──► dead
//                        ▲      others are asked, it is told      │
//                        └──────────── introduced anew ◄──────────┘
//
// The verdicts change the roster. Who is gone, and that this node's own life must be outgrown, is
// answered by take_gone() and take_outgrown(): that concerns others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/base/timers.h"
#include "lib/mesh/greetings.h"
#include "lib/mesh/heads.h"
#include "lib/mesh/next_look.h"
#include "lib/mesh/ring.h"
#include "lib/mesh/suspicion.h"

namespace radixmesh {

class Liveness {
 public:
  // What watching works with.
  struct Parts {
    Roster& roster;
    Streams& streams;
    Greetings& greetings;
    Heads& heads;
    News& news;
    Ring& ring;
    NextLook& look;
    Post& post;
    Outbox& out;
  };
  Liveness(const Timers& timers, Parts parts, TimePoint now)
      : timers_(timers), parts_(parts), next_heartbeat_(now) {}

  // ---- signs of life ---------------------------------------------------------------------------

  // Anything that a member sent, on whatever way. One that is dead lives again only when it is
  // introduced anew: what arrives late, or through others, proves nothing of now. Nor does what a
  // relay passes on lift a suspicion (`directly`: it came from the member itself): it may have lain
  // there. The suspect itself is asked all the while.
  void heard(TimePoint now, NodeId id, bool directly = true);
  // Others heard it, a while ago.
  void heard_elsewhere(TimePoint now, NodeId id);
  // ... or say that it is silent.
  void note_accuser(NodeId id, NodeId accuser) { members_[id].accusers.insert(accuser); }
  void set_state(TimePoint now, Member& member, MemberState state);
  // A later life of it began.
  void begin_life(TimePoint now, Member& member, Epoch epoch);
  void forget(NodeId id);
  // A heartbeat was answered: this node does well.
  void note_answer() { health_.better(); }

  // ---- silence ---------------------------------------------------------------------------------

  void watch_silence(TimePoint now);
  void on_probe_request(TimePoint now, NodeId from, const ProbeRequest& probe);
  void on_probe_report(TimePoint now, const ProbeReport& report);
  // Whoever was not run for a while heard nobody, and that was its own fault: all deadlines move by
  // as much, and it trusts itself less.
  void notice_own_stall(TimePoint now);
  // Heartbeats to the next two in rank order and the one before, so that the ring closes in one
  // step over a dead one.
  void beat(TimePoint now);
  TimePoint next_heartbeat() const { return next_heartbeat_; }

  // ---- refutations -----------------------------------------------------------------------------

  // A member's own, later than what was known. It may say that it has not left after all: to be
  // introduced anew.
  void note_refute(TimePoint now, Member& member, std::uint32_t refute);
  // What another believes of this node: a suspicion is refuted.
  void on_standing(TimePoint now, const Standing& seen);
  void raise_own_refute(TimePoint now, std::uint32_t refute);
  // This node goes on under a higher epoch: everybody is to be met anew.
  void begin_own_epoch(TimePoint now, Epoch epoch);

  // Those that died or left since the last call.
  std::vector<NodeId> take_gone() { return std::exchange(gone_, {}); }
  // A life that this node did not live, or that is at its end: it must be outgrown.
  std::optional<Epoch> take_outgrown() { return std::exchange(outgrown_, std::nullopt); }

  // ---- what is known ---------------------------------------------------------------------------

  // TimePoint::min(): it never was.
  TimePoint last_heard(NodeId id) const;
  // For how long it was seen alive.
  Duration lived(NodeId id) const;
  // An operator said that it does not come back; that ends when it does.
  void note_removed(NodeId id) { members_[id].removed = true; }
  bool is_removed(NodeId id) const;
  std::uint32_t health() const { return health_.score(); }
  bool isolated() const { return isolated_; }

 private:
  struct Life {
    TimePoint last_heard = TimePoint::min();
    TimePoint next_probe = TimePoint::min();
    bool asked_others = false;  // since it was last heard
    bool others_answered = false;
    bool restart_told = false;    // its new life was told of in the log
    std::set<NodeId> accusers;    // who else says that it is silent
    std::set<NodeId> probed_for;  // who asked us whether it lives
    Duration lived{};
    bool removed = false;  // an operator said that it does not come back
  };
  void watch(TimePoint now, Member& member);
  void accuse(TimePoint now, Member& member);
  void ask_others_about(const Member& member);
  void probe(const Member& member);

  const Timers& timers_;
  Parts parts_;
  std::map<NodeId, Life> members_;
  Health health_;
  bool isolated_ = false;  // too many seem gone at once: the fault may be here, nobody is accused
  TimePoint next_heartbeat_;
  std::vector<NodeId> gone_;
  std::optional<Epoch> outgrown_;
};

}  // namespace radixmesh
