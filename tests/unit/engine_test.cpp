// Whose cache a node's entries are: what an engine's token does, seen at one node.
#include <doctest/doctest.h>

#include "tests/unit/lone_replica.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a second engine finds nothing of what the node held for the first") {
  LoneReplica d0;
  d0.replica.attach_engine(d0.now, "one");
  d0.now += 3s;
  d0.replica.step(d0.now, Tick{});
  REQUIRE(!d0.replica.recovering());
  REQUIRE(d0.replica.insert(d0.now, {}, tokens_of("abcd"), {{Slot{1}, 4}}));
  d0.replica.attach_engine(d0.now, "one");
  CHECK(d0.match("abcd").local_length == 4);
  d0.replica.attach_engine(d0.now, "");
  CHECK(d0.match("abcd").local_length == 4);
  d0.replica.attach_engine(d0.now, "two");
  CHECK(d0.match("abcd").local_length == 0);
  CHECK(d0.counter("engines_replaced") == 1);
}

TEST_CASE("with nobody to ask, a node begins empty after a bounded wait") {
  LoneReplica d0;
  d0.replica.attach_engine(d0.now, "one");
  CHECK(d0.replica.recovering());
  CHECK(d0.replica.next_deadline() <= d0.now + Timers{}.recover_wait);
  d0.now += Timers{}.recover_wait;
  d0.replica.step(d0.now, Tick{});
  CHECK(!d0.replica.recovering());
}

TEST_CASE("who writes before the former state is back does without it") {
  LoneReplica d0;
  d0.replica.attach_engine(d0.now, "one");
  REQUIRE(d0.replica.recovering());
  REQUIRE(d0.replica.insert(d0.now, {}, tokens_of("abcd"), {{Slot{1}, 4}}));
  CHECK(!d0.replica.recovering());
  CHECK(d0.match("abcd").local_length == 4);
}

TEST_CASE("a node that drains refuses new work, and owes its end once nothing is locked") {
  LoneReplica d0;
  REQUIRE(d0.replica.insert(d0.now, {}, tokens_of("abcd"), {{Slot{1}, 4}}));
  const auto acquired = d0.replica.acquire(d0.now, {}, tokens_of("abcd"));
  REQUIRE(acquired);
  d0.replica.drain(d0.now);
  const auto refused = d0.replica.insert(d0.now, {}, tokens_of("xy"), {{Slot{9}, 2}});
  REQUIRE(!refused);
  CHECK(refused.error().code == RefusalCode::use_another_node);
  CHECK(!d0.replica.acquire(d0.now, {}, tokens_of("abcd")));
  CHECK(!d0.replica.route(d0.now, {}, tokens_of("abcd"), false));
  d0.now += 1s;
  d0.replica.step(d0.now, Tick{});
  CHECK(d0.owed<Left>().empty());
  d0.replica.release(d0.now, acquired->path);
  d0.now += 1s;
  d0.replica.step(d0.now, Tick{});
  CHECK(d0.owed<Left>().size() == 1);
}

TEST_CASE("a lock that is never released holds up a drain for a bounded time") {
  LoneReplica d0;
  REQUIRE(d0.replica.insert(d0.now, {}, tokens_of("abcd"), {{Slot{1}, 4}}));
  REQUIRE(d0.replica.acquire(d0.now, {}, tokens_of("abcd")));
  d0.replica.drain(d0.now);
  d0.now += Timers{}.drain_wait;
  d0.replica.step(d0.now, Tick{});
  CHECK(d0.owed<Left>().size() == 1);
}

}  // namespace
}  // namespace radixmesh
