// Who is cut of those that we connected to; with connections over loopback, and times that are
// told.
#include "sidecar/outbound.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "tests/unit/tcp_pair.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kUnfinishedBytesMax = 1000;

class Fixture {
 public:
  // As libzmq reads it, whether it makes whole messages or not.
  void comes(std::size_t bytes) const {
    pair.say(bytes);
    pair.read(bytes);
  }
  // A millisecond after the last one. All other descriptors of this process are somebody else's.
  bool look(bool nothing_waits = true) {
    now += 1ms;
    return outbound.look_after(now, nothing_waits,
                               [this](int descriptor) { return descriptor != pair.descriptor(); });
  }

  TimePoint now{Duration{1'000'000}};
  TcpListener listener;
  TcpPair pair{listener};
  Outbound outbound{kUnfinishedBytesMax};
};

TEST_CASE("a message that never ends is cut at the second look, if nothing was heard before") {
  Fixture fixture;
  fixture.comes(kUnfinishedBytesMax);
  for (int i = 0; i < 3; ++i) CHECK(!fixture.look());
  CHECK(!fixture.pair.is_cut());
  fixture.comes(1);
  CHECK(fixture.look());
  CHECK(!fixture.pair.is_cut());
  fixture.look();
  CHECK(fixture.pair.is_cut());
  CHECK(fixture.outbound.cuts() == 1);
  CHECK(!fixture.look());
  CHECK(fixture.outbound.cuts() == 1);
}

TEST_CASE("where there is always more to read, the second look is as late as a first one") {
  Fixture fixture;
  fixture.comes(kUnfinishedBytesMax + 1);
  fixture.look(false);
  const TimePoint first = fixture.now;
  while (fixture.now + 1ms < first + limits::connections_looked_at_every) fixture.look(false);
  CHECK(!fixture.pair.is_cut());
  fixture.look(false);
  CHECK(fixture.pair.is_cut());
}

TEST_CASE("of a connection that was cut nothing is read any more, whatever came before") {
  Fixture fixture;
  fixture.outbound.heard(fixture.now, fixture.pair.descriptor());
  fixture.pair.say(kUnfinishedBytesMax);
  fixture.outbound.cut(fixture.pair.descriptor());
  char byte = 0;
  CHECK(::recv(fixture.pair.descriptor(), &byte, 1, MSG_DONTWAIT) <= 0);
  CHECK(fixture.pair.is_cut());
}

TEST_CASE("what was heard counts for nothing, and neither does what waits in the kernel") {
  Fixture fixture;
  for (int i = 1; i < 5; ++i) {
    fixture.comes(2 * kUnfinishedBytesMax);
    fixture.look();
    fixture.outbound.heard(fixture.now, fixture.pair.descriptor());
    fixture.look();
  }
  fixture.pair.say(2 * kUnfinishedBytesMax);
  for (int i = 0; i < 3; ++i) fixture.look();
  CHECK(!fixture.pair.is_cut());
  fixture.pair.read(2 * kUnfinishedBytesMax);
  fixture.look();
  fixture.look();
  CHECK(fixture.pair.is_cut());
}

TEST_CASE("connections of others, and what is no connection, are left alone") {
  Fixture fixture;
  fixture.comes(2 * kUnfinishedBytesMax);
  for (int i = 0; i < 3; ++i)
    fixture.outbound.look_after(fixture.now += 1ms, true, [](int) { return true; });
  CHECK(!fixture.pair.is_cut());
  fixture.outbound.heard(fixture.now, -1);
  fixture.outbound.cut(-1);
  fixture.outbound.cut(fixture.pair.descriptor());
  CHECK(fixture.outbound.cuts() == 0);
}

TEST_CASE("a number that is another connection's by now counts from the start, and is not cut") {
  Fixture fixture;
  fixture.comes(2 * kUnfinishedBytesMax);
  fixture.look();
  const TcpPair other(fixture.listener);
  REQUIRE(::dup2(other.descriptor(), fixture.pair.descriptor()) == fixture.pair.descriptor());
  fixture.outbound.cut(fixture.pair.descriptor());
  CHECK(fixture.outbound.cuts() == 0);
  fixture.look();
  fixture.look();
  CHECK(!other.is_cut());
}

}  // namespace
}  // namespace radixmesh
