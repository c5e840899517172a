// An owner that begins another life while its engine, and with it the page, lives on, as a model:
// local references as in local_ref.h, without the better holder.
//
// The new life takes back the state that some reader had, so its stream may go on from an earlier
// position than the former life had reached:
//
//   former life   0 INSERT   1 RETIRE   2 GC_ABORT   3 RETIRE
//   new life      0 as taken back   1 RETIRE   2 GC_ABORT   3 RETIRE
//          or                       1 as taken back   2 GC_ABORT   3 RETIRE
//
// It knows none of its registrations. As long as a lease of its former life may stand it frees
// nothing. A reader hears of the new life late, and goes on with the former one until then.
//
// There is no bound on restarts, crashes, lapses and sessions. All former lives are one here: a
// reader that knows any of them has applied a beginning of what any of them has said.
//
// Simplifications, beside those of local_ref.h, each of which gives the adversary no less:
//   - a state as of the last RETIRE is not taken back: what would follow is as after 0
//   - what has been freed stays freed: the engine knows it, so no older state is taken back
//   - a reader that hears of the new life may begin with any older state of its stream
// Clocks are abstract: the wait ends only when no lease of the former life stands any more.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "tests/model/search.h"

namespace radixmesh::model {

enum class RestartGuard : std::uint8_t {
  none,
  wait_after_restart,  // nothing is freed as long as a lease of the former life may stand
  life,                // what a reader says to another life of the owner is ignored
};

class OwnerRestart {
 public:
  static constexpr int kReadersMax = 2;
  enum Ref : std::uint8_t { no_ref, has_ref, used_freed };

  struct Reader {
    bool knows_former = false;    // and has not heard of the present life
    std::uint8_t applied = 0;     // 0 to 3 of that life, or kDeleted
    std::uint8_t session = 0;     // with it. 0: none, 1: asked for, 2 + p: answered with position p
    std::uint8_t statements = 0;  // a bit for each position as of which it said that it is free
    Ref ref = no_ref;
    bool registered = false, agreed = false;  // at the owner's present life

    std::uint32_t key() const {
      return applied | session << 3 | statements << 6 | ref << 10 | registered << 12 |
             agreed << 13 | knows_former << 14;
    }
  };
  struct State {
    std::array<Reader, kReadersMax> readers;
    std::uint8_t head = 0;  // of the present life's stream, without the DELETE
    bool deleted = false;
    bool restarted = false;        // there is a former life
    std::uint8_t former_head = 0;  // the furthest that any of them came
    bool waits = false;

    std::uint64_t key() const {
      return key_of_alike(readers,
                          head | former_head << 2 | deleted << 4 | restarted << 5 | waits << 6);
    }
  };

  OwnerRestart(int readers, RestartGuard removed) : readers_(readers), removed_(removed) {}

  State initial() const { return {}; }
  bool is_goal(const State& state) const { return state.deleted; }
  bool is_fault(std::string_view what) const {
    return what == kCrash || what == kLapse || what == kRestart;
  }
  const char* violation(const State& state) const {
    const bool broken = std::ranges::any_of(
        state.readers, [](const Reader& reader) { return reader.ref == used_freed; });
    return broken ? "bytes of a freed slot were used" : nullptr;
  }

  template <class F>
  void for_each_step(const State& state, F&& f) const {
    if (!state.deleted) {
      stream_of_owner(state, f);
      life_of_owner(state, f);
    }
    for (int i = 0; i < readers_; ++i) {
      const auto with = [&](auto&& change, const char* what) {
        State next = state;
        change(next.readers[i]);
        f(next, what);
      };
      const Reader& now = state.readers[i];
      stream_steps(state, now, with);
      session_steps(now, with);
      owner_hears(state, now, with);
      reference_steps(state, now, with);
    }
  }

 private:
  static constexpr std::uint8_t kDeleted = 4;
  static constexpr const char* kCrash = "a reader crashes, and starts from a snapshot of some age";
  static constexpr const char* kLapse = "a reader's lease lapses";
  static constexpr const char* kRestart = "the owner begins another life, and takes its state back";
  bool guards(RestartGuard guard) const { return removed_ != guard; }
  static bool retires(std::uint8_t position) { return position == 1 || position == 3; }

  template <class F>
  void stream_of_owner(const State& state, F&& f) const {
    State next = state;
    if (retires(state.head)) {
      const bool agreed = std::ranges::all_of(
          state.readers, [](const Reader& each) { return !each.registered || each.agreed; });
      if (agreed && !state.waits) {
        next.deleted = true;
        f(next, "DELETE, and the slot is freed");
      }
      if (state.head == 3) return;
      next = state;
      next.head = 2;
      f(next, "GC_ABORT");
    } else {
      ++next.head;
      for (Reader& reader : next.readers) reader.agreed = false;
      f(next, "RETIRE");
    }
  }

  // What was retired when it is taken back goes on with the GC_ABORT.
  template <class F>
  void life_of_owner(const State& state, F&& f) const {
    State next = state;
    next.restarted = true;
    next.former_head = std::max(state.head, state.former_head);
    next.waits = guards(RestartGuard::wait_after_restart);
    for (int i = 0; i < readers_; ++i) {
      next.readers[i].knows_former = true;
      next.readers[i].registered = next.readers[i].agreed = false;
    }
    for (int head : {0, 2}) {
      if (head > 0 && state.head == 0) continue;
      next.head = static_cast<std::uint8_t>(head);
      f(next, kRestart);
    }
    const bool may_stand = std::ranges::any_of(
        state.readers, [](const Reader& each) { return each.knows_former && each.session > 1; });
    if (!state.waits || may_stand) return;
    next = state;
    next.waits = false;
    f(next, "the owner has waited for the leases of its former life");
  }

  // A reader that is free says so, as of what it has applied.
  static void state_if_free(Reader& reader) {
    if (reader.session > 0 && reader.ref == no_ref && retires(reader.applied)) {
      reader.statements |= 1u << reader.applied;
    }
  }

  template <class With>
  void stream_steps(const State& state, const Reader& now, With&& with) const {
    const std::uint8_t head = now.knows_former ? state.former_head : state.head;
    const bool is_over = !now.knows_former && state.deleted;
    if (now.applied < head || (now.applied == head && is_over)) {
      with(
          [&](Reader& reader) {
            reader.applied = now.applied == head ? kDeleted : now.applied + 1;
            state_if_free(reader);
          },
          "a reader applies an op of the owner");
    }
    for (std::uint8_t to = 0; to <= kDeleted; ++to) {
      if (to == kDeleted ? state.deleted : to <= state.head) {
        with([&](Reader& reader) { reader = {.applied = to}; }, kCrash);
        if (now.knows_former) {
          // What stood under its registration is void.
          with([&](Reader& reader) { reader = {.applied = to}; },
               "a reader hears of the owner's new life");
        }
      }
      if (state.restarted && to <= state.former_head) {
        with([&](Reader& reader) { reader = {.knows_former = true, .applied = to}; }, kCrash);
      }
    }
  }

  template <class With>
  void session_steps(const Reader& now, With&& with) const {
    if (now.session == 0) {
      with(
          [&](Reader& reader) {
            reader.session = 1;
            state_if_free(reader);
          },
          "a reader registers");
    } else {
      with(
          [&](Reader& reader) {
            reader = {.knows_former = now.knows_former, .applied = now.applied};
          },
          kLapse);
    }
  }

  // Whatever the reader's session has said, late or again.
  template <class With>
  void owner_hears(const State& state, const Reader& now, With&& with) const {
    if (now.session == 0 || (now.knows_former && guards(RestartGuard::life))) return;
    with(
        [&](Reader& reader) {
          reader.registered = true;
          if (reader.session == 1) reader.session = 2 + (state.deleted ? kDeleted : state.head);
        },
        "the owner gets a registration, and answers");
    if (!now.registered || state.deleted || !retires(state.head)) return;
    if (now.statements >> state.head != 0) {
      with([](Reader& reader) { reader.agreed = true; }, "the owner gets a statement");
    }
  }

  template <class With>
  void reference_steps(const State& state, const Reader& now, With&& with) const {
    if (now.ref == no_ref) {
      // Nobody refers before it has applied what the owner's answer names.
      const bool answered = now.session > 1 && now.applied >= now.session - 2;
      if (!answered || now.applied == kDeleted || retires(now.applied)) return;
      with([](Reader& reader) { reader.ref = has_ref; }, "a reader takes a reference");
      return;
    }
    if (state.deleted) {
      with([](Reader& reader) { reader.ref = used_freed; },
           "a reader reads the slot, and uses the bytes");
    }
    with(
        [](Reader& reader) {
          reader.ref = no_ref;
          state_if_free(reader);
        },
        "a reader is done, and releases");
  }

  int readers_;
  RestartGuard removed_;
};

}  // namespace radixmesh::model
