// KV that is read from another node instead of being computed: from where, what that costs, and
// what is promised to the links.
#include <doctest/doctest.h>

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

TEST_CASE("KV is read where it comes sooner than it is computed, from who has the most") {
  const auto pulls =
      best_pulls({reader(0, 0, 4000), reader(1, 512, 4000), reader(2, 768, 2000)}, 1000);
  REQUIRE(pulls[0]);
  CHECK(pulls[0]->source == 2);
  CHECK(pulls[0]->tokens == 768);
  CHECK(pulls[0]->link_s == doctest::Approx(768 / 2000.0));
  CHECK(pulls[1]->source == 2);
  CHECK(pulls[1]->tokens == 256);
  CHECK(!pulls[2]);
  // As fast as computing is no gain; nobody, or only one, can; and nobody has any.
  CHECK(!best_pulls({reader(0, 0, 1000), reader(1, 512, 4000)}, 1000)[0]);
  CHECK(best_pulls({reader(0, 0, 0), reader(1, 512, 0)}, 1000).empty());
  CHECK(best_pulls({reader(0, 0, 4000), reader(1, 512, 0)}, 1000).empty());
  CHECK(!best_pulls({reader(0, 0, 0), reader(1, 512, 4000)}, 1000)[0]);
  CHECK(best_pulls({reader(0, 0, 4000), reader(1, 0, 4000)}, 1000).empty());
  // What is only promised cannot be read yet; what the prompt does not have is not.
  auto promised = reader(1, 512, 4000);
  promised.indexed = 0;
  CHECK(best_pulls({reader(0, 0, 4000), promised}, 1000).empty());
  CHECK(best_pulls({reader(0, 0, 4000), reader(1, 512, 4000)}, 300)[0]->tokens == 300);
}

TEST_CASE("a link carries one after the other, and meanwhile the request waits its turn anyway") {
  auto busy = reader(1, 512, 4000), free = reader(2, 512, 4000);
  busy.pull_out_tokens = 1000;
  CHECK(best_pulls({reader(0, 0, 4000), busy, free}, 1000)[0]->source == 2);
  const auto waits = best_pulls({reader(0, 0, 4000), busy}, 1000)[0];
  CHECK(waits->there_s == doctest::Approx(1512 / 4000.0));
  busy.pull_out_tokens = 2000;  // half a second: until then it is computed
  CHECK(!best_pulls({reader(0, 0, 4000), busy}, 1000)[0]);
  auto queued = reader(0, 0, 4000);
  queued.queued_tokens = 3000;
  const auto hidden = best_pulls({queued, busy}, 1000);
  REQUIRE(hidden[0]);
  const CostTerms of = cost_terms({queued, busy}, 1000, {}, 0, hidden)[0];
  CHECK(of.wait == doctest::Approx(3));
  CHECK(of.pull == 0);
  CHECK(of.compute == doctest::Approx(0.488));
  auto incoming = reader(0, 0, 4000);
  incoming.pull_in_tokens = 400;
  const auto after = best_pulls({incoming, free}, 1000);
  CHECK(cost_terms({incoming, free}, 1000, {}, 0, after)[0].pull == doctest::Approx(912 / 4000.0));
}

TEST_CASE(
    "what is read delays others by the links' time: nobody is moved after KV on a slow link") {
  for (const auto& [rate, moves] : {std::pair(1100.0, false), {50'000.0, true}}) {
    CAPTURE(rate);
    // Three wait at each; at the one that has it all half a second longer.
    auto has = reader(0, 992, rate), lacks = reader(1, 0, rate);
    has.prefills = lacks.prefills = 4;
    has.queued_tokens = 4500;
    lacks.queued_tokens = 4000;
    const std::vector<RouteCandidate> both{has, lacks};
    const auto terms = cost_terms(both, 1000, {}, 0, best_pulls(both, 1000));
    CHECK((terms[1].as_both() < terms[0].as_both()) == moves);
  }
}

Fleet pulling_fleet() {
  Fleet fleet{U, U, U};
  for (RouteNode& each : fleet.nodes) each.pull_rate = 50'000;
  return fleet;
}

TEST_CASE("a booking names its source, and promises the links what goes over them") {
  TestRouter router;
  Fleet fleet = pulling_fleet();
  fleet.with_depths({9600, 0, 0});
  router.report_load(router.now, fleet.id(0), load_of(9, 90'000));
  router.report_load(router.now, fleet.id(2), load_of(1, 9000));
  const Routed routed = router.ask(fleet, tokens_from(0, 10'000), true);
  CHECK(routed.choice.prefill == 1);
  CHECK(routed.choice.reason == RouteReason::load);
  const auto pull = routed.pull(routed.choice.prefill);
  REQUIRE(pull);
  CHECK(pull->source == 0);
  CHECK(pull->tokens == 9600);
  CHECK(router.traffic(fleet.id(1))->promised() == Promise{1, 1, 400, 10'000, 9600, 0});
  CHECK(router.traffic(fleet.id(0))->promised() == Promise{0, 0, 0, 0, 0, 9600});
  // The next one finds the links busy, for a while.
  const auto out = [&] {
    return router.look(router.now, {CacheNamespace{}, {}}, fleet.nodes)
        .candidates[0]
        .pull_out_tokens;
  };
  router.ask(fleet, tokens_from(0, 16));  // now the rates are known
  CHECK(out() == doctest::Approx(9600));
  router.now += 100ms;
  CHECK(out() == doctest::Approx(4600));
  router.now += 1s;
  CHECK(out() == 0);
  // Others are told.
  TestRouter other;
  router.tell(other, NodeId{7});
  CHECK(other.traffic(fleet.id(0))->promised().pull_out_tokens == 9600);
  // Its rate says nothing of the engine's.
  CHECK(router.prefill_done(router.now, *routed.booking, 9600));
  CHECK(router.traffic(fleet.id(1))->hits.predicted_tokens == 9600);
  CHECK(router.rate(fleet.id(1)).source == RateSource::configured);
  CHECK(router.traffic(fleet.id(0))->promised().is_zero());
  CHECK(router.traffic(fleet.id(1))->promised() == Promise{1, 0, 0, 10'000, 0, 0});
  router.tell(other, NodeId{7});
  CHECK(other.traffic(fleet.id(0))->promised().is_zero());
}

TEST_CASE("what was to come from a node that dies is computed after all") {
  TestRouter router;
  Fleet fleet = pulling_fleet();
  fleet.with_depths({9600, 0, 0});
  router.report_load(router.now, fleet.id(0), load_of(9, 90'000));
  const Routed routed = router.ask(fleet, tokens_from(0, 10'000), true);
  const NodeId reads = fleet.id(*routed.choice.prefill);
  REQUIRE(routed.pull(routed.choice.prefill));
  router.forget(router.now, fleet.id(0));
  CHECK(router.traffic(reads)->promised() == Promise{1, 1, 10'000, 10'000, 0, 0});
  CHECK(router.finish(router.now, *routed.booking));
  CHECK(router.traffic(reads)->promised().is_zero());
  CHECK(router.traffic(fleet.id(0)) == nullptr);
  // And with the reader goes what the source was to give. (By now nobody has what was booked.)
  router.now += 11s;
  router.report_load(router.now, fleet.id(0), load_of(9, 90'000));
  const Routed again = router.ask(fleet, tokens_from(0, 10'000), true);
  const auto source = again.pull(again.choice.prefill);
  REQUIRE(source);
  const NodeId gives = again.candidates[source->source].id;
  router.forget(router.now, again.candidates[*again.choice.prefill].id);
  CHECK(router.traffic(gives)->promised().is_zero());
}

TEST_CASE("a booking that expires gives the links free") {
  TestRouter router;
  Fleet fleet = pulling_fleet();
  fleet.with_depths({9600, 0, 0});
  router.report_load(router.now, fleet.id(0), load_of(9, 90'000));
  router.ask(fleet, tokens_from(0, 10'000), true);
  CHECK(router.traffic(fleet.id(0))->promised().pull_out_tokens == 9600);
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.traffic(fleet.id(0))->promised().is_zero());
}

}  // namespace
}  // namespace radixmesh
