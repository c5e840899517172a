// Who listens to whom, how long silence is borne, and the token that goes around.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "lib/base/node_id.h"
#include "lib/members/topology.h"
#include "lib/mesh/news.h"
#include "lib/mesh/ring_check.h"
#include "lib/mesh/suspicion.h"
#include "lib/oplog/codec.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

View view_of(std::size_t members) {
  View view;
  for (std::uint32_t i = 0; i < members; ++i) {
    view.places.push_back({node_id("c", std::to_string(i)), NodeRank{i}, false});
  }
  view.members = members;
  return view;
}

// Follows a frame of each origin along the links, as relays pass it on; the most hops it took, or
// nothing if someone was not reached or got it more often than it has upstreams.
std::optional<int> hops_to_all(Topology topology, const View& view) {
  std::map<NodeId, std::vector<NodeId>> listeners;
  for (const Place& place : view.places) {
    for (const Upstream& up : upstreams(topology, view, place.node)) {
      if (!up.watch_only) listeners[up.node].push_back(place.node);
    }
  }
  int most = 0;
  for (const Place& origin : view.places) {
    std::map<NodeId, int> hops{{origin.node, 0}};
    std::vector<NodeId> senders{origin.node};
    for (std::size_t i = 0; i < senders.size(); ++i) {
      for (NodeId node : listeners[senders[i]]) {
        if (!hops.try_emplace(node, hops[senders[i]] + 1).second) continue;
        most = std::max(most, hops[node]);
        if (relays(topology, view, node, origin.node)) senders.push_back(node);
      }
    }
    if (hops.size() != view.places.size()) return std::nullopt;
  }
  return most;
}

TEST_CASE("every topology brings every origin to everyone, in as many hops as it says") {
  for (std::size_t members : {1, 2, 3, 5, 9, 10, 50, 100}) {
    CAPTURE(members);
    const View view = view_of(members);
    const int others = static_cast<int>(members) - 1;
    CHECK(hops_to_all(Topology::mesh, view) == std::min(others, 1));
    CHECK(hops_to_all(Topology::ring, view) == others);
    CHECK(hops_to_all(Topology::groups, view).value_or(99) <= 2);
  }
}

TEST_CASE("groups reach everyone whichever members are gone, with about 2 sqrt N links a node") {
  View view = view_of(100);
  std::erase_if(view.places, [](const Place& each) { return each.rank.value % 7 == 3; });
  CHECK(hops_to_all(Topology::groups, view).value_or(99) <= 2);
  std::size_t links = 0;
  for (const Place& place : view.places) {
    links += upstreams(Topology::groups, view, place.node).size();
  }
  // 9 of the group, and of the 90 others a tenth as first and a tenth as standby.
  CHECK(links / view.places.size() <= 9 + 9 + 9 + 3);
}

TEST_CASE("a death moves only what the dead one passed on") {
  const View before = view_of(100);
  View after = before;
  const NodeId gone = before.places[42].node, member = before.places[45].node;
  after.places.erase(after.places.begin() + 42);
  for (const Place& origin : after.places) {
    const Relays was = relays_into_group_of(before, member, origin.node);
    const Relays is = relays_into_group_of(after, member, origin.node);
    CHECK(is.first == (was.first == gone ? was.standby : was.first));
  }
}

TEST_CASE("auto is a mesh up to 64 members, and groups above") {
  CHECK(effective(Topology::automatic, 64) == Topology::mesh);
  CHECK(effective(Topology::automatic, 65) == Topology::groups);
  CHECK(effective(Topology::ring, 65) == Topology::ring);
  for (const char* name : {"mesh", "ring", "groups", "auto"}) {
    CHECK(topology_name(parse_topology(name).value()) == name);
  }
  CHECK(!parse_topology("star"));
}

TEST_CASE("the more confirm a suspicion, the sooner it is a death") {
  const Duration alone = suspicion_timeout(500ms, 5, 0), one = suspicion_timeout(500ms, 5, 1);
  const Duration two = suspicion_timeout(500ms, 5, 2);
  CHECK(alone == 12s);
  CHECK(two == 2s);
  CHECK(two < one);
  CHECK(one < alone);
  CHECK(suspicion_timeout(500ms, 5, 7) == two);
  CHECK(suspicion_timeout(500ms, 2, 0) == two);  // nobody else could confirm
  CHECK(suspicion_timeout(500ms, 1000, 2) == 6s);
}

TEST_CASE("news are told a bounded number of times, the last word of each member only") {
  Roster roster("c", Topology::mesh);
  for (std::uint32_t i = 0; i < 9; ++i) {
    roster.add(TimePoint{}, std::to_string(i), NodeRank{i}, Role::prefill, true);
  }
  HeadPace pace(100ms, 1s, TimePoint{10s});
  News queue(roster, pace);
  queue.spread(TimePoint{}, {"a", {}, {}, Epoch{1}, 0, MemberState::suspect});
  CHECK(pace.next() == TimePoint{});  // the first is not waited for
  queue.spread(TimePoint{}, {"a", {}, {}, Epoch{1}, 1, MemberState::alive});
  int told = 0;
  for (; told < 100; ++told) {
    const auto news = queue.take();
    if (news.empty()) break;
    REQUIRE(news.size() == 1);
    CHECK(news[0].state == MemberState::alive);
  }
  CHECK(told == 4);
}

// ---- the token ---------------------------------------------------------------------------------

class RingOfNodes {
 public:
  explicit RingOfNodes(std::uint32_t size) {
    for (std::uint32_t i = 0; i < size; ++i) view.push_back({NodeId{i}, Epoch{1}, 0});
    for (std::uint32_t i = 0; i < size; ++i) {
      checks.emplace_back(NodeId{i}, RingCheck::Pace{10s, 250ms, 250ms}, TimePoint{});
      checks[i].set_view(TimePoint{}, view);
    }
  }
  // Everyone that is not deaf takes what it is sent, until nothing moves before `end`.
  void run_until(TimePoint end) {
    for (; now <= end; now += 10ms) {
      for (std::uint32_t i = 0; i < checks.size(); ++i) {
        if (!deaf.contains(i)) deliver(i, checks[i].step(now));
      }
    }
  }
  std::vector<Visit> view;
  std::vector<RingCheck> checks;
  std::set<std::uint64_t> deaf;
  TimePoint now{};
  int passes = 0;

 private:
  void deliver(std::uint32_t from, RingCheck::Sends sends) {
    for (RingCheck::Outgoing& each : sends) {
      const auto to = static_cast<std::uint32_t>(each.to.value);
      if (deaf.contains(to)) continue;
      ++passes;
      checks[from].on_ack({each.tick.initiator, each.tick.nonce, each.tick.round});
      deliver(to, checks[to].on_tick(now, std::move(each.tick)));
    }
  }
};

TEST_CASE("two rounds verify the ring for everyone, and a token costs one pass a node and round") {
  RingOfNodes ring(5);
  ring.run_until(TimePoint{1s});
  for (const RingCheck& each : ring.checks) {
    CHECK(each.verified());
    CHECK(each.open_at().empty());
  }
  CHECK(ring.passes == 10);
}

TEST_CASE(
    "who does not take the token is skipped and named, and the ring is not verified with it") {
  RingOfNodes ring(5);
  ring.deaf = {3};
  ring.run_until(TimePoint{2s});
  for (std::uint32_t i : {0, 1, 2, 4}) {
    CHECK(!ring.checks[i].verified());
    CHECK(ring.checks[i].open_at() == std::vector{NodeId{3}});
  }
  ring.view.erase(ring.view.begin() + 3);  // it is dead: the ring closes over it
  for (std::uint32_t i : {0, 1, 2, 4}) ring.checks[i].set_view(ring.now, ring.view);
  ring.run_until(ring.now + 2s);
  for (std::uint32_t i : {0, 1, 2, 4}) {
    CHECK(ring.checks[i].verified());
    CHECK(ring.checks[i].open_at().empty());
  }
}

TEST_CASE("where the first of the ring is silent, another starts the token") {
  RingOfNodes ring(4);
  ring.deaf = {0};
  ring.view.erase(ring.view.begin());
  for (std::uint32_t i : {1, 2, 3}) ring.checks[i].set_view(TimePoint{}, ring.view);
  ring.run_until(TimePoint{5s});
  for (std::uint32_t i : {1, 2, 3}) CHECK(ring.checks[i].verified());
}

TEST_CASE("a token dies when its hops are used up, and one of nobody in the ring at once") {
  RingOfNodes ring(3);
  TickMessage tick;
  tick.initiator = NodeId{2};
  tick.initiator_epoch = Epoch{1};
  tick.nonce = 7;
  tick.hops_left = 0;
  CHECK(ring.checks[0].on_tick(ring.now, tick).empty());
  tick.initiator = NodeId{99};
  tick.hops_left = 9;
  CHECK(ring.checks[0].on_tick(ring.now, tick).empty());
  CHECK(ring.checks[0].counts().expired == 2);
}

TEST_CASE("a token that comes twice is passed on once") {
  RingOfNodes ring(3);
  TickMessage tick;
  tick.initiator = NodeId{2};
  tick.initiator_epoch = Epoch{1};
  tick.nonce = 7;
  tick.hops_left = 9;
  CHECK(ring.checks[0].on_tick(ring.now, tick).size() == 1);
  CHECK(ring.checks[0].on_tick(ring.now, tick).empty());
}

TEST_CASE("a node that restarted in between is not part of what was verified") {
  RingOfNodes ring(3);
  ring.run_until(TimePoint{1s});
  std::vector<Visit> later = ring.view;
  later[1].epoch = Epoch{2};
  ring.checks[0].set_view(ring.now, later);
  CHECK(!ring.checks[0].verified());
}

}  // namespace
}  // namespace radixmesh
