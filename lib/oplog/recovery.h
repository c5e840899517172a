// A node's memory is its mesh: a new life of a node whose engine lived on takes its entries back
// from its peers.
//
//   the restarted node R                         a peer P
//   epoch e2, empty                              P hides what it has of R's life e1 (FormerLife)
//   HELLO ─────────────────────────────────────►
//   ◄────────────────────────── WELCOME: "I have your e1 up to seq s, of engine T"
//   its engine says hello as T
//   SNAPSHOT_REQUEST of itself, engine T ──────►
//   ◄──────────────────────────────── the chunks
//   its own entries again, head s
//   HEAD: taken over (e1, s) ──────────────────► has e1 up to s: shows it again, as e2 up to s
//                                                has less or other: takes a snapshot of e2
//
// Where the engine is a new one, or has written something before it said who it is, R begins empty
// and says so, and all that was of e1 goes. This is R's part; P's is in Streams.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/base/known_state.h"
#include "lib/base/timers.h"
#include "lib/oplog/own_stream.h"
#include "lib/oplog/post.h"
#include "lib/oplog/staging.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Recovery {
 public:
  Recovery(const Roster& roster, Picture& picture, OwnStream& own, Post& post, Outbox& out,
           const Timers& timers)
      : roster_(roster), picture_(picture), own_(own), post_(post), out_(out), timers_(timers) {}

  // Looking for a donor, or taking back: as long as this holds nothing is collected.
  bool is_running() const { return under_way_.has_value(); }
  // All of it is here, and becomes this node's own piece by piece: nothing may change it.
  bool takes_back() const { return under_way_ && under_way_->next; }
  // When run() has something to do.
  TimePoint due() const;

  // What that member keeps of an earlier life of this node.
  void note_former(NodeId member, const Former& former) { formers_[member] = former; }
  void forget(NodeId member) { formers_.erase(member); }
  // What is older than this is not taken back.
  void note_known(const KnownState& known);
  // Whoever has it is looked for at least until then.
  void expect(TimePoint until);

  // The engine said who it is. A donor is looked for during Timers::recover_wait.
  void begin(TimePoint now, const KnownState& known);
  // Asks the peer that has the most of this engine's state; waits a bounded time for one.
  void run(TimePoint now);
  void on_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk);
  // The next of the staged entries become this node's own, under its new epoch, with the numbers
  // that they had. Nobody hears of them before all are: as of op 0 there is nothing. True with the
  // last; then finish() is due.
  bool take_back(std::size_t entries_max);
  // This life goes on with all that was taken back. What retired then does so no more, as others
  // are told.
  void finish();
  // There is nothing to take back, or no more.
  void begin_empty();

 private:
  struct UnderWay {
    TimePoint deadline;              // to find a donor
    std::optional<Staging> staging;  // empty before one is asked
    TimePoint ask_again;             // the donor, if nothing of it came
    std::set<NodeId> declined;
    KnownState known;
    std::optional<Seq> next;  // of what is here, to be taken back
    Seq as_of;
    std::vector<Anchor> retiring;  // the first pages of what retired in it
  };

  TimePoint search_ends() const;
  std::optional<NodeId> keeper(bool& all_known) const;
  void ask(TimePoint now, NodeId donor, TimePoint heard);
  void drop_staging();
  void take_back(HolderIndex staged, const Entry& entry);

  const Roster& roster_;
  Picture& picture_;
  OwnStream& own_;
  Post& post_;
  Outbox& out_;
  const Timers& timers_;
  std::map<NodeId, Former> formers_;
  std::optional<UnderWay> under_way_;
};

}  // namespace radixmesh
