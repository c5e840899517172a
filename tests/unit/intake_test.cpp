// When a connection counts as amid a message without end, and who is cut for it of those that we
// connected to; with connections over loopback.
#include "sidecar/intake.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <memory>
#include <set>

#include "lib/base/limits.h"
#include "sidecar/outbound.h"
#include "tests/unit/tcp_pair.h"

namespace radixmesh {
namespace {

constexpr std::size_t kMost = 1000, kWaiting = 10'000;

class OneDialled {
 public:
  // As libzmq reads it, whether it makes whole messages or not.
  void comes(std::size_t bytes) const {
    pair.say(bytes);
    pair.read(bytes);
  }
  void hears(std::size_t bytes) { outbound.heard(pair.descriptor(), bytes); }
  // All of this process's descriptors are looked at, but for the listener's side.
  void look() {
    outbound.look_after(
        now, [this] { return nothing_waits; },
        [this](int descriptor) { return not_ours.contains(descriptor); });
  }
  // After more looks than one.
  bool is_cut() {
    for (int i = 0; i < 3; ++i) look();
    return pair.is_cut();
  }

  TimePoint now{};
  bool nothing_waits = true;
  Outbound outbound{{kMost, kWaiting}};
  TcpListener listener;
  TcpPair pair{listener};
  std::set<int> not_ours{pair.theirs()};
};

TEST_CASE("a connection that was there before us is nobody's to cut") {
  TcpListener listener;
  TcpPair pair(listener);
  Outbound outbound({kMost, kWaiting});
  pair.say(5 * kMost);
  pair.read(5 * kMost);
  for (int i = 0; i < 3; ++i) {
    outbound.look_after(
        TimePoint{} + i * std::chrono::hours(1), [] { return true; }, [](int) { return false; });
  }
  CHECK(!pair.is_cut());
  CHECK(outbound.cuts() == 0);
}

TEST_CASE("a message that never ends is cut, at its bound and not before") {
  OneDialled dialled;
  dialled.comes(kMost);
  CHECK(!dialled.is_cut());
  dialled.comes(1);
  dialled.look();
  CHECK(dialled.pair.is_cut());
  CHECK(dialled.outbound.cuts() == 1);
  CHECK(dialled.is_cut());
  CHECK(dialled.outbound.cuts() == 1);
}

TEST_CASE("whole messages that were heard add up to anything, however late or many at once") {
  OneDialled dialled;
  for (int i = 0; i < 5; ++i) {
    dialled.comes(5 * kMost);
    for (int k = 0; k < 5; ++k) dialled.hears(kMost);
    CHECK(!dialled.is_cut());
  }
  // What waits in the kernel costs nothing here.
  dialled.pair.say(2 * kMost);
  CHECK(!dialled.is_cut());
  dialled.pair.read(2 * kMost);
  CHECK(dialled.is_cut());
}

TEST_CASE("tiny messages before one without end do not hide it") {
  OneDialled dialled;
  dialled.comes(100 + 3 * kMost);
  for (int i = 0; i < 10; ++i) dialled.hears(10);
  CHECK(dialled.is_cut());
}

TEST_CASE("while something waits to be read, it may be of this connection, as much as may wait") {
  OneDialled dialled;
  dialled.nothing_waits = false;
  dialled.comes(kMost + kWaiting);
  CHECK(!dialled.is_cut());
  dialled.comes(1);
  CHECK(dialled.is_cut());
}

TEST_CASE("of a connection that was cut nothing is read any more, whatever came before") {
  OneDialled dialled;
  dialled.hears(1);
  dialled.pair.say(kMost);
  dialled.outbound.cut(dialled.pair.descriptor());
  char byte = 0;
  CHECK(::recv(dialled.pair.descriptor(), &byte, 1, MSG_DONTWAIT) <= 0);
  CHECK(dialled.pair.is_cut());
}

TEST_CASE(
    "a connection of which nobody told is found, in time; one that came up or went, at once") {
  OneDialled dialled;
  dialled.look();
  const auto silent = [&] {
    auto pair = std::make_unique<TcpPair>(dialled.listener);
    dialled.not_ours.insert(pair->theirs());
    pair->say(kMost + 1);
    pair->read(kMost + 1);
    return pair;
  };
  const auto untold = silent();
  dialled.now += limits::connections_searched_every - Duration{1};
  dialled.look();
  CHECK(!untold->is_cut());
  dialled.now += Duration{1};
  dialled.look();
  CHECK(untold->is_cut());
  const auto told = silent();
  dialled.outbound.came_up();
  dialled.look();
  CHECK(told->is_cut());
  const auto instead = silent();
  dialled.pair.close_ours();
  dialled.look();
  CHECK(instead->is_cut());
}

TEST_CASE("connections of others, and numbers that nobody knows, are left alone") {
  OneDialled dialled;
  dialled.comes(2 * kMost);
  dialled.outbound.look_after(
      dialled.now, [] { return true; }, [](int) { return true; });
  CHECK(!dialled.pair.is_cut());
  dialled.hears(1);
  dialled.outbound.heard(-1, 1);
  dialled.outbound.cut(-1);
  CHECK(dialled.outbound.cuts() == 0);
}

TEST_CASE("a number that is another connection's by now is not cut for what came before") {
  OneDialled dialled;
  dialled.hears(kMost);
  const TcpPair other(dialled.listener);
  dialled.not_ours.insert(other.descriptor());
  other.say(2 * kMost + 1);
  other.read(2 * kMost + 1);
  REQUIRE(::dup2(other.descriptor(), dialled.pair.descriptor()) == dialled.pair.descriptor());
  // What was heard of it before this look is not known, so all is taken as heard.
  dialled.look();
  CHECK(!dialled.outbound.cut(dialled.pair.descriptor() + 1000));
  CHECK(!other.is_cut());
  // ... and then it has its own bound.
  other.say(kMost);
  other.read(kMost);
  dialled.look();
  CHECK(!other.is_cut());
  other.say(1);
  other.read(1);
  dialled.look();
  CHECK(other.is_cut());
}

TEST_CASE("a number of a connection that is gone cuts nobody who has it now") {
  OneDialled dialled;
  dialled.hears(1);
  const TcpPair other(dialled.listener);
  dialled.not_ours.insert(other.descriptor());
  REQUIRE(::dup2(other.descriptor(), dialled.pair.descriptor()) == dialled.pair.descriptor());
  CHECK(!dialled.outbound.cut(dialled.pair.descriptor()));
  CHECK(!other.is_cut());
}

TEST_CASE("what waits still of a connection that was cut says nothing of who has its number now") {
  OneDialled dialled;
  dialled.hears(1);
  CHECK(dialled.outbound.cut(dialled.pair.descriptor()));
  const TcpPair other(dialled.listener);
  dialled.not_ours.insert(other.descriptor());
  REQUIRE(::dup2(other.descriptor(), dialled.pair.descriptor()) == dialled.pair.descriptor());
  dialled.hears(1);
  CHECK(!dialled.outbound.cut(dialled.pair.descriptor()));
  CHECK(!other.is_cut());
  dialled.look();
  CHECK(!other.is_cut());
  CHECK(dialled.outbound.cut(dialled.pair.descriptor()));
  CHECK(other.is_cut());
}

}  // namespace
}  // namespace radixmesh
