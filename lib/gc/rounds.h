// Rounds that collect duplicates: this node as an owner whose copies go. A round lets a set of them
// go:
//
//   survey ──HOLD──► held ──GC_QUERY──► retired, and agreed to ──DELETE──► gone
//                     │                    │
//                     └── refused: stays ◄─┴── locked, no duplicate any more, or too late: GC_ABORT
//
// In global_ref nothing retires: what is held goes as soon as nobody refers to it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/gc/engine_slots.h"
#include "lib/gc/readers.h"
#include "lib/gc/retirement.h"
#include "lib/gc/survey.h"

namespace radixmesh {

class Rounds {
 public:
  // What a round works with.
  struct Parts {
    const Roster& roster;
    Picture& picture;
    OwnStream& own;
    Post& post;
    Outbox& out;
    Survey& survey;
    Retirement& retirement;
    EngineSlots& engine;
    const Readers& readers;
    Wakeup& wakeup;
  };
  // Rounds are numbered from `last` on: so that what answers a round of a former life is no answer
  // to one of this.
  Rounds(const GcSettings& settings, Parts parts, std::uint64_t last)
      : settings_(settings), parts_(parts), last_(last) {}

  bool is_running() const { return round_.has_value(); }
  // The number of the last one.
  std::uint64_t last() const { return last_; }
  // When run() has something to do.
  TimePoint due() const;
  void by(TimePoint due) { next_ = std::min(next_, due); }
  // A reader has let go of a page that nothing else keeps: it need not wait for the period.
  void look_early(TimePoint now);

  // One is running, or is to begin.
  bool is_due(TimePoint now) const { return round_ || now >= next_; }
  // Goes on with the round, or begins one. `obstacle`: why none may; empty: one may.
  void run(TimePoint now, std::string_view obstacle);
  // One begins now, if there is something to collect. Needs that none is running and one may.
  void begin(TimePoint now);
  void on_held(TimePoint now, NodeId from, const HeldMessage& held, std::string_view obstacle);
  // What did not go stays; those that kept their copies need not any more.
  void end(TimePoint now);

  // What has retired in it.
  std::vector<RetiredPage> retired() const;
  // Something was taken back: that is not of the round any more.
  void drop_what_stays();
  // Holders that have not answered yet; then readers that have not agreed to all that retires.
  std::vector<std::string> waits_for() const;

 private:
  struct Item {
    RetiredPage page;
    std::vector<KeptCopy> copies;  // kept for it
  };
  // What a better holder was asked to keep.
  struct Hold {
    Epoch life;
    std::vector<Anchor> pages;
    bool answered = false;
    TimePoint ask_again;
  };
  struct Round {
    Round(std::uint64_t round_number, TimePoint now) : number(round_number), began(now) {}
    std::uint64_t number;
    TimePoint began;
    std::vector<Item> items;
    std::map<NodeId, Hold> holds;
    bool settled = false;         // all holds are answered, what is held has retired
    bool is_whole = true;         // the survey left nothing out
    TimePoint next_look;          // for what could go instead of what readers keep
    std::uint64_t collected = 0;  // tokens
    Seq last_retired() const;
  };

  void advance(TimePoint now, std::string_view obstacle);
  bool ask_to_hold(TimePoint now);
  void drop_refused(NodeId holder, std::span<const Anchor> refused);
  bool still_goes(const Item& item) const;
  void settle();
  std::vector<bool> agreed() const;
  void collect_agreed(TimePoint now);
  void make_way(TimePoint now);
  bool retires() const { return settings_.mode == GcMode::local_ref; }

  const GcSettings& settings_;
  Parts parts_;
  std::optional<Round> round_;
  std::uint64_t last_;
  TimePoint last_look_ = TimePoint::min();  // for duplicates: a round began, or there were none
  TimePoint next_ = TimePoint::min();
};

}  // namespace radixmesh
