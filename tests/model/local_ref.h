// The collection of one page by local references, as a model: an owner whose copy is a duplicate, a
// better holder, and readers that take references, read the bytes, and use them.
//
// What the owner says to all is one ordered stream, of which a reader has applied a beginning:
//
//   0 INSERT   1 RETIRE   2 GC_ABORT   3 RETIRE, the second generation;   then, after 1 or 3,
//   DELETE
//
// What a reader says to the owner may come late, twice or never: a message once sent can be
// delivered at any later step. A statement says "I have applied so much, and hold no reference".
//
// Simplifications, each of which gives the adversary no less than it would have:
//   - a session that ended (crash, lapsed lease) is expired by the owner at once
//   - a reader says that it is free as soon as it is
//   - the first answer to a registration arrives at once: no later one names an earlier position
//   - a read that ends before the slot is freed is not followed: its bytes are good
//   - the new life of a reader may begin with any older state of the stream
// Clocks are abstract: the owner expires a session only when the reader's own lease has lapsed.
// There is no bound on crashes, lapses and sessions. A hold is shared memory here: its messages are
// in hold.h. The owner's own restart is in owner_restart.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "tests/model/search.h"

namespace radixmesh::model {

// Each guard of the protocol; without any one of them it is wrong.
enum class Guard : std::uint8_t {
  none,
  fence,             // who applied a RETIRE grants no new reference
  registration,      // no reference without the owner's answer to a registration
  position,          // ... nor before having applied what that answer names
  check_after_read,  // the lease is checked after the bytes came, not before
  wait_for_lease,    // the owner expires nobody whose lease may be valid
  order,             // the owner's ops are applied in their order
  generation,        // an agreement counts for the RETIRE that it has seen, and no later one
  statements,        // (without it nothing goes wrong, but nothing is ever freed)
  hold,              // the better holder keeps its copy for this round
};

class LocalRef {
 public:
  static constexpr int kReadersMax = 4;
  enum Ref : std::uint8_t { no_ref, has_ref, used_freed };

  struct Reader {
    std::uint8_t applied = 0;     // 0 to 3, or kDeleted
    std::uint8_t session = 0;     // 0: none, 1: registration sent, 2 + p: answered with position p
    std::uint8_t statements = 0;  // a bit for each position as of which it said that it is free
    Ref ref = no_ref;
    bool registered = false, agreed = false;  // at the owner

    std::uint32_t key() const {
      return applied | session << 3 | statements << 6 | ref << 10 | registered << 12 | agreed << 13;
    }
  };
  struct State {
    std::array<Reader, kReadersMax> readers;
    std::uint8_t head = 0;  // of the owner's stream, without the DELETE
    bool deleted = false;
    std::uint8_t copies = 1;  // the better holder has it: 1, else 0
    bool held = false;
    bool lost_last = false;  // deleted when the better holder had none

    std::uint64_t key() const {
      return key_of_alike(readers, head | copies << 3 | held << 4 | lost_last << 5 | deleted << 6);
    }
  };

  LocalRef(int readers, Guard removed) : readers_(readers), removed_(removed) {}

  State initial() const { return {}; }
  bool is_goal(const State& state) const { return state.deleted; }
  bool is_fault(std::string_view what) const { return what == kCrash || what == kLapse; }
  const char* violation(const State& state) const {
    if (state.lost_last) return "the last copy was freed";
    for (const Reader& reader : state.readers) {
      if (reader.ref == used_freed) return "bytes of a freed slot were used";
    }
    return nullptr;
  }

  template <class F>
  void for_each_step(const State& state, F&& f) const {
    owner_steps(state, f);
    for (int i = 0; i < readers_; ++i) reader_steps(state, i, f);
  }

 private:
  static constexpr std::uint8_t kDeleted = 4;
  static constexpr const char* kCrash = "a reader crashes, and starts from a snapshot of some age";
  static constexpr const char* kLapse = "a reader's lease lapses";
  bool guards(Guard guard) const { return removed_ != guard; }
  static bool retires(std::uint8_t position) { return position == 1 || position == 3; }

  template <class F>
  void owner_steps(const State& state, F&& f) const {
    State next = state;
    if (state.copies == 0) {
      next.copies = 1;
      f(next, "the better holder inserts it again");
    } else if (!state.held) {
      next.copies = 0;
      f(next, "the better holder evicts it");
    }
    if (state.deleted) return;
    next = state;
    if (retires(state.head)) {
      if (state.copies == 1 && !state.held) {
        next.held = true;
        f(next, "the better holder holds it");
      }
      if (may_delete(state)) {
        next = state;
        next.deleted = true;
        next.held = false;
        next.lost_last = state.copies == 0;
        f(next, "DELETE, and the slot is freed");
      }
      if (state.head == 3) return;
      next = state;
      next.head = 2;
      next.held = false;
      f(next, "GC_ABORT");
    } else {
      ++next.head;
      for (Reader& reader : next.readers)
        reader.agreed = reader.agreed && !guards(Guard::generation);
      f(next, "RETIRE");
    }
  }

  bool may_delete(const State& state) const {
    if (guards(Guard::hold) && !state.held) return false;
    return std::ranges::all_of(state.readers,
                               [](const Reader& each) { return !each.registered || each.agreed; });
  }

  // A reader that is free says so, as of what it has applied.
  void state_if_free(Reader& reader) const {
    if (!guards(Guard::statements)) return;
    if (reader.session > 0 && reader.ref == no_ref && retires(reader.applied)) {
      reader.statements |= 1u << reader.applied;
    }
  }

  template <class F>
  void reader_steps(const State& state, int i, F&& f) const {
    const auto with = [&](auto&& change, const char* what) {
      State next = state;
      change(next, next.readers[i]);
      f(next, what);
    };
    const Reader& now = state.readers[i];
    stream_steps(state, now, with);
    session_steps(state, now, with);
    reference_steps(state, now, with);
  }

  template <class With>
  void stream_steps(const State& state, const Reader& now, With&& with) const {
    const bool in_order = guards(Guard::order);
    for (std::uint8_t to = 0; to <= kDeleted; ++to) {
      if (to == kDeleted ? !state.deleted : to > state.head) continue;  // there is no such op
      const bool next = to == (now.applied == state.head ? kDeleted : now.applied + 1);
      if (to != now.applied && (next || !in_order)) {
        with(
            [&](State&, Reader& reader) {
              reader.applied = to;
              state_if_free(reader);
            },
            "a reader applies an op of the owner");
      }
      with([&](State&, Reader& reader) { reader = Reader{.applied = to}; }, kCrash);
    }
  }

  template <class With>
  void session_steps(const State& state, const Reader& now, With&& with) const {
    if (now.session == 0) {
      with(
          [&](State&, Reader& reader) {
            reader.session = 1;
            state_if_free(reader);
          },
          "a reader registers");
      return;
    }
    with(
        [&](State&, Reader& reader) {
          const bool reads = !guards(Guard::check_after_read) && now.ref != no_ref;
          reader = Reader{.applied = now.applied, .ref = reads ? now.ref : no_ref};
        },
        kLapse);
    if (!guards(Guard::wait_for_lease) && now.registered) {
      with([&](State&, Reader& reader) { reader.registered = reader.agreed = false; },
           "the owner expires a reader");
    }
    with(
        [&](State&, Reader& reader) {
          reader.registered = true;
          if (reader.session == 1) reader.session = 2 + (state.deleted ? kDeleted : state.head);
        },
        "the owner gets a registration, and answers");
    for (std::uint8_t p = 0; p < kDeleted; ++p) {
      const bool counts =
          !state.deleted && retires(state.head) && (p >= state.head || !guards(Guard::generation));
      if ((now.statements >> p & 1) != 0 && now.registered && counts) {
        with([&](State&, Reader& reader) { reader.agreed = true; }, "the owner gets a statement");
      }
    }
  }

  template <class With>
  void reference_steps(const State& state, const Reader& now, With&& with) const {
    if (now.ref == no_ref) {
      if (!may_refer(now)) return;
      with([](State&, Reader& reader) { reader.ref = has_ref; }, "a reader takes a reference");
      return;
    }
    if (state.deleted) {
      with([](State&, Reader& reader) { reader.ref = used_freed; },
           "a reader reads the slot, and uses the bytes");
    }
    with(
        [this](State&, Reader& reader) {
          reader.ref = no_ref;
          state_if_free(reader);
        },
        "a reader is done, and releases");
  }

  bool may_refer(const Reader& reader) const {
    if (reader.applied == kDeleted) return false;
    if (guards(Guard::fence) && retires(reader.applied)) return false;
    if (!guards(Guard::registration)) return true;
    if (reader.session < 2) return false;
    return !guards(Guard::position) || reader.applied >= reader.session - 2;
  }

  int readers_;
  Guard removed_;
};

}  // namespace radixmesh::model
