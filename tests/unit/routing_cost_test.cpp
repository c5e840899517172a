// The terms of the policy `cost`, and the choice by them.
#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "lib/routing/cost.h"
#include "lib/routing/least_cost.h"

namespace radixmesh {
namespace {

RouteCandidate unified_node(std::uint32_t rank, std::uint32_t depth, std::uint32_t prefills) {
  return {.id = NodeId{1000 + rank},
          .rank = NodeRank{rank},
          .role = Role::unified,
          .depth = depth,
          .prefills = prefills,
          .queued_tokens = 1000.0 * prefills,
          .prefill_rate = 1000};
}

std::vector<double> delays(const std::vector<RouteCandidate>& candidates) {
  std::vector<double> out;
  for (const CostTerms& each : cost_terms(candidates, 1000, {})) out.push_back(each.delay);
  return out;
}

std::size_t chosen(const std::vector<RouteCandidate>& candidates) {
  return *least_cost(candidates, cost_terms(candidates, 1000, {}), 1000, 1, {}).prefill;
}

TEST_CASE("what must be computed is dearer the more wait, by all and not by one, or there") {
  // Nobody computes; one of two does; all do, and nobody waits.
  CHECK(delays({unified_node(0, 0, 0), unified_node(1, 0, 0)})[0] == 0);
  CHECK(delays({unified_node(0, 0, 1), unified_node(1, 0, 0)})[0] == doctest::Approx(0.1));
  CHECK(delays({unified_node(0, 0, 1), unified_node(1, 500, 1)}) == std::vector<double>{0.2, 0.1});
  // Three wait at each; at one of three a hundred; none and four and five: at the first, which has
  // a second of work where the mean has 11 / 3, for half of the rest.
  CHECK(delays({unified_node(0, 0, 4), unified_node(1, 0, 4)})[0] == doctest::Approx(3.2));
  const auto hot = delays({unified_node(0, 0, 101), unified_node(1, 0, 1), unified_node(2, 0, 1)});
  CHECK(hot[0] == 100);
  CHECK(hot[1] == doctest::Approx(0.2));
  CHECK(delays({unified_node(0, 0, 1), unified_node(1, 0, 5), unified_node(2, 0, 6)})[0] ==
        doctest::Approx((8.0 / 3 + 0.2) * (1 + 3.0 / 11) / 2));
  // The fuller it has been, the more come meanwhile, and the longer until it is empty; with a
  // bound, as nobody knows then.
  for (const auto& [busy, crowd] :
       {std::pair(0.2, 3.6 / 0.8), {0.5, 4.2 / 0.5}, {1.0, 5.2 * 3.0}}) {
    auto full = unified_node(0, 0, 4);
    full.busy = busy;
    CHECK(delays({full, unified_node(1, 0, 4)})[0] == doctest::Approx(crowd));
    CHECK(delays({full, unified_node(1, 0, 4)})[1] == doctest::Approx(3.2));
  }
  // Of four routers three are others.
  CHECK(cost_terms({unified_node(0, 0, 4)}, 1000, {}, {0.75})[0].delay ==
        doctest::Approx(3.2 * 1.75));
  // Who never says that a prompt was computed is not waited for any longer than it takes.
  auto silent = unified_node(0, 0, 50);
  silent.queued_tokens = 0;
  CHECK(delays({silent, silent})[0] == 0);
}

TEST_CASE("where all have queues nobody is moved for less than it costs; a hot prefix spreads") {
  // 5 s of queue beside 4 s and all to compute: that would gain the request nothing to speak of.
  CHECK(chosen({unified_node(0, 1000, 5), unified_node(1, 0, 3), unified_node(2, 0, 3)}) == 0);
  // All of it is at one node, and the others are idle.
  CHECK(chosen({unified_node(0, 1000, 5), unified_node(1, 0, 0), unified_node(2, 0, 0)}) != 0);
}

TEST_CASE("who has been busy gets no more that begins, and nobody leaves what is cached for that") {
  auto busy = unified_node(0, 0, 0), idle = unified_node(1, 0, 0);
  busy.busy = 0.6;
  idle.busy = 0.2;
  CHECK(delays({busy, idle}) == std::vector<double>{1.2 / 0.4, 0.4 / 0.8});
  CHECK(chosen({busy, idle}) == 1);
  busy.depth = 1000;
  CHECK(chosen({busy, idle}) == 0);
}

TEST_CASE(
    "a node waits for room as long as requests take to give it back; where none do it is last") {
  auto full = unified_node(0, 0, 0), free = unified_node(1, 0, 0);
  full.kv_total = 3400;
  full.kv_taken = 3000;
  full.kv_held_s = 10;
  free.kv_total = 1000;
  free.queued_tokens = 1500;
  CHECK(cost_terms({full, free}, 1000, {})[0].room == doctest::Approx(2));
  CHECK(cost_terms({full, free}, 1000, {})[1].room == 0);
  CHECK(chosen({full, free}) == 1);
  full.depth = 600;
  CHECK(cost_terms({full, free}, 1000, {})[0].room == 0);
  CHECK(chosen({full, free}) == 0);
  full.kv_total = 100;
  full.kv_taken = 0;
  free.queued_tokens = 100'000;
  CHECK(chosen({full, free}) == 1);
  // For a decode node as well.
  auto decodes = full, other = free;
  decodes.role = other.role = Role::decode;
  const auto terms = cost_terms({unified_node(2, 0, 0), decodes, other}, 1000, {});
  CHECK(terms[1].as_decode() > 1e5);
  CHECK(terms[2].as_decode() < 1);
}

TEST_CASE("a decode node that computes what little it lacks is chosen by its queue as well") {
  auto computes = unified_node(0, 0, 0), queued = unified_node(1, 900, 0), free = queued;
  computes.role = Role::prefill;
  queued.role = free.role = Role::decode;
  free.id = NodeId{1002};
  free.rank = NodeRank{2};
  queued.queued_tokens = 5000;
  free.decode_tokens = 5000;
  CostWeights weights;
  weights.decode_only_tokens = 256;
  const std::vector<RouteCandidate> candidates = {computes, queued, free};
  const RouteChoice choice =
      least_cost(candidates, cost_terms(candidates, 1000, weights), 1000, 1, weights);
  CHECK(choice.decode == 2);
  CHECK(!choice.prefill);
  CHECK(choice.reason == RouteReason::decode_only);
}

TEST_CASE("where others route too, a lot is drawn wherever somebody has some of the prompt") {
  auto has = unified_node(0, 900, 60);
  const std::vector<RouteCandidate> candidates = {has, unified_node(1, 0, 0), unified_node(2, 0, 0),
                                                  unified_node(3, 0, 0)};
  std::map<std::size_t, int> drawn;
  for (std::uint64_t number = 0; number < 60; ++number) {
    const Lots lots{0.75, number * 0x9E3779B97F4A7C15ull};
    const auto terms = cost_terms(candidates, 1000, {}, lots);
    ++drawn[*least_cost(candidates, terms, 1000, 1, {}, lots).prefill];
  }
  CHECK(drawn.size() == 3);
  CHECK(!drawn.contains(0));
  std::vector<RouteCandidate> decodes = candidates;
  for (RouteCandidate& each : decodes) each.role = Role::decode;
  const Lots lots{0.75, 1};
  CHECK(least_cost(decodes, cost_terms(decodes, 1000, {}, lots), 1000, 1, {}, lots).near_equals ==
        2);
}

TEST_CASE("the fuller a node's KV is with requests, the dearer is a copy there") {
  const auto duplicate = [](double used) {
    auto holds = unified_node(0, 1000, 0), lacks = unified_node(1, 0, 0);
    lacks.kv_taken = 10'000 * used;
    lacks.kv_total = 10'000;
    return cost_terms({holds, lacks}, 1000, {})[1].duplicate;
  };
  CHECK(duplicate(0) == 0);
  CHECK(duplicate(0.5) == doctest::Approx(1.5));
  CHECK(duplicate(0.9) == doctest::Approx(24.3));
  CHECK(duplicate(1) == doctest::Approx(150));
}

TEST_CASE("where others route too, one of those that are about as good is drawn by lot") {
  const std::vector<RouteCandidate> candidates = {unified_node(0, 500, 0), unified_node(1, 500, 0),
                                                  unified_node(2, 500, 0), unified_node(3, 0, 0)};
  auto near = candidates;
  near[1].queued_tokens = 60;   // 0.06 s; a quarter of what it adds is 0.125 s
  near[2].queued_tokens = 130;  // too much
  const auto drawn = [&](double share) {
    const auto terms = cost_terms(near, 1000, {});
    std::map<std::size_t, int> times;
    for (std::uint64_t lot = 0; lot < 1000; ++lot) {
      const RouteChoice choice = least_cost(near, terms, 1000, 1, {}, {share, lot * 7919});
      CHECK(choice.near_equals == (share > 0.5 ? 1 : 0));
      ++times[*choice.prefill];
      CHECK(choice.decode == choice.prefill);
    }
    return times;
  };
  CHECK(drawn(0) == std::map<std::size_t, int>{{0, 1000}});
  CHECK(drawn(0.4) == std::map<std::size_t, int>{{0, 1000}});
  const auto times = drawn(0.9);
  REQUIRE(times.size() == 2);
  CHECK(times.at(0) > 400);
  CHECK(times.at(1) > 400);
}

}  // namespace
}  // namespace radixmesh
