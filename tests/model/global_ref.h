// The collection of one page by global references, as a model: each reader has one register at the
// owner, whose version only it raises. Odd: it refers to the page; even: it does not. The owner
// merges by the maximum, confirms odd versions, and frees the slot when all are even; after that it
// denies odd ones. A message once sent can be delivered at any later step, again and again.
//
// A session that ended (crash, lapsed lease) takes its register with it; there may be any number.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "tests/model/search.h"

namespace radixmesh::model {

enum class GlobalGuard : std::uint8_t {
  none,
  confirm,           // a reference is used only when the owner has confirmed its version
  versions,          // registers are merged by version; else acquisitions and releases are counted
  check_after_read,  // as in local_ref.h
};

class GlobalRef {
 public:
  static constexpr int kReadersMax = 3;
  static constexpr int kVersionMax = 4;
  enum Ref : std::uint8_t { no_ref, has_ref, read_good, read_freed, used_freed };

  struct Reader {
    std::uint8_t version = 0;
    std::uint8_t sent = 0, confirmed = 0;  // a bit for each version
    std::uint8_t confirmed_version = 0;    // that the reader knows of
    Ref ref = no_ref;
    std::int8_t at_owner = 0;  // the register, or the count

    std::uint32_t key() const {
      return version | sent << 3 | confirmed << 8 | confirmed_version << 13 | ref << 16 |
             static_cast<std::uint32_t>(at_owner + 8) << 19;
    }
  };
  struct State {
    std::array<Reader, kReadersMax> readers;
    bool freed = false;

    std::uint64_t key() const { return key_of_alike(readers, freed); }
  };

  GlobalRef(int readers, GlobalGuard removed) : readers_(readers), removed_(removed) {}

  State initial() const { return {}; }
  bool is_goal(const State& state) const { return state.freed; }
  bool is_fault(std::string_view what) const { return what == kCrash || what == kLapse; }
  const char* violation(const State& state) const {
    for (const Reader& reader : state.readers) {
      if (reader.ref == used_freed) return "bytes of a freed slot were used";
    }
    return nullptr;
  }

  template <class F>
  void for_each_step(const State& state, F&& f) const {
    const bool unused = std::ranges::all_of(state.readers, [&](const Reader& each) {
      return guards(GlobalGuard::versions) ? each.at_owner % 2 == 0 : each.at_owner <= 0;
    });
    if (!state.freed && unused) {
      State next = state;
      next.freed = true;
      f(next, "the owner frees the slot");
    }
    for (int i = 0; i < readers_; ++i) {
      const auto with = [&](auto&& change, const char* what) {
        State next = state;
        change(next.readers[i]);
        f(next, what);
      };
      session_steps(state.readers[i], with);
      message_steps(state, state.readers[i], with);
      reference_steps(state, state.readers[i], with);
    }
  }

 private:
  static constexpr const char* kCrash = "a reader crashes";
  static constexpr const char* kLapse = "a reader's lease lapses";

  bool guards(GlobalGuard guard) const { return removed_ != guard; }

  template <class With>
  void session_steps(const Reader& now, With&& with) const {
    with([](Reader& reader) { reader = Reader{}; }, kCrash);
    with(
        [&](Reader& reader) {
          const bool reads = !guards(GlobalGuard::check_after_read);
          reader = Reader{.ref = reads ? now.ref : no_ref};
        },
        kLapse);
  }

  template <class With>
  void message_steps(const State& state, const Reader& now, With&& with) const {
    for (std::uint8_t version = 1; version <= kVersionMax; ++version) {
      const bool odd = version % 2 == 1;
      if ((now.sent >> version & 1) != 0 && !(state.freed && odd)) {
        with([&](Reader& reader) { receive(reader, version); }, "the owner gets a version");
      }
      if ((now.confirmed >> version & 1) != 0 && now.confirmed_version < version) {
        with([&](Reader& reader) { reader.confirmed_version = version; },
             "a reader gets a confirmation");
      }
    }
  }

  void receive(Reader& reader, std::uint8_t version) const {
    const bool odd = version % 2 == 1;
    if (guards(GlobalGuard::versions)) {
      reader.at_owner = std::max<std::int8_t>(reader.at_owner, static_cast<std::int8_t>(version));
    } else {
      const int count = reader.at_owner + (odd ? 1 : -1);
      reader.at_owner = static_cast<std::int8_t>(std::clamp(count, -3, 3));
    }
    if (odd) reader.confirmed |= 1u << version;
  }

  template <class With>
  void reference_steps(const State& state, const Reader& now, With&& with) const {
    const bool odd = now.version % 2 == 1;
    if (!odd && now.version < kVersionMax && now.ref == no_ref) {
      with([](Reader& reader) { reader.sent |= 1u << ++reader.version; }, "a reader asks");
    }
    if (odd && now.ref == no_ref &&
        (now.confirmed_version == now.version || !guards(GlobalGuard::confirm))) {
      with([](Reader& reader) { reader.ref = has_ref; }, "a reader takes a reference");
    }
    if (now.ref == has_ref) {
      with([&](Reader& reader) { reader.ref = state.freed ? read_freed : read_good; },
           "a reader has read the bytes");
    }
    if (now.ref == read_freed) {
      with([](Reader& reader) { reader.ref = used_freed; }, "a reader uses them");
    }
    if (odd && (now.ref == no_ref || now.ref == read_good)) {
      with(
          [](Reader& reader) {
            reader.ref = no_ref;
            reader.sent |= 1u << ++reader.version;
          },
          "a reader releases");
    }
  }

  int readers_;
  GlobalGuard removed_;
};

}  // namespace radixmesh::model
