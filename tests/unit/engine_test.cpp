// Whose cache a node's entries are: what an engine's token does, seen at one node.
#include <doctest/doctest.h>

#include "tests/sim/named_mesh.h"
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

TEST_CASE("a former state comes back over many turns, and nobody hears of half of it") {
  ReplicaSettings settings;
  settings.pieces_per_turn_max = 1;
  sim::NamedMesh mesh({"p0", "p1", "r0"}, settings);
  mesh.start_all();
  mesh.attach_engine("p0", "first");
  mesh.run(1s);
  constexpr int kEntries = 300;
  const auto key = [](int i) {
    return std::string{static_cast<char>('a' + i / 26), static_cast<char>('a' + i % 26), 'z'};
  };
  for (int i = 0; i < kEntries; ++i) mesh.insert("p0", key(i), 10u + 3u * static_cast<unsigned>(i));
  mesh.run(2s);
  const std::uint64_t held = mesh.at("p0").status().local_tokens;
  mesh.crash("p0");
  mesh.run(1s);
  mesh.network().turn_takes = 10ms;
  mesh.start("p0");
  mesh.attach_engine("p0", "first");
  mesh.run(2s);
  REQUIRE(mesh.at("p0").recovering());
  CHECK(mesh.at("p0").status().local_tokens > 0);
  CHECK(mesh.at("p0").status().local_tokens < held);
  const auto refused = mesh.at("p0").evict(mesh.now(), 3);
  REQUIRE(!refused);
  CHECK(refused.error().code == RefusalCode::retry_later);
  // Another engine waits until all of it is here, and then all of it goes.
  mesh.attach_engine("p0", "second");
  CHECK(mesh.at("p0").recovering());
  mesh.run(10s);
  CHECK(!mesh.at("p0").recovering());
  CHECK(mesh.at("p0").status().local_tokens == held);
  CHECK(mesh.counter("p0", "epochs_outgrown") == 0);
  for (const char* name : {"p1", "r0"}) CHECK(mesh.counter(name, "digest_mismatches") == 0);
  CHECK(mesh.counter("p1", "states_taken_over") == 1);
  CHECK(mesh.agrees());
  mesh.attach_engine("p0", "second");
  mesh.run(10s);
  CHECK(mesh.at("p0").status().local_tokens == 0);
  CHECK(!mesh.match("p1", key(7)).depths.contains("p0"));
  CHECK(mesh.agrees());
}

}  // namespace
}  // namespace radixmesh
