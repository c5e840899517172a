// Two owners of the same page, each of which may find that the other's copy is the better one, as a
// model. Each sees the other's stream late: what it believes was true once. Each asks the other to
// keep its copy for the round, as in hold.h, and each evicts its own, and inserts it again, as its
// engine wants it.
//
// That an engine evicts the last copy is its own affair; a round must never free it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tests/model/hold.h"

namespace radixmesh::model {

enum class OwnersGuard : std::uint8_t {
  none,
  holds,            // a copy goes only when the other one is kept for this round
  kept_by_round,    // an owner's own round does not free what it keeps for the other's
  kept_from_evict,  // ... nor does its engine's eviction
};

class TwoOwners {
 public:
  // Whose copy each of them takes for the better one. Views of the ranks may differ for a while.
  enum class Better : std::uint8_t { the_first, the_other };
  enum Copy : std::uint8_t { here, evicted, collected };
  struct Owner {
    Copy copy = here;
    bool believed = true;  // by the other, to have it
    Asking asking;         // of the other, by this one

    std::uint64_t key() const { return copy | believed << 2 | asking.key() << 3; }
  };
  struct State {
    std::array<Owner, 2> owners;  // the first has the lower rank
    bool lost_last = false;

    std::uint64_t key() const {
      return owners[0].key() | owners[1].key() << 16 | std::uint64_t{lost_last} << 32;
    }
  };

  TwoOwners(Better better, OwnersGuard removed)
      : better_(better),
        removed_(removed),
        rules_(removed == OwnersGuard::holds ? HoldGuard::held : HoldGuard::none) {}

  State initial() const { return {}; }
  bool is_goal(const State& state) const {
    return state.owners[0].copy == collected || state.owners[1].copy == collected;
  }
  bool is_fault(std::string_view) const { return false; }
  const char* violation(const State& state) const {
    return state.lost_last ? "the last copy was freed" : nullptr;
  }

  template <class F>
  void for_each_step(const State& state, F&& f) const {
    for (int i : {0, 1}) {
      State next = state;
      if ((state.owners[i].copy == here) != state.owners[i].believed) {
        next.owners[i].believed = state.owners[i].copy == here;
        f(next, "the other hears of it");
      }
      engine_steps(state, i, f);
      round_steps(state, i, f);
    }
  }

 private:
  bool guards(OwnersGuard guard) const { return removed_ != guard; }

  template <class F>
  void engine_steps(const State& state, int i, F&& f) const {
    State next = state;
    if (state.owners[i].copy != here) {
      next.owners[i].copy = here;
      f(next, "an owner inserts it again");
    } else if (!state.owners[1 - i].asking.is_kept() || !guards(OwnersGuard::kept_from_evict)) {
      next.owners[i].copy = evicted;
      next.owners[i].asking.end_round();
      f(next, "an owner evicts its copy");
    }
  }

  template <class F>
  void round_steps(const State& state, int i, F&& f) const {
    const Owner& owner = state.owners[i];
    const Owner& other = state.owners[1 - i];
    const bool is_worse = better_ == Better::the_other || i == 1;
    const bool may_go = is_worse && owner.copy == here && other.believed;
    State next = state;
    rules_.for_each_step(owner.asking, may_go, other.copy == here,
                         [&](const Asking& asking, const char* what) {
                           next.owners[i].asking = asking;
                           f(next, what);
                         });
    const bool keeps = other.asking.is_kept() && guards(OwnersGuard::kept_by_round);
    if (may_go && rules_.may_go(owner.asking) && !keeps) {
      next = state;
      next.owners[i].copy = collected;
      next.owners[i].asking.end_round();
      next.lost_last = other.copy != here;
      f(next, "an owner's round frees its copy");
    }
  }

  Better better_;
  OwnersGuard removed_;
  HoldRules rules_;
};

}  // namespace radixmesh::model
