// Where a prompt should run: the policies, redirecting, how fast nodes are.
#include <doctest/doctest.h>

#include <numeric>

#include "lib/routing/first_pages.h"
#include "tests/unit/routing_fleet.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

RoutingSettings prefix_first_settings() {
  RoutingSettings settings;
  settings.policy = RoutingPolicy::prefix_first;
  return settings;
}

TEST_CASE(
    "D19: what only decode nodes hold is found there, and a prefill node is named all the same") {
  for (const RoutingPolicy policy : {RoutingPolicy::prefix_first, RoutingPolicy::cost}) {
    RoutingSettings settings;
    settings.policy = policy;
    TestRouter router(settings);
    for (const auto& depths : {std::vector<std::uint32_t>{0, 0, 64, 0}, {0, 0, 64, 32}}) {
      Fleet fleet{P, P, D, D};
      const Routed routed = router.ask(fleet.with_depths(depths), tokens_from(0, 96));
      REQUIRE(routed.choice.prefill);
      CHECK(*routed.choice.prefill < 2);
      CHECK(routed.choice.decode == 2);
    }
  }
}

TEST_CASE("D20: a decode node that holds the prefix is seen beside a prefill node that does") {
  TestRouter first(prefix_first_settings()), cost;
  Fleet fleet{P, P, D, D};
  fleet.with_depths({0, 64, 0, 64});
  for (TestRouter* router : {&first, &cost}) {
    const Routed routed = router->ask(fleet, tokens_from(0, 96));
    CHECK(routed.choice.prefill == 1);
    CHECK(routed.choice.decode == 3);
    CHECK(routed.choice.reason == RouteReason::prefix);
  }
}

TEST_CASE("D21: a hot prefix that all hold does not make rank 0 a hot spot") {
  TestRouter router;
  Fleet fleet{U, U, U, U};
  fleet.with_depths({512, 512, 512, 512});
  std::vector<int> chosen(4);
  for (std::uint32_t i = 0; i < 400; ++i) {
    auto tokens = tokens_from(0, 512);
    const auto own = tokens_from(100'000 + 1000 * i, 256);
    tokens.insert(tokens.end(), own.begin(), own.end());
    ++chosen[*router.ask(fleet, tokens, true).choice.prefill];
  }
  for (int each : chosen) CHECK(each >= 90);
}

TEST_CASE("D22: prompts with a common beginning meet, and a new node takes over only its share") {
  for (const RoutingPolicy policy : {RoutingPolicy::prefix_first, RoutingPolicy::cost}) {
    RoutingSettings settings;
    settings.policy = policy;
    TestRouter router(settings);
    Fleet fleet{U, U, U, U, U, U, U, U};
    std::set<std::size_t> chosen;
    for (std::uint32_t i = 0; i < 1000; ++i) {
      auto tokens = tokens_from(0, 500);
      tokens.push_back(TokenId{1'000'000 + i});
      chosen.insert(*router.ask(fleet, tokens).choice.prefill);
    }
    CHECK(chosen.size() == 1);

    Fleet larger{U, U, U, U, U, U, U, U, U};
    int moved = 0, to_new = 0;
    for (std::uint32_t i = 0; i < 2000; ++i) {
      const auto tokens = tokens_from(1000 * i, 600);
      const auto before = *router.ask(fleet, tokens).choice.prefill;
      const auto after = *router.ask(larger, tokens).choice.prefill;
      moved += before != after ? 1 : 0;
      to_new += after == 8 ? 1 : 0;
    }
    CHECK(moved == to_new);
    CHECK(to_new > 2000 / 9 / 2);
    CHECK(to_new < 2000 / 9 * 2);
  }
}

TEST_CASE("the hash's node is passed over once it is full") {
  std::vector<RouteCandidate> candidates(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    candidates[i].id = NodeId{i};
    candidates[i].rank = NodeRank{i};
  }
  const auto home = *hash_choice(candidates, serves_prefill, 77);
  candidates[home].requests = 3;
  CHECK(hash_choice(candidates, serves_prefill, 77) == home);
  candidates[home].requests = 12;
  CHECK(hash_choice(candidates, serves_prefill, 77) != home);
  for (RouteCandidate& each : candidates) each.requests = 12;
  CHECK(hash_choice(candidates, serves_prefill, 77) == home);
}

TEST_CASE("cost: a queue that takes longer than computing elsewhere is not waited for") {
  TestRouter router;
  Fleet fleet{P, P, D};
  fleet.with_depths({960, 0, 0});
  const auto tokens = tokens_from(0, 1000);
  CHECK(router.ask(fleet, tokens).choice.reason == RouteReason::prefix);
  router.report_load(router.now, fleet.id(0), load_of(9, 5000));
  const Routed routed = router.ask(fleet, tokens);
  CHECK(routed.choice.prefill == 1);
  CHECK(routed.choice.reason == RouteReason::load);
  // ... and what was reported is worked off.
  router.now += 10s;
  CHECK(router.ask(fleet, tokens).choice.prefill == 0);
}

TEST_CASE(
    "cost: where a duplicate stays for good, it is made only if the others are busy for long") {
  TestRouter router;
  Fleet fleet{P, P, D};
  fleet.with_depths({960, 0, 0});
  const auto tokens = tokens_from(0, 1000);
  router.report_load(router.now, fleet.id(0), load_of(9, 2000));
  CHECK(router.ask(fleet, tokens).choice.prefill == 1);
  fleet.nodes[1].keeps_duplicates = true;
  const Routed routed = router.ask(fleet, tokens);
  CHECK(routed.choice.prefill == 0);
  CHECK(routed.terms[1].duplicate == doctest::Approx(3 * 960 / routed.candidates[1].prefill_rate));
  router.report_load(router.now, fleet.id(0), load_of(9, 9000));
  CHECK(router.ask(fleet, tokens).choice.prefill == 1);
  // What nobody has is no duplicate, nor is what the other role has.
  fleet.with_depths({0, 0, 960});
  for (const CostTerms& terms : router.ask(fleet, tokens).terms) CHECK(terms.duplicate == 0);
}

TEST_CASE("cost: the transfer to the decode node counts, and a unified node saves it") {
  TestRouter router;
  Fleet fleet{P, D, U};
  const Routed routed = router.ask(fleet, tokens_from(0, 4096));
  CHECK(routed.choice.prefill == 2);
  CHECK(routed.choice.decode == 2);
  // The decode node has nearly all of it: then it is worth computing what is missing beside it.
  fleet.with_depths({4080, 4080, 0});
  const Routed apart = router.ask(fleet, tokens_from(0, 4096));
  CHECK(apart.choice.prefill == 0);
  CHECK(apart.choice.decode == 1);
}

TEST_CASE("decode only: by what is uncached, never by the prompt's length") {
  RoutingSettings settings;
  settings.weights.decode_only_tokens = 64;
  TestRouter router(settings);
  Fleet fleet{P, D};
  CHECK(router.ask(fleet, tokens_from(0, 96)).choice.prefill == 0);
  const Routed routed = router.ask(fleet.with_depths({0, 48}), tokens_from(0, 96));
  CHECK(!routed.choice.prefill);
  CHECK(routed.choice.decode == 1);
  CHECK(routed.choice.reason == RouteReason::decode_only);
}

TEST_CASE("warm-up: the hash decides until enough were routed, or it is finished") {
  RoutingSettings settings;
  settings.warm_up_requests = 2;
  TestRouter router(settings);
  Fleet fleet{U, U};
  fleet.with_depths({64, 0});
  const auto tokens = tokens_from(0, 96);
  CHECK(router.ask(fleet, tokens).choice.reason == RouteReason::warm_up);
  CHECK(router.ask(fleet, tokens).choice.reason == RouteReason::warm_up);
  CHECK(router.ask(fleet, tokens).choice.reason == RouteReason::prefix);
  settings.warm_up = 1h;
  TestRouter longer(settings);
  CHECK(longer.ask(fleet, tokens).choice.reason == RouteReason::warm_up);
  longer.finish_warm_up();
  CHECK(longer.ask(fleet, tokens).choice.reason == RouteReason::prefix);
}

TEST_CASE("nobody is there, or only one role") {
  TestRouter router;
  CHECK(router.ask(Fleet{}, tokens_from(0, 96)).choice.reason == RouteReason::nobody);
  const Routed decode = router.ask(Fleet{D, D}, tokens_from(0, 96), true);
  CHECK(!decode.choice.prefill);
  REQUIRE(decode.choice.decode);
  CHECK(router.traffic().find(Fleet{D, D}.id(*decode.choice.decode))->promised().prefill_tokens ==
        96);
}

TEST_CASE(
    "a prompt that goes on finds what is queued, as far as whole chunks of whole pages reach") {
  TestRouter router;
  Fleet fleet{U, U, U};
  const std::size_t node = *router.ask(fleet, tokens_from(0, 40'000), true).choice.prefill;
  auto longer = tokens_from(0, 60'000);
  longer[30'000] = TokenId{7};
  // 64 chunks of 256, then of 512.
  CHECK(router.ask(fleet, longer).candidates[node].depth == 64 * 256 + 26 * 512);
}

TEST_CASE("a request is sent on from where it is booked as if it were not") {
  TestRouter here, there;
  Fleet fleet{U, U}, only{U};
  const auto tokens = tokens_from(0, 20'000);
  there.ask(only, tokens_from(1'000'000, 100'000), true);
  there.ask(only, tokens, true);
  there.tell(here, NodeId{7});
  CHECK(here.ask(fleet, tokens).candidates[0].depth > 19'000);
  const Redirected sent =
      here.redirect(here.now, {CacheNamespace{}, tokens}, fleet.nodes, fleet.id(0), U, {});
  CHECK(sent.to == 1);
}

TEST_CASE("prefix_first: what all prompts begin with does not decide") {
  TestRouter router(prefix_first_settings());
  Fleet fleet{U, U, U, U};
  const auto prompt = [&](std::uint32_t own, std::size_t count) {
    auto tokens = tokens_from(0, 512);
    const auto more = tokens_from(100'000 * (1 + own), count);
    tokens.insert(tokens.end(), more.begin(), more.end());
    return tokens;
  };
  std::vector<int> chosen(4);
  for (std::uint32_t i = 0; i < 80; ++i) {
    fleet.with_depths({512, 0, 0, 0});
    const Routed first = router.ask(fleet, prompt(i, 1024), true);
    const std::size_t node = *first.choice.prefill;
    if (i >= CommonBeginning::kEnough) ++chosen[node];
    CHECK(first.choice.decode == node);
    // ... but what one of them continues does.
    CHECK(router.ask(fleet, prompt(i, 2048)).choice.prefill == node);
    router.finish(router.now, *first.booking);
  }
  for (int each : chosen) CHECK(each > 5);
}

TEST_CASE("what prompts have in common is what half of the last ones have") {
  CommonBeginning common;
  const auto prompt = [](std::size_t shared, std::uint32_t own) {
    auto tokens = tokens_from(0, shared);
    const auto more = tokens_from(100'000 * (1 + own), 100);
    tokens.insert(tokens.end(), more.begin(), more.end());
    return tokens;
  };
  const CacheNamespace name;
  CacheNamespace other;
  other.parts[0].kind = NamespacePart::Kind::text;
  for (std::uint32_t i = 0; i + 1 < CommonBeginning::kEnough; ++i)
    common.note(name, prompt(300, i));
  CHECK(common.of(name, prompt(300, 50)) == 0);
  common.note(name, prompt(300, 30));
  CHECK(common.of(name, prompt(300, 50)) == 300);
  CHECK(common.of(name, prompt(200, 50)) == 200);
  CHECK(common.of(name, tokens_from(0, 40)) == 40);
  CHECK(common.of(name, {}) == 0);
  CHECK(common.of(other, prompt(300, 50)) == 0);
  for (std::uint32_t i = 0; i < CommonBeginning::kPrompts; ++i) common.note(name, prompt(0, i));
  CHECK(common.of(name, prompt(300, 50)) == 0);
  for (std::uint32_t i = 0; i < CommonBeginning::kPrompts; ++i) {
    common.note(name, tokens_from(0, 1'000'000));
  }
  CHECK(common.of(name, tokens_from(0, 1'000'000)) == CommonBeginning::kTokensMax);
}

TEST_CASE("a rate is what the engine reports, else what was seen, else the fleet's") {
  TestRouter router;
  Fleet fleet{U, U, U};
  CHECK(router.traffic().rate(fleet.id(0)).source == RateSource::configured);
  for (std::uint32_t i = 0; i < 3; ++i) {
    Fleet only{U};
    only.nodes[0] = fleet.nodes[0];
    const Routed routed = router.ask(only, tokens_from(10'000 * i, 4096), true);
    router.now += 1s;
    router.prefill_done(router.now, *routed.booking, std::nullopt);
    router.finish(router.now, *routed.booking);
  }
  CHECK(router.traffic().rate(fleet.id(0)).tokens_per_second == doctest::Approx(4096));
  CHECK(router.traffic().rate(fleet.id(1)).tokens_per_second == doctest::Approx(4096));
  CHECK(router.traffic().rate(fleet.id(1)).source == RateSource::fleet);
  Load load = load_of(0, 0);
  load.prefill_rate = 20'000;
  router.report_load(router.now, fleet.id(2), load);
  CHECK(router.traffic().rate(fleet.id(2)).tokens_per_second == doctest::Approx(20'000));
  CHECK(router.traffic().rate(fleet.id(2)).source == RateSource::reported);
}

TEST_CASE("redirect: to a node of the role where it is done sooner, never back, not for ever") {
  TestRouter router;
  Fleet fleet{P, P, P, D};
  const auto tokens = tokens_from(0, 1000);
  const auto redirect = [&](std::size_t here, const std::vector<NodeId>& visited) {
    return router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, fleet.id(here), P,
                           visited);
  };
  CHECK(redirect(0, {}).reason == RedirectReason::stay);
  router.report_load(router.now, fleet.id(0), load_of(9, 50'000));
  router.report_load(router.now, fleet.id(1), load_of(9, 20'000));
  CHECK(redirect(0, {}).to == 2);
  CHECK(redirect(0, {fleet.id(2)}).to == 1);
  CHECK(redirect(0, {fleet.id(2), fleet.id(1)}).reason == RedirectReason::stay);
  CHECK(redirect(0, {NodeId{1}, NodeId{2}, NodeId{3}}).reason == RedirectReason::hop_limit);
  // What is cached here may be worth the wait.
  fleet.with_depths({992, 0, 0, 0});
  router.report_load(router.now, fleet.id(0), load_of(1, 500));
  CHECK(redirect(0, {}).reason == RedirectReason::stay);
}

TEST_CASE(
    "redirect: the request itself is no reason to send it on; who leaves sends on all it has") {
  TestRouter router;
  Fleet fleet{P, P, D};
  const auto tokens = tokens_from(0, 20'000);
  const Routed routed = router.ask(fleet, tokens, true);
  const NodeId here = fleet.id(*routed.choice.prefill);
  const auto redirect = [&] {
    return router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, here, P, {});
  };
  CHECK(redirect().reason == RedirectReason::stay);
  std::erase_if(fleet.nodes, [&](const RouteNode& each) { return each.id == here; });
  CHECK(redirect().reason == RedirectReason::sooner);
}

TEST_CASE("redirect: nor is it a reason to keep it: nobody has what is only queued here") {
  TestRouter router;
  Fleet fleet{U, U};
  const auto tokens = tokens_from(0, 20'000);
  Load full = load_of(0, 0);
  full.kv_used = 150'000;
  full.kv_total = 200'000;
  router.report_load(router.now, fleet.id(1), full);
  full.waiting = 9;
  full.queued_tokens = 100'000;
  router.report_load(router.now, fleet.id(0), full);
  const auto redirect = [&] {
    return router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, fleet.id(0), U, {});
  };
  CHECK(redirect().to == 1);
  Fleet only{U};
  router.ask(only, tokens, true);
  const Redirected sent = redirect();
  CHECK(sent.to == 1);
  CHECK(sent.seen.terms[1].duplicate == 0);
}

TEST_CASE("redirect: what a request will read with every step is no reason to send it on") {
  TestRouter router;
  Fleet fleet{U, U};
  const auto tokens = tokens_from(0, 200'000);
  const Routed routed = router.ask(fleet, tokens, true);
  const NodeId here = fleet.id(*routed.choice.prefill);
  CHECK(router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, here, U, {}).reason ==
        RedirectReason::stay);
}

TEST_CASE("redirect: those that are sent on count where they go, until engines report") {
  TestRouter router;
  Fleet fleet{U, U};
  router.report_load(router.now, fleet.id(0), load_of(10, 100'000));
  const auto redirect = [&](std::uint32_t request) {
    const auto tokens = tokens_from(1'000'000 * request, 10'000);
    return router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, fleet.id(0), U, {});
  };
  std::uint32_t sent = 0;
  for (std::uint32_t i = 0; i < 10; ++i) sent += redirect(i).to ? 1 : 0;
  CHECK(sent >= 4);
  CHECK(sent <= 6);
  // Who asks again for one of them has not sent another.
  for (int i = 0; i < 10; ++i) redirect(0);
  const double queued = redirect(0).seen.candidates[1].queued_tokens;
  CHECK(queued == 10'000 * sent);
  router.report_load(router.now, fleet.id(1), load_of(0, 0));
  CHECK(redirect(20).seen.candidates[1].queued_tokens == 0);
  router.now += std::chrono::seconds(1);
  // Without the one that is asked about, and what was computed meanwhile.
  CHECK(redirect(20).seen.candidates[0].queued_tokens == doctest::Approx(80'000));
}

TEST_CASE("redirect: who leaves may send on what was sent on often") {
  TestRouter router;
  Fleet fleet{U, U};
  const auto tokens = tokens_from(0, 1000);
  const std::vector<NodeId> visited = {NodeId{1}, NodeId{2}, NodeId{3}};
  const auto redirect = [&](NodeId here) {
    return router.redirect(router.now, {CacheNamespace{}, tokens}, fleet.nodes, here, U, visited);
  };
  CHECK(redirect(fleet.id(0)).reason == RedirectReason::hop_limit);
  CHECK(redirect(NodeId{77}).reason == RedirectReason::sooner);
}

TEST_CASE("where there are only decode nodes, the least busy computes the prompt") {
  TestRouter router;
  Fleet fleet{D, D};
  fleet.with_depths({64, 32});
  router.report_load(router.now, fleet.id(0), load_of(1, 100'000));
  const Routed routed = router.ask(fleet, tokens_from(0, 96));
  CHECK(routed.choice.decode == 1);
  CHECK(routed.choice.reason == RouteReason::load);
}

}  // namespace
}  // namespace radixmesh
