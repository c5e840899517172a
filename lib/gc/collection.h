// What a node knows of collecting duplicates: as an owner its readers, what it has retired and the
// round that is under way; as a better holder what it keeps for others; and what its engine was
// told to free. The verbs are Replica's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/gc/reader_sessions.h"
#include "lib/tree/local_cache.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// A round lets a set of duplicates go:
//
//   survey ──HOLD──► held ──GC_QUERY──► retired, and agreed to ──DELETE──► gone
//                     │                    │
//                     └── refused: stays ◄─┴── locked, no duplicate any more, or too late: GC_ABORT
//
// In global_ref nothing retires: what is held goes as soon as nobody refers to it.
struct CollectionRound {
  struct Copy {
    NodeId node;
    Anchor page;
    friend bool operator==(const Copy&, const Copy&) = default;
  };
  struct Item {
    Retirement page;
    std::vector<Copy> copies;  // kept for it
  };
  // What a better holder was asked to keep.
  struct Hold {
    Epoch life;
    std::vector<Anchor> pages;
    bool answered = false;
    TimePoint ask_again;
  };
  std::uint64_t number = 0;
  TimePoint began;
  std::vector<Item> items;
  std::map<NodeId, Hold> holds;
  bool settled = false;         // all holds are answered, what is held has retired
  bool is_whole = true;         // the survey left nothing out
  TimePoint next_look;          // for what could go instead of what readers keep
  std::uint64_t collected = 0;  // tokens
};

// Pages that are locked here for the last round of another node; none once that is over, so that
// what comes late begins nothing.
struct HeldForRound {
  std::uint64_t round = 0;
  std::vector<LockedPath> paths;
  std::vector<Anchor> refused;
  TimePoint until;
};

// Slots that the engine was told to free.
struct Unacknowledged {
  SlotRuns slots;
  Epoch epoch;  // of the DELETE, as it was then
  Seq seq;
  TimePoint since;
};

struct Collection {
  ReaderSessions readers;
  std::vector<Retirement> evictions;  // retired to make room, or as the engine asked for it
  std::optional<CollectionRound> round;
  std::uint64_t last_round = 0;
  // First pages of what did not go with its round, since last all had their turn.
  std::set<Anchor> passed_over;
  bool changed = false;                    // something that the round waits for
  TimePoint last_look = TimePoint::min();  // for duplicates: a round began, or there were none
  TimePoint next_care = TimePoint::min();  // for what was retired to make room
  TimePoint next_round = TimePoint::min(), next_period = TimePoint::min();
  std::map<NodeId, HeldForRound> held;
  std::map<std::uint64_t, Unacknowledged> unacknowledged;
  std::uint64_t last_free = 0;
  bool engine_frees = false, engine_takes_advice = false;
  std::vector<Anchor> advised;
  TimePoint engine_since = TimePoint::min();  // an engine came in the place of another
  // The longest lease of references that earlier lives of this node granted, as others say, and
  // when all such have lapsed.
  Duration former_lease{};
  TimePoint former_lapse = TimePoint::min();
  // Before this no page goes: where it is a former life's, which readers of that may still use.
  TimePoint frees_from = TimePoint::min();
};

}  // namespace radixmesh
