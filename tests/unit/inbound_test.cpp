// Who is cut of those that connected to a bound socket; with connections over loopback, and times
// that are told.
#include "sidecar/inbound.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kUnfinishedBytesMax = 1000;
constexpr TimePoint kStart{Duration{1'000'000}};
constexpr NodeId kMember{1}, kOtherMember{2}, kStranger{99};

// Both ends of a connection.
class Pair {
 public:
  explicit Pair(int listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    theirs_ = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(theirs_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    ours_ = ::accept(listener, nullptr, nullptr);
    REQUIRE(ours_ >= 0);
  }
  ~Pair() {
    ::close(ours_);
    ::close(theirs_);
  }
  Pair(const Pair&) = delete;

  int descriptor() const { return ours_; }
  bool is_cut() const {
    char byte = 0;
    return ::recv(theirs_, &byte, 1, MSG_DONTWAIT) == 0;
  }
  void say(std::size_t bytes) const {
    const std::vector<char> data(bytes);
    REQUIRE(::send(theirs_, data.data(), bytes, 0) == static_cast<ssize_t>(bytes));
  }
  // As libzmq does, whole message or not.
  void read(std::size_t bytes) const {
    std::vector<char> data(bytes);
    REQUIRE(::recv(ours_, data.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes));
  }

 private:
  int ours_ = -1, theirs_ = -1;
};

class Fixture {
 public:
  explicit Fixture(std::size_t connections_max = 200)
      : inbound({connections_max, kUnfinishedBytesMax},
                [this](NodeId id) { return members.contains(id); }) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(listener_, 512) == 0);
  }
  ~Fixture() { ::close(listener_); }

  const Pair& comes(TimePoint now) {
    pairs_.push_back(std::make_unique<Pair>(listener_));
    inbound.accepted(now, pairs_.back()->descriptor());
    return *pairs_.back();
  }
  const Pair& comes_and_says(TimePoint now, std::optional<NodeId> who) {
    const Pair& pair = comes(now);
    inbound.heard(now, pair.descriptor(), who);
    return pair;
  }
  std::size_t cut() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(pairs_, [](const auto& pair) { return pair->is_cut(); }));
  }

  std::set<NodeId> members{kMember, kOtherMember};
  Inbound inbound;

 private:
  int listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  std::vector<std::unique_ptr<Pair>> pairs_;
};

TEST_CASE("who says nothing is cut after silent_connection_max, and not before") {
  Fixture fixture;
  const Pair& silent = fixture.comes(kStart);
  const Pair& member = fixture.comes_and_says(kStart, kMember);
  fixture.inbound.look_after(kStart + limits::silent_connection_max - 1ms);
  CHECK(!silent.is_cut());
  fixture.inbound.look_after(kStart + limits::silent_connection_max);
  CHECK(silent.is_cut());
  CHECK(fixture.inbound.cuts() == 1);
  fixture.inbound.look_after(kStart + 24h);
  CHECK(!member.is_cut());
}

TEST_CASE("strangers beyond the bound go, those heard least lately first, and no member") {
  Fixture fixture;
  const Pair& member = fixture.comes_and_says(kStart, kMember);
  const Pair& oldest = fixture.comes_and_says(kStart + 1ms, kStranger);
  std::vector<const Pair*> others;
  for (std::size_t i = 0; i < limits::stranger_connections_max; ++i) {
    others.push_back(&fixture.comes_and_says(kStart + 2ms, std::nullopt));
  }
  CHECK(fixture.inbound.crowded());
  fixture.inbound.look_after(kStart + 3ms);
  CHECK(!fixture.inbound.crowded());
  CHECK(oldest.is_cut());
  CHECK(!member.is_cut());
  CHECK(fixture.cut() == 1);
  // One that is heard again counts as new.
  fixture.inbound.heard(kStart + 4ms, others[0]->descriptor(), std::nullopt);
  fixture.comes(kStart + 5ms);
  fixture.inbound.look_after(kStart + 6ms);
  CHECK(!others[0]->is_cut());
  CHECK(fixture.cut() == 2);
}

TEST_CASE("where there are few descriptors, members come before strangers") {
  Fixture fixture(4);
  fixture.comes_and_says(kStart, kMember);
  fixture.comes_and_says(kStart, kOtherMember);
  for (int i = 0; i < 10; ++i) fixture.comes(kStart);
  CHECK(fixture.inbound.crowded());
  fixture.inbound.look_after(kStart);
  CHECK(fixture.inbound.size() == 4);
  CHECK(fixture.cut() == 8);
}

TEST_CASE("a node has two connections, and the one heard least lately goes for a third") {
  Fixture fixture;
  const Pair& first = fixture.comes_and_says(kStart, kMember);
  const Pair& second = fixture.comes_and_says(kStart + 1ms, kMember);
  const Pair& other = fixture.comes_and_says(kStart + 1ms, kOtherMember);
  fixture.inbound.heard(kStart + 2ms, first.descriptor(), kMember);
  CHECK(fixture.cut() == 0);
  fixture.comes_and_says(kStart + 3ms, kMember);
  CHECK(second.is_cut());
  CHECK(!first.is_cut());
  CHECK(!other.is_cut());
}

TEST_CASE("a connection is a member's by whom it once said it is, and as long as that is one") {
  Fixture fixture;
  const Pair& member = fixture.comes_and_says(kStart, kMember);
  // Words without a name leave it what it is; who is let in later is a member then.
  fixture.inbound.heard(kStart + 1ms, member.descriptor(), std::nullopt);
  const Pair& guest = fixture.comes_and_says(kStart + 1ms, kStranger);
  fixture.members.insert(kStranger);
  const auto fill = [&](TimePoint now) {
    for (std::size_t i = 0; i < limits::stranger_connections_max + 10; ++i) fixture.comes(now);
    fixture.inbound.look_after(now);
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
  const Pair& pair = fixture.comes_and_says(kStart, kMember);
  for (int round = 0; round < 100; ++round) {
    CHECK(fixture.inbound.subscribed(pair.descriptor(), true));
    CHECK(fixture.inbound.subscribed(pair.descriptor(), false));
  }
  for (std::uint32_t i = 0; i < limits::topics_of_a_connection_max; ++i) {
    CHECK(fixture.inbound.subscribed(pair.descriptor(), true));
  }
  CHECK(!fixture.inbound.subscribed(pair.descriptor(), true));
  CHECK(pair.is_cut());
}

TEST_CASE("a message that never ends is noticed by its bytes") {
  Fixture fixture;
  const Pair& pair = fixture.comes_and_says(kStart, kMember);
  pair.say(kUnfinishedBytesMax);
  pair.read(kUnfinishedBytesMax);
  fixture.inbound.look_after(kStart + 1ms);
  CHECK(!pair.is_cut());
  // What is heard in time may add up to anything; what waits in the kernel costs nothing here.
  fixture.inbound.heard(kStart + 2ms, pair.descriptor(), kMember);
  pair.say(kUnfinishedBytesMax);
  pair.read(kUnfinishedBytesMax);
  pair.say(kUnfinishedBytesMax);
  fixture.inbound.look_after(kStart + 3ms);
  CHECK(!pair.is_cut());
  pair.read(1);
  fixture.inbound.look_after(kStart + 4ms);
  CHECK(pair.is_cut());
}

TEST_CASE("a number of a descriptor that is another file's by now is left alone") {
  Fixture fixture;
  const Pair& pair = fixture.comes(kStart);
  const Pair& other = fixture.comes_and_says(kStart, kMember);
  REQUIRE(::dup2(other.descriptor(), pair.descriptor()) == pair.descriptor());
  fixture.inbound.cut(pair.descriptor());
  CHECK(!other.is_cut());
  CHECK(fixture.inbound.cuts() == 0);
  CHECK(!fixture.inbound.knows(pair.descriptor()));
}

}  // namespace
}  // namespace radixmesh
