// Two owners of the same page, each of which may find that the other's copy is the better one, as a
// model. Each sees the other's stream late: what it believes was true once.
#pragma once

#include <array>
#include <cstdint>

namespace radixmesh::model {

class TwoOwners {
 public:
  // What one has, and what the other believes of it.
  struct Copy {
    bool here = true, believed = true;
  };
  struct State {
    std::array<Copy, 2> copies;  // the first owner has the lower rank
    std::uint64_t key() const {
      return copies[0].here | copies[0].believed << 1 | copies[1].here << 2 |
             copies[1].believed << 3;
    }
  };

  // `by_rank`: an owner lets its copy go only in favour of one of a lower rank.
  explicit TwoOwners(bool by_rank) : by_rank_(by_rank) {}

  State initial() const { return {}; }
  bool is_goal(const State& state) const { return !state.copies[1].here; }
  bool is_fault(const char*) const { return false; }
  const char* violation(const State& state) const {
    return state.copies[0].here || state.copies[1].here ? nullptr : "the last copy was freed";
  }

  template <class F>
  void for_each_step(const State& state, F&& f) const {
    for (int owner : {0, 1}) {
      State next = state;
      if (state.copies[owner].here != state.copies[owner].believed) {
        next.copies[owner].believed = state.copies[owner].here;
        f(next, "the other hears of it");
      }
      next = state;
      const bool better = owner == 1 || !by_rank_;
      if (state.copies[owner].here && state.copies[1 - owner].believed && better) {
        next.copies[owner].here = false;
        f(next, "an owner frees its copy");
      }
    }
  }

 private:
  bool by_rank_;
};

}  // namespace radixmesh::model
