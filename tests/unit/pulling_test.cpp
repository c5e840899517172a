// KV that is read from another node instead of being computed: from where, what that costs, and
// what is promised to the links.
#include <doctest/doctest.h>

#include <set>

#include "tests/unit/routing_fleet.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

RouteCandidate reader(std::uint32_t rank, std::uint32_t depth, double pull_rate) {
  return {.id = NodeId{1000 + rank},
          .rank = NodeRank{rank},
          .role = Role::unified,
          .depth = depth,
          .indexed = depth,
          .prefill_rate = 1000,
          .pull_rate = pull_rate};
}

std::optional<Pull> best(const std::vector<RouteCandidate>& candidates, double others = 0,
                         std::uint32_t tokens = 1000, Lots lots = {}) {
  return Sources(candidates, tokens, lots).best_for(0, others);
}

TEST_CASE("KV is read where it comes sooner than it is computed, from who has the most") {
  const std::vector<RouteCandidate> three = {reader(0, 0, 4000), reader(1, 512, 4000),
                                             reader(2, 768, 3000)};
  const auto pull = best(three);
  REQUIRE(pull);
  CHECK(pull->source == 2);
  CHECK(pull->tokens == 768);
  CHECK(pull->link_s == doctest::Approx(768 / 3000.0));
  const auto terms = cost_terms(three, 1000, {});
  CHECK(terms[0].pull == doctest::Approx(768 / 3000.0));
  CHECK(terms[0].compute == doctest::Approx(0.232));
  REQUIRE(terms[1].reads);
  CHECK(terms[1].reads->source == 2);
  CHECK(terms[1].reads->tokens == 256);
  CHECK(!terms[2].reads);
  // As fast as computing is no gain; nobody, or only one, can; and nobody has any.
  CHECK(!best({reader(0, 0, 1000), reader(1, 512, 4000)}));
  CHECK(!best({reader(0, 0, 0), reader(1, 512, 0)}));
  CHECK(!best({reader(0, 0, 4000), reader(1, 512, 0)}));
  CHECK(!best({reader(0, 0, 0), reader(1, 512, 4000)}));
  CHECK(!best({reader(0, 0, 4000), reader(1, 0, 4000)}));
  // What is only promised cannot be read yet; what the prompt does not have is not.
  auto promised = reader(1, 512, 4000);
  promised.indexed = 0;
  CHECK(!best({reader(0, 0, 4000), promised}));
  CHECK(best({reader(0, 0, 4000), reader(1, 512, 4000)}, 0, 300)->tokens == 300);
  // Who decodes only has it from where it was computed, and may be read from.
  auto decodes = reader(1, 512, 4000);
  decodes.role = Role::decode;
  CHECK(best({reader(0, 0, 4000), decodes})->source == 1);
  CHECK(!Sources({decodes, reader(0, 768, 4000)}, 1000, {}).best_for(0, 0));
}

TEST_CASE("a link carries one after the other, and meanwhile the request waits its turn anyway") {
  auto busy = reader(1, 512, 4000), free = reader(2, 512, 4000);
  busy.pull_out_tokens = 1000;
  CHECK(best({reader(0, 0, 4000), busy, free})->source == 2);
  CHECK(best({reader(0, 0, 4000), busy})->there_s == doctest::Approx(1512 / 4000.0));
  busy.pull_out_tokens = 2000;  // half a second: until then it is computed
  CHECK(!best({reader(0, 0, 4000), busy}));
  auto queued = reader(0, 0, 4000);
  queued.queued_tokens = 3000;
  const CostTerms of = cost_terms({queued, busy}, 1000, {})[0];
  REQUIRE(of.reads);
  CHECK(of.wait == doctest::Approx(3));
  CHECK(of.pull == 0);
  CHECK(of.compute == doctest::Approx(0.488));
  auto incoming = reader(0, 0, 4000);
  incoming.pull_in_tokens = 400;
  CHECK(cost_terms({incoming, free}, 1000, {})[0].pull == doctest::Approx(912 / 4000.0));
}

TEST_CASE("what is read delays others by the links' time, and is computed where that costs less") {
  // Half as fast as computing, hidden in the wait: it gains half a second, and takes a second of
  // the links.
  auto queued = reader(0, 0, 500);
  queued.queued_tokens = 10'000;
  const std::vector<RouteCandidate> two{queued, reader(1, 512, 500)};
  CHECK(best(two, 0.9));
  CHECK(!best(two, 1.1));
  for (const auto& [rate, moves] : {std::pair(1100.0, false), {50'000.0, true}}) {
    CAPTURE(rate);
    // Three wait at each; at the one that has it all half a second longer.
    auto has = reader(0, 992, rate), lacks = reader(1, 0, rate);
    has.prefills = lacks.prefills = 4;
    has.queued_tokens = 4500;
    lacks.queued_tokens = 4000;
    const auto terms = cost_terms({has, lacks}, 1000, {});
    CHECK((terms[1].as_both() < terms[0].as_both()) == moves);
  }
}

TEST_CASE("of many sources those are asked that give soonest; routers draw among equal ones") {
  std::vector<RouteCandidate> many{reader(0, 0, 100'000)};
  for (std::uint32_t i = 1; i <= 16; ++i) many.push_back(reader(i, 992, i <= 8 ? 2000 : 100'000));
  REQUIRE(best(many));
  CHECK(best(many)->source > 8);
  for (std::size_t i = 1; i <= 15; ++i) many[i].pull_out_tokens = 90'000;
  many[16].depth = many[16].indexed = 976;  // a page less, and the only one that is idle
  CHECK(best(many)->source == 16);
  std::vector<RouteCandidate> equal{reader(0, 0, 4000)};
  for (std::uint32_t i = 1; i <= 4; ++i) equal.push_back(reader(i, 992, 4000));
  std::set<std::size_t> chosen;
  for (std::uint64_t number = 1; number <= 64; ++number) {
    chosen.insert(best(equal, 0, 1000, {0.75, number})->source);
  }
  CHECK(chosen.size() == 4);
}

Fleet pulling_fleet() {
  Fleet fleet{U, U, U};
  for (RouteNode& each : fleet.nodes) each.pull_rate = 50'000;
  return fleet;
}

// Node 0 has what is asked for, by the index, and is too busy to be waited for.
struct HotNode {
  explicit HotNode(std::uint32_t depth = 9600) {
    fleet.with_depths({depth, 0, 0});
    be_busy();
  }
  void be_busy() { router.report_load(router.now, fleet.id(0), load_of(9, 900'000)); }
  TestRouter router;
  Fleet fleet = pulling_fleet();
};

TEST_CASE("a booking names its source, and promises the links what goes over them") {
  HotNode hot;
  auto& [router, fleet] = hot;
  router.report_load(router.now, fleet.id(2), load_of(1, 9000));
  router.note_pull_rates(router.now, fleet.nodes);
  const Routed routed = router.ask(fleet, tokens_from(0, 10'000), true);
  CHECK(routed.choice.prefill == 1);
  CHECK(routed.choice.reason == RouteReason::load);
  const auto pull = routed.pull(routed.choice.prefill);
  REQUIRE(pull);
  CHECK(pull->source == 0);
  CHECK(pull->tokens == 9600);
  CHECK(router.traffic().find(fleet.id(1))->promised() == Promise{1, 1, 400, 10'000, 9600, 0});
  CHECK(router.traffic().find(fleet.id(0))->promised() == Promise{0, 0, 0, 0, 0, 9600});
  // The next one finds the links busy, for a while.
  const auto out = [&] {
    return router.look(router.now, {CacheNamespace{}, {}}, fleet.nodes)
        .candidates[0]
        .pull_out_tokens;
  };
  CHECK(out() == doctest::Approx(9600));
  router.now += 100ms;
  CHECK(out() == doctest::Approx(4600));
  router.now += 1s;
  CHECK(out() == 0);
  // Others are told.
  TestRouter other;
  router.tell(other, NodeId{7});
  CHECK(other.traffic().find(fleet.id(0))->promised().pull_out_tokens == 9600);
  // Its rate says nothing of the engine's.
  CHECK(router.prefill_done(router.now, *routed.booking, 9600));
  CHECK(router.traffic().find(fleet.id(1))->hits.predicted_tokens == 9600);
  CHECK(router.traffic().rate(fleet.id(1)).source == RateSource::configured);
  CHECK(router.traffic().find(fleet.id(0))->promised().is_zero());
  CHECK(router.traffic().find(fleet.id(1))->promised() == Promise{1, 0, 0, 10'000, 0, 0});
  router.tell(other, NodeId{7});
  CHECK(other.traffic().find(fleet.id(0))->promised().is_zero());
}

TEST_CASE("what was to come from a node that dies is computed after all") {
  HotNode hot;
  auto& [router, fleet] = hot;
  const Routed routed = router.ask(fleet, tokens_from(0, 10'000), true);
  const NodeId reads = fleet.id(*routed.choice.prefill);
  REQUIRE(routed.pull(routed.choice.prefill));
  router.forget(router.now, fleet.id(0));
  CHECK(router.traffic().find(reads)->promised() == Promise{1, 1, 10'000, 10'000, 0, 0});
  CHECK(router.finish(router.now, *routed.booking));
  CHECK(router.traffic().find(reads)->promised().is_zero());
  CHECK(router.traffic().find(fleet.id(0)) == nullptr);
  // And with the reader goes what the source was to give. (By now nobody has what was booked.)
  router.now += 11s;
  hot.be_busy();
  const Routed again = router.ask(fleet, tokens_from(0, 10'000), true);
  const auto source = again.pull(again.choice.prefill);
  REQUIRE(source);
  const NodeId gives = again.candidates[source->source].id;
  router.forget(router.now, again.candidates[*again.choice.prefill].id);
  CHECK(router.traffic().find(gives)->promised().is_zero());
}

TEST_CASE("who computes after all has as long as it takes") {
  HotNode hot(96'000);
  auto& [router, fleet] = hot;
  const Routed routed = router.ask(fleet, tokens_from(0, 100'000), true);
  const NodeId reads = fleet.id(*routed.choice.prefill);
  router.forget(router.now, fleet.id(0));
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.traffic().find(reads)->promised().prefill_tokens == 100'000);
  CHECK(router.prefill_done(router.now, *routed.booking, std::nullopt));
  CHECK(router.traffic().find(reads)->promised().prefill_tokens == 0);
}

TEST_CASE("a booking that expires gives the links free, and tells nothing of a rate any more") {
  HotNode hot;
  auto& [router, fleet] = hot;
  const Routed routed = router.ask(fleet, tokens_from(0, 12'000), true);
  CHECK(router.traffic().find(fleet.id(0))->promised().pull_out_tokens == 9600);
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.traffic().find(fleet.id(0))->promised().is_zero());
  CHECK(router.prefill_done(router.now, *routed.booking, std::nullopt));
  CHECK(router.traffic().rate(fleet.id(1)).source == RateSource::configured);
}

TEST_CASE("what is still to come counts for the room of a node") {
  TestRouter router;
  Fleet fleet = pulling_fleet();
  fleet.with_depths({9600, 0, 0});
  Load load = load_of(0, 0);
  load.kv_used = 1000;
  load.kv_total = 20'000;
  router.report_load(router.now, fleet.id(1), load);
  router.report_load(router.now, fleet.id(0), load_of(9, 90'000));
  router.report_load(router.now, fleet.id(2), load_of(9, 90'000));
  REQUIRE(router.ask(fleet, tokens_from(0, 10'000), true).choice.prefill == 1);
  const Routed seen = router.look(router.now, {CacheNamespace{}, {}}, fleet.nodes);
  CHECK(seen.candidates[1].kv_free() == doctest::Approx(20'000 - 1000 - 10'000));
}

TEST_CASE("what a request itself is to read is no reason to send it on") {
  TestRouter router;
  Fleet fleet = pulling_fleet();
  fleet.nodes.push_back({NodeId{1003}, NodeRank{3}, U, 0, false, 50'000});
  fleet.with_depths({40'000, 0, 0, 40'000});
  for (std::size_t i : {0u, 3u}) router.report_load(router.now, fleet.id(i), load_of(9, 900'000));
  const auto tokens = tokens_from(0, 40'016);
  const Routed routed = router.ask(fleet, tokens, true);
  REQUIRE(routed.pull(routed.choice.prefill));
  router.note_pull_rates(router.now, fleet.nodes);
  const NodeId here = fleet.id(*routed.choice.prefill);
  const Redirected redirected =
      router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, here, U, {});
  CHECK(redirected.reason == RedirectReason::stay);
}

TEST_CASE("the room that a request itself takes is no reason to send it on") {
  TestRouter router;
  Fleet fleet{U, U};
  Load load = load_of(0, 0);
  load.kv_used = 70'000;
  load.kv_total = 100'000;
  for (std::size_t i : {0u, 1u}) router.report_load(router.now, fleet.id(i), load);
  const Routed first = router.ask(fleet, tokens_from(900'000, 16), true);
  router.now += 10s;
  router.finish(router.now, *first.booking);  // how long requests hold theirs is known
  const auto tokens = tokens_from(0, 20'000);
  const Routed routed = router.ask(fleet, tokens, true);
  const NodeId here = fleet.id(*routed.choice.prefill);
  const Redirected redirected =
      router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, here, U, {});
  CHECK(redirected.reason == RedirectReason::stay);
}

TEST_CASE("links are worked off wherever that is known, by who never routes as well") {
  TestRouter router, other;
  Fleet fleet = pulling_fleet();
  fleet.with_depths({9600, 0, 0});
  router.report_load(router.now, fleet.id(0), load_of(9, 90'000));
  for (std::uint32_t i = 0; i < 5; ++i) {
    router.ask(fleet, tokens_from(0, 10'000 + i), true);
    router.tell(other, NodeId{7});
    other.note_pull_rates(other.now, fleet.nodes);
    router.now += 1s;
    other.now = router.now;
  }
  CHECK(other.traffic().find(fleet.id(0))->promised().pull_out_tokens >= 9600);
  CHECK(other.traffic().find(fleet.id(0))->pull_out.left(other.now) == 0);
}

TEST_CASE("a false promise does not keep a link busy for ever") {
  TestRouter router;
  Fleet fleet = pulling_fleet();
  router.report_load(router.now, fleet.id(0), load_of(0, 0));
  router.note_pull_rates(router.now, fleet.nodes);
  const std::vector<Router::PromiseRow> rows = {{fleet.id(0), {0, 0, 0, 0, 0, 1ull << 38}}};
  router.note_promises(router.now, NodeId{9}, Epoch{1}, 1, rows);
  CHECK(router.traffic().find(fleet.id(0))->pull_out.left(router.now) <= 60 * 50'000);
  // Nor one that was heard before the rate was known; and what went by meanwhile is worked off.
  TestRouter later;
  later.note_promises(later.now, NodeId{9}, Epoch{1}, 1, rows);
  later.now += 1s;
  later.note_pull_rates(later.now, fleet.nodes);
  CHECK(later.traffic().find(fleet.id(0))->pull_out.left(later.now) <= 60 * 50'000);
  const std::vector<Router::PromiseRow> few = {{fleet.id(1), {0, 0, 0, 0, 0, 40'000}}};
  TestRouter third;
  third.note_promises(third.now, NodeId{9}, Epoch{1}, 1, few);
  third.now += 1s;
  third.note_pull_rates(third.now, fleet.nodes);
  CHECK(third.traffic().find(fleet.id(1))->pull_out.left(third.now) == 0);
}

}  // namespace
}  // namespace radixmesh
