// Holds, as a model: an owner whose copy is to go, and a better holder that it asks to keep its own
// until then.
//
//   owner                                  better holder
//   a round begins: HOLD(round) ─────────► keeps its copy, if it has one
//   counts on it    ◄───────── HELD(round)
//   the copy goes, or is given up:
//                   END(round) ──────────► keeps it no more; nor does it when the lease has lapsed
//
// A message once sent can be delivered at any later step, again and again. The better holder evicts
// its copy whenever it keeps it for no round, and inserts it again. There may be any number of
// rounds. All before the present one are one here: what they sent may come late, and what is kept
// for them may lapse, whichever of them it was.
//
// Clocks are abstract: a lease lapses only when its round is over.
#pragma once

#include <cstdint>
#include <string_view>

namespace radixmesh::model {

enum class HoldGuard : std::uint8_t {
  none,
  held,   // the copy goes only when the better holder has said that it keeps its own
  round,  // ... for this round
  lease,  // a round is given up before its hold can have ended without its word
  end,    // the end of a round ends no hold for another
  keep,   // what is kept is not evicted
};

// What there is between the two.
struct Asking {
  enum Owner : std::uint8_t { idle, asks, counts };
  struct Round {
    bool hold = false, held = false, end = false;  // was sent
    bool kept = false;
    std::uint32_t key() const { return hold | held << 1 | end << 2 | kept << 3; }
  };
  Owner owner = idle;
  Round now, before;  // the present round, or the last one; all before that

  bool is_kept() const { return now.kept || before.kept; }
  std::uint32_t key() const { return owner | now.key() << 2 | before.key() << 6; }

  void end_round() {
    if (owner != idle) now.end = true;
    owner = idle;
  }
};

// What may happen between the two; also between two owners that ask each other.
class HoldRules {
 public:
  explicit HoldRules(HoldGuard removed) : removed_(removed) {}

  bool may_go(const Asking& now) const {
    return now.owner == Asking::counts || (now.owner == Asking::asks && !guards(HoldGuard::held));
  }
  bool may_evict(const Asking& now) const { return !now.is_kept() || !guards(HoldGuard::keep); }

  // Calls f(Asking next, const char* what). `may_begin`: a round. `has_copy`: the better holder.
  template <class F>
  void for_each_step(const Asking& now, bool may_begin, bool has_copy, F&& f) const {
    owner_steps(now, may_begin, f);
    for (Asking::Round Asking::*which : {&Asking::now, &Asking::before}) {
      const bool is_now = which == &Asking::now;
      const Asking::Round& round = now.*which;
      Asking next = now;
      if (round.hold && has_copy) {
        (next.*which).kept = (next.*which).held = true;
        f(next, is_now ? "the better holder gets HOLD, and keeps its copy"
                       : "the better holder gets an earlier HOLD, and keeps its copy");
      }
      next = now;
      (next.*which).kept = false;
      if (round.kept && (!is_now || now.owner == Asking::idle || !guards(HoldGuard::lease))) {
        f(next, "the lease of a hold lapses");
      }
      if (!guards(HoldGuard::end)) next.now.kept = next.before.kept = false;
      if (round.end) f(next, "the better holder gets the end of a round");
    }
  }

 private:
  bool guards(HoldGuard guard) const { return removed_ != guard; }

  template <class F>
  void owner_steps(const Asking& now, bool may_begin, F&& f) const {
    Asking next = now;
    if (now.owner == Asking::idle) {
      if (!may_begin) return;
      next.before = {now.now.hold || now.before.hold, now.now.held || now.before.held,
                     now.now.end || now.before.end, now.is_kept()};
      next.now = {.hold = true};
      next.owner = Asking::asks;
      return f(next, "the owner begins a round");
    }
    next.end_round();
    f(next, "the owner gives the round up");
    if (now.owner == Asking::counts) return;
    next = now;
    next.owner = Asking::counts;
    if (now.now.held) f(next, "the owner gets HELD");
    if (now.before.held && !guards(HoldGuard::round)) f(next, "the owner gets an earlier HELD");
  }

  HoldGuard removed_;
};

class Hold {
 public:
  struct State {
    Asking asking;
    bool copy = true;  // of the better holder
    bool gone = false, lost_last = false;
    std::uint64_t key() const { return asking.key() << 3 | copy | gone << 1 | lost_last << 2; }
  };

  explicit Hold(HoldGuard removed) : rules_(removed) {}

  State initial() const { return {}; }
  bool is_goal(const State& state) const { return state.gone; }
  bool is_fault(std::string_view) const { return false; }
  const char* violation(const State& state) const {
    return state.lost_last ? "the last copy was freed" : nullptr;
  }

  template <class F>
  void for_each_step(const State& state, F&& f) const {
    State next = state;
    rules_.for_each_step(state.asking, !state.gone, state.copy,
                         [&](const Asking& asking, const char* what) {
                           next.asking = asking;
                           f(next, what);
                         });
    next = state;
    if (!state.copy) {
      next.copy = true;
      f(next, "the better holder inserts it again");
    } else if (rules_.may_evict(state.asking)) {
      next.copy = false;
      f(next, "the better holder evicts it");
    }
    if (!state.gone && rules_.may_go(state.asking)) {
      next = state;
      next.gone = true;
      next.lost_last = !state.copy;
      next.asking.end_round();
      f(next, "DELETE, and the slot is freed");
    }
  }

 private:
  HoldRules rules_;
};

}  // namespace radixmesh::model
