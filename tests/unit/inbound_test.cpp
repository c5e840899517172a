// Who is cut of those that connected to a bound socket; with connections over loopback, and times
// that are told.
#include "sidecar/inbound.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "lib/base/limits.h"
#include "tests/unit/tcp_pair.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kUnfinishedBytesMax = 1000;
constexpr TimePoint kStart{Duration{1'000'000}};
constexpr NodeId kMember{1}, kOtherMember{2}, kStranger{99};

class Fixture {
 public:
  explicit Fixture(std::size_t connections_max = 200)
      : inbound({connections_max, {kUnfinishedBytesMax, 0}},
                [this](NodeId id) { return members.contains(id); }) {}

  const TcpPair& comes(TimePoint now) {
    pairs_.push_back(std::make_unique<TcpPair>(listener_));
    inbound.accepted(now, pairs_.back()->descriptor());
    return *pairs_.back();
  }
  const TcpPair& comes_and_says(TimePoint now, std::optional<NodeId> who) {
    const TcpPair& pair = comes(now);
    inbound.heard(now, pair.descriptor(), 0, who);
    return pair;
  }
  void look_after(TimePoint now) {
    inbound.look_after(now, [] { return true; });
  }
  std::size_t cut() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(pairs_, [](const auto& pair) { return pair->is_cut(); }));
  }

  std::set<NodeId> members{kMember, kOtherMember};
  Inbound inbound;

 private:
  TcpListener listener_;
  std::vector<std::unique_ptr<TcpPair>> pairs_;
};

TEST_CASE("who says nothing is cut after silent_connection_max, and not before") {
  Fixture fixture;
  const TcpPair& silent = fixture.comes(kStart);
  const TcpPair& member = fixture.comes_and_says(kStart, kMember);
  fixture.look_after(kStart + limits::silent_connection_max - 1ms);
  CHECK(!silent.is_cut());
  fixture.look_after(kStart + limits::silent_connection_max);
  CHECK(silent.is_cut());
  CHECK(fixture.inbound.cuts() == 1);
  fixture.look_after(kStart + 24h);
  CHECK(!member.is_cut());
}

TEST_CASE("strangers beyond the bound go, those heard least lately first, and no member") {
  Fixture fixture;
  const TcpPair& member = fixture.comes_and_says(kStart, kMember);
  const TcpPair& oldest = fixture.comes_and_says(kStart + 1ms, kStranger);
  std::vector<const TcpPair*> others;
  for (std::size_t i = 0; i < limits::stranger_connections_max; ++i) {
    others.push_back(&fixture.comes_and_says(kStart + 2ms, std::nullopt));
  }
  CHECK(fixture.inbound.crowded());
  fixture.look_after(kStart + 3ms);
  CHECK(!fixture.inbound.crowded());
  CHECK(oldest.is_cut());
  CHECK(!member.is_cut());
  CHECK(fixture.cut() == 1);
  // One that is heard again counts as new.
  fixture.inbound.heard(kStart + 4ms, others[0]->descriptor(), 0, std::nullopt);
  fixture.comes(kStart + 5ms);
  fixture.look_after(kStart + 6ms);
  CHECK(!others[0]->is_cut());
  CHECK(fixture.cut() == 2);
}

TEST_CASE("where there are few descriptors, members come before strangers") {
  Fixture fixture(4);
  fixture.comes_and_says(kStart, kMember);
  fixture.comes_and_says(kStart, kOtherMember);
  for (int i = 0; i < 10; ++i) fixture.comes(kStart);
  CHECK(fixture.inbound.crowded());
  fixture.look_after(kStart);
  CHECK(fixture.inbound.size() == 4);
  CHECK(fixture.cut() == 8);
}

TEST_CASE("a node has two connections, and the one heard least lately goes for a third") {
  Fixture fixture;
  const TcpPair& first = fixture.comes_and_says(kStart, kMember);
  const TcpPair& second = fixture.comes_and_says(kStart + 1ms, kMember);
  const TcpPair& other = fixture.comes_and_says(kStart + 1ms, kOtherMember);
  fixture.inbound.heard(kStart + 2ms, first.descriptor(), 0, kMember);
  CHECK(fixture.cut() == 0);
  fixture.comes_and_says(kStart + 3ms, kMember);
  CHECK(second.is_cut());
  CHECK(!first.is_cut());
  CHECK(!other.is_cut());
}

TEST_CASE("a connection is a member's by whom it once said it is, and as long as that is one") {
  Fixture fixture;
  const TcpPair& member = fixture.comes_and_says(kStart, kMember);
  // Words without a name leave it what it is; who is let in later is a member then.
  fixture.inbound.heard(kStart + 1ms, member.descriptor(), 0, std::nullopt);
  const TcpPair& guest = fixture.comes_and_says(kStart + 1ms, kStranger);
  fixture.members.insert(kStranger);
  const auto fill = [&](TimePoint now) {
    for (std::size_t i = 0; i < limits::stranger_connections_max + 10; ++i) fixture.comes(now);
    fixture.look_after(now);
  };
  fill(kStart + 2ms);
  CHECK(!member.is_cut());
  CHECK(!guest.is_cut());
  fixture.members.erase(kStranger);
  fill(kStart + 3ms);
  CHECK(!member.is_cut());
  CHECK(guest.is_cut());
}

TEST_CASE("a connection has topics_of_a_connection_max topics at once") {
  Fixture fixture;
  const TcpPair& pair = fixture.comes_and_says(kStart, kMember);
  for (int round = 0; round < 100; ++round) {
    CHECK(fixture.inbound.subscribed(pair.descriptor(), "a", true));
    CHECK(fixture.inbound.subscribed(pair.descriptor(), "a", true));
    CHECK(fixture.inbound.subscribed(pair.descriptor(), "a", false));
  }
  for (std::uint32_t i = 0; i < limits::topics_of_a_connection_max; ++i) {
    CHECK(fixture.inbound.subscribed(pair.descriptor(), std::to_string(i), true));
  }
  CHECK(!fixture.inbound.subscribed(pair.descriptor(), "one more", true));
  CHECK(pair.is_cut());
}

TEST_CASE("the end of a subscription that never began makes no room for another, and cuts") {
  Fixture fixture;
  const TcpPair& pair = fixture.comes_and_says(kStart, kMember);
  CHECK(fixture.inbound.subscribed(pair.descriptor(), "a", true));
  CHECK(!fixture.inbound.subscribed(pair.descriptor(), "b", false));
  CHECK(pair.is_cut());
}

TEST_CASE("a message that never ends is noticed by its bytes") {
  Fixture fixture;
  const TcpPair& pair = fixture.comes_and_says(kStart, kMember);
  pair.say(kUnfinishedBytesMax);
  pair.read(kUnfinishedBytesMax);
  fixture.look_after(kStart + 1ms);
  CHECK(!pair.is_cut());
  // What is heard may add up to anything; what waits in the kernel costs nothing here.
  fixture.inbound.heard(kStart + 2ms, pair.descriptor(), kUnfinishedBytesMax, kMember);
  pair.say(kUnfinishedBytesMax);
  pair.read(kUnfinishedBytesMax);
  pair.say(kUnfinishedBytesMax);
  fixture.look_after(kStart + 3ms);
  CHECK(!pair.is_cut());
  pair.read(1);
  fixture.look_after(kStart + 4ms);
  CHECK(pair.is_cut());
}

TEST_CASE("a number of a descriptor that is another file's by now is left alone") {
  Fixture fixture;
  const TcpPair& pair = fixture.comes(kStart);
  const TcpPair& other = fixture.comes_and_says(kStart, kMember);
  REQUIRE(::dup2(other.descriptor(), pair.descriptor()) == pair.descriptor());
  fixture.inbound.cut(pair.descriptor());
  CHECK(!other.is_cut());
  CHECK(fixture.inbound.cuts() == 0);
  CHECK(!fixture.inbound.knows(pair.descriptor()));
}

}  // namespace
}  // namespace radixmesh
