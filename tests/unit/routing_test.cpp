// Where a prompt should run: the policies, bookings, speculation, several routers. The fixture is a
// fleet of nodes with what the index says of them.
#include <doctest/doctest.h>

#include <numeric>

#include "lib/base/limits.h"
#include "lib/routing/first_pages.h"
#include "lib/routing/router.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kPage = 16;
constexpr TimePoint kStart{1h};
constexpr Epoch kLife{5000};

std::vector<TokenId> tokens_from(std::uint32_t first, std::size_t count) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) {
    tokens[i] = TokenId{first + static_cast<std::uint32_t>(i)};
  }
  return tokens;
}

struct Fleet {
  explicit Fleet(std::initializer_list<Role> roles) {
    for (Role role : roles) {
      const auto rank = static_cast<std::uint32_t>(nodes.size());
      nodes.push_back({NodeId{1000 + rank}, NodeRank{rank}, role, 0});
    }
  }
  Fleet& with_depths(std::vector<std::uint32_t> depths) {
    for (std::size_t i = 0; i < depths.size(); ++i) nodes[i].depth = depths[i];
    return *this;
  }
  NodeId id(std::size_t node) const { return nodes[node].id; }
  std::vector<RouteNode> nodes;
};

struct TestRouter : Router {
  explicit TestRouter(RoutingSettings settings = {}) : Router(settings, kPage, kLife, 0, kStart) {}
  TimePoint now = kStart;

  Routed ask(const Fleet& fleet, const std::vector<TokenId>& tokens, bool book = false) {
    return route(now, {CacheNamespace{}, tokens}, fleet.nodes, book);
  }
  void tell(TestRouter& other, NodeId self) {
    const std::vector<PromiseRow> rows(promises().begin(), promises().end());
    const auto chunks = take_chunk_news(limits::booked_chunks_per_message_max);
    other.note_promises(now, self, Epoch{1}, ++told, rows, chunks);
  }
  std::uint64_t told = 0;
};

RoutingSettings prefix_first_settings() {
  RoutingSettings settings;
  settings.policy = RoutingPolicy::prefix_first;
  return settings;
}

Load load_of(std::uint32_t waiting, std::uint64_t queued_tokens) {
  return {waiting, waiting, queued_tokens, 0, 0, std::nullopt, 0};
}

constexpr Role P = Role::prefill, D = Role::decode, U = Role::unified;

// ---- the policies ------------------------------------------------------------------------------

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
  CHECK(router.traffic(Fleet{D, D}.id(*decode.choice.decode))->promised().prefill_tokens == 96);
}

// ---- bookings and speculation ------------------------------------------------------------------

TEST_CASE("a booking counts until it is done, and then no more") {
  TestRouter router;
  Fleet fleet{P, D};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  REQUIRE(routed.booking);
  CHECK(router.traffic(fleet.id(0))->promised() == Promise{1, 1, 96, 0});
  CHECK(router.traffic(fleet.id(1))->promised() == Promise{1, 0, 0, 96});
  CHECK(router.prefill_done(router.now, *routed.booking, 32));
  CHECK(!router.prefill_done(router.now, *routed.booking, 32));
  CHECK(router.traffic(fleet.id(0))->promised().is_zero());
  CHECK(router.traffic(fleet.id(0))->hits.actual_tokens == 32);
  CHECK(router.finish(router.now, *routed.booking));
  CHECK(!router.finish(router.now, *routed.booking));
  CHECK(router.traffic(fleet.id(1))->promised().is_zero());
}

TEST_CASE("a booking that nobody ends expires, its prompt before the rest") {
  TestRouter router;
  Fleet fleet{U};
  router.ask(fleet, tokens_from(0, 96), true);
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.traffic(fleet.id(0))->promised() == Promise{1, 0, 0, 96});
  router.now += 5min;
  router.expire(router.now);
  CHECK(router.traffic(fleet.id(0))->promised().is_zero());
  CHECK(router.bookings_expired() == 2);
  CHECK(router.bookings() == 0);
}

TEST_CASE("what was booked counts as held until its booking ends, and a while after") {
  TestRouter router;
  Fleet fleet{U, U, U};
  const auto tokens = tokens_from(0, 1000);
  const Routed first = router.ask(fleet, tokens, true);
  const std::size_t node = *first.choice.prefill;
  const auto depth = [&] {
    router.expire(router.now);
    return router.ask(fleet, tokens).candidates[node].depth;
  };
  // Whole chunks are known.
  CHECK(depth() == 768);
  // Another namespace shares nothing.
  CacheNamespace tenant;
  tenant.parts[3] = {NamespacePart::Kind::text, "tenant"};
  CHECK(router.look(router.now, {tenant, tokens}, fleet.nodes).candidates[node].depth == 0);
  // A prompt may be queued for much longer than speculation lives.
  for (int i = 0; i < 60; ++i) {
    router.now += 4300ms;
    CHECK(depth() == 768);
  }
  router.finish(router.now, *first.booking);
  router.now += 5s;
  CHECK(depth() == 768);
  router.now += 7s;
  CHECK(depth() == 0);
  CHECK(router.speculative_chunks() == 0);
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

TEST_CASE("what a router booked counts at every other that is told, and is told again") {
  TestRouter here, there, third;
  Fleet fleet{U, U, U};
  const auto tokens = tokens_from(0, 2000);
  const Routed first = there.ask(fleet, tokens, true);
  const std::size_t node = *first.choice.prefill;
  const auto depth_at = [&](TestRouter& router) {
    return router.ask(fleet, tokens).candidates[node].depth;
  };
  CHECK(depth_at(here) == 0);
  there.tell(here, NodeId{7});
  CHECK(depth_at(here) == 1792);
  CHECK(!there.has_chunk_news());
  // The third router did not get it; it does so after the next repetition, and no sooner.
  there.tell(third, NodeId{7});
  CHECK(depth_at(third) == 0);
  there.now += kChunksRepeat;
  there.expire(there.now);
  there.tell(third, NodeId{7});
  CHECK(depth_at(third) == 1792);
  // It is told as long as the booking is open, and once more then; it counts nowhere a while after.
  there.finish(there.now, *first.booking);
  CHECK(there.has_chunk_news());
  there.tell(here, NodeId{7});
  there.now += kChunksRepeat;
  there.expire(there.now);
  CHECK(!there.has_chunk_news());
  here.now += 11s;
  here.expire(here.now);
  CHECK(depth_at(here) == 0);
  // A node that began anew has nothing.
  third.forget(third.now, fleet.id(node));
  CHECK(depth_at(third) == 0);
}

TEST_CASE("names of chunks are as WIRE.md says") {
  const auto chunks = chunks_of({}, tokens_from(0, 800));
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[0].hash == ChunkHash{0xb06ae77201eab8b});
  CHECK(chunks[1].hash == ChunkHash{0x256994a590045739});
  CHECK(chunks[2].hash == ChunkHash{0x2428f2bdae34be95});
  CHECK(chunks[2].end == 768);
  CHECK(chunks_of({}, tokens_from(0, limits::request_tokens_max)).size() ==
        chunk_count(limits::request_tokens_max));
}

TEST_CASE("a prompt that somebody else's booking covers is told all the same") {
  TestRouter router;
  Fleet fleet{U};
  const auto tokens = tokens_from(0, 1024);
  const Routed first = router.ask(fleet, tokens, true);
  router.ask(fleet, tokens, true);
  router.finish(router.now, *first.booking);
  for (int i = 0; i < 20; ++i) {
    router.now += 1s;
    router.expire(router.now);
  }
  CHECK(router.ask(fleet, tokens).candidates[0].depth == 1024);
}

TEST_CASE("a node that begins anew has nothing of what was booked there, whoever goes on with it") {
  TestRouter router;
  Fleet fleet{P, D};
  const auto tokens = tokens_from(0, 1024);
  const Routed routed = router.ask(fleet, tokens, true);
  router.prefill_done(router.now, *routed.booking, std::nullopt);
  router.forget(router.now, fleet.id(0));
  router.now += 3s;
  router.expire(router.now);
  const Routed again = router.ask(fleet, tokens);
  CHECK(again.candidates[0].depth == 0);
  CHECK(again.candidates[1].depth == 1024);
  for (const auto& [node, chunks] : router.take_chunk_news(10'000)) CHECK(node == fleet.id(1));
}

TEST_CASE("hashes that somebody chose to collide cost what others cost") {
  Speculation speculation(5s, 12345);
  std::vector<ChunkHash> chosen(20'000);
  for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = ChunkHash{i << 40};
  speculation.note(kStart, NodeId{1}, chosen);
  CHECK(speculation.chunks() == chosen.size());
}

TEST_CASE("pairs of a chunk and a node are bounded, and so are the nodes of one chunk") {
  Speculation speculation(5s, 0);
  const std::vector<ChunkHash> few{ChunkHash{1}, ChunkHash{2}};
  for (std::uint64_t node = 0; node < 1000; ++node) speculation.note(kStart, NodeId{node}, few);
  std::size_t found = 0;
  const Chunk chunk{256, ChunkHash{1}};
  speculation.match({&chunk, 1}, [&](NodeId, std::uint32_t) { ++found; });
  CHECK(found == limits::speculative_nodes_max);
  std::vector<ChunkHash> many(limits::booked_chunks_per_message_max);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    for (std::size_t k = 0; k < many.size(); ++k) many[k] = ChunkHash{i * many.size() + k};
    speculation.note(kStart, NodeId{i % 7}, many);
  }
  CHECK(speculation.chunks() <= 2 * limits::speculative_chunks_max);
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

TEST_CASE("how busy a node has been is the work that it was given, told that it is done or not") {
  TestRouter router;
  Fleet fleet{U};
  const auto busy = [&] { return router.ask(fleet, tokens_from(0, 16)).candidates[0].busy; };
  CHECK(busy() == 0);
  // 3 s of work at the rate that is configured.
  const auto booked = router.ask(fleet, tokens_from(1000, 30'000), true).booking;
  CHECK(busy() == doctest::Approx(3.0 / 60));
  router.prefill_done(router.now, *booked, std::nullopt);
  CHECK(busy() == doctest::Approx(3.0 / 60));
  router.now += std::chrono::seconds(60);
  CHECK(busy() == doctest::Approx(1.5 / 60));
  // Each half a second one of 0.2 s, and nobody ever says what became of it.
  for (int i = 0; i < 2000; ++i) {
    router.ask(fleet, tokens_from(1'000'000 + 4096 * static_cast<std::uint32_t>(i), 2000), true);
    router.now += std::chrono::milliseconds(500);
  }
  CHECK(busy() == doctest::Approx(0.4).epsilon(0.05));
  router.ask(fleet, tokens_from(1'000, 1'000'000), true);
  CHECK(busy() == 1);
  // However much another one says that it gave: once it is silent that counts no longer than else.
  const Router::PromiseRow row{fleet.id(0), {1, 1, std::uint64_t{1} << 60, 0}};
  router.note_promises(router.now, NodeId{7}, Epoch{1}, 1, std::span(&row, 1));
  router.now += std::chrono::minutes(10);
  CHECK(busy() < 0.1);
}

TEST_CASE("lots are drawn as soon as another router has something under way") {
  TestRouter here, there;
  Fleet fleet{U, U, U};
  fleet.with_depths({512, 512, 512});
  const auto tokens = tokens_from(0, 4096);
  CHECK(here.ask(fleet, tokens).choice.near_equals == 0);
  Fleet elsewhere{U, U, U, U};
  elsewhere.nodes.erase(elsewhere.nodes.begin(), elsewhere.nodes.begin() + 3);
  const auto booked = there.ask(elsewhere, tokens, true).booking;
  there.tell(here, NodeId{7});
  CHECK(here.ask(fleet, tokens).choice.near_equals == 2);
  there.finish(there.now, *booked);
  there.tell(here, NodeId{7});
  CHECK(here.ask(fleet, tokens).choice.near_equals == 0);
}

TEST_CASE("room is by what engines report, and by how long requests were seen to hold theirs") {
  TestRouter router;
  Fleet fleet{U};
  const auto ask = [&] { return router.ask(fleet, tokens_from(0, 4096)); };
  Load full = load_of(0, 0);
  full.kv_used = 9000;
  full.kv_total = 10'000;
  router.report_load(router.now, fleet.id(0), full);
  CHECK(ask().candidates[0].kv_free == 1000);
  CHECK(ask().terms[0].room == 0);  // nothing was seen to end yet
  const auto booked = router.ask(fleet, tokens_from(0, 16), true).booking;
  router.now += std::chrono::seconds(9);
  router.finish(router.now, *booked);
  // What is held for 9 s comes back at 1,000 tokens a second.
  CHECK(ask().terms[0].room == doctest::Approx(3.096).epsilon(0.01));
}

TEST_CASE("of what a node has by the index nothing is told, and each node is told what it lacks") {
  TestRouter router;
  Fleet fleet{P, D};
  fleet.with_depths({1024, 0});
  router.ask(fleet, tokens_from(0, 2048), true);
  const auto news = router.take_chunk_news(1000);
  REQUIRE(news.size() == 2);
  CHECK(news[0].first == fleet.id(0));
  CHECK(news[0].second.size() == 4);
  CHECK(news[1].second.size() == 8);
  CHECK(std::ranges::equal(news[0].second, std::span(news[1].second).subspan(4)));
}

TEST_CASE("what one router keeps and tells of chunks is bounded, and so is what is taken of one") {
  TestRouter router, other;
  Fleet fleet{U};
  std::uint32_t booked = 0;
  while (booked * 385 <= limits::booked_chunks_max + 385) {
    router.ask(fleet, tokens_from(booked++ << 20, limits::request_tokens_max), true);
  }
  std::size_t told = 0;
  while (router.has_chunk_news()) {
    std::size_t in_one = 0;
    for (const auto& [node, chunks] : router.take_chunk_news(limits::booked_chunks_per_message_max))
      in_one += chunks.size();
    REQUIRE(in_one > 0);
    REQUIRE(in_one <= limits::booked_chunks_per_message_max);
    told += in_one;
  }
  CHECK(told <= limits::booked_chunks_max);
  // Those that were booked last are the ones that are kept, and told first.
  router.now += kChunksRepeat;
  router.expire(router.now);
  const auto latest = chunks_of({}, tokens_from((booked - 1) << 20, limits::request_tokens_max));
  const auto repeated = router.take_chunk_news(limits::booked_chunks_per_message_max);
  REQUIRE(!repeated.empty());
  CHECK(repeated[0].second.back() == latest.back().hash);
  CHECK(told > limits::booked_chunks_max - 400);
  // A liar tells more than anybody may.
  std::vector<ChunkHash> many(limits::booked_chunks_per_message_max);
  std::uint64_t next = 0;
  for (std::uint64_t version = 1; version < 300; ++version) {
    for (ChunkHash& chunk : many) chunk = ChunkHash{++next};
    const std::vector<BookedChunks> chunks{{fleet.id(0), many}};
    CHECK(other.note_promises(other.now, NodeId{7}, Epoch{1}, version, {}, chunks));
  }
  CHECK(other.speculative_chunks() <= limits::booked_chunks_heard_max);
}

TEST_CASE("D23: routers that tell each other their bookings spread what each alone would pile up") {
  Fleet fleet{U, U, U, U};
  std::vector<TestRouter> routers(4);
  std::vector<int> chosen(4);
  for (std::uint32_t i = 0; i < 64; ++i) {
    TestRouter& router = routers[i % 4];
    ++chosen[*router.ask(fleet, tokens_from(10'000 * i, 2048), true).choice.prefill];
    for (std::uint32_t other = 0; other < 4; ++other) {
      if (other != i % 4) router.tell(routers[other], NodeId{i % 4});
    }
  }
  CHECK(chosen == std::vector<int>{16, 16, 16, 16});
}

TEST_CASE("promises are absolute: told twice, late or not at all they count once; silent ones go") {
  Fleet fleet{U, U};
  TestRouter here, there;
  const Routed routed = there.ask(fleet, tokens_from(0, 96), true);
  const NodeId node = fleet.id(*routed.choice.prefill), id{7};
  there.tell(here, id);
  there.tell(here, id);
  CHECK(here.traffic(node)->promised() == Promise{1, 1, 96, 96});
  const auto late = there.told;
  const std::vector<Router::PromiseRow> old(there.promises().begin(), there.promises().end());
  there.finish(there.now, *routed.booking);
  there.tell(here, id);
  CHECK(here.traffic(node)->promised().is_zero());
  CHECK(!here.note_promises(here.now, id, Epoch{1}, late, old));
  CHECK(here.traffic(node)->promised().is_zero());
  // A router's death drops its bookings, and so does its silence.
  there.ask(fleet, tokens_from(0, 96), true);
  there.tell(here, id);
  here.forget(here.now, id);
  there.ask(fleet, tokens_from(500, 96), true);
  there.tell(here, id);
  here.now += 11s;
  here.expire(here.now);
  for (const RouteNode& each : fleet.nodes) {
    const Traffic* traffic = here.traffic(each.id);
    CHECK((traffic == nullptr || traffic->promised().is_zero()));
  }
}

TEST_CASE("a node that dies takes its bookings with it") {
  TestRouter router;
  Fleet fleet{P, D};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  router.forget(router.now, fleet.id(0));
  CHECK(router.traffic(fleet.id(0)) == nullptr);
  CHECK(router.bookings() == 0);
  CHECK(router.traffic(fleet.id(1))->promised().is_zero());
  CHECK(!router.finish(router.now, *routed.booking));
}

TEST_CASE("a node's death ends what it had to do, and not what others go on with") {
  TestRouter router;
  Fleet fleet{P, D};
  const Routed decoding = router.ask(fleet, tokens_from(0, 96), true);
  router.prefill_done(router.now, *decoding.booking, std::nullopt);
  const Routed waiting = router.ask(fleet, tokens_from(500, 96), true);
  router.forget(router.now, fleet.id(0));
  CHECK(router.traffic(fleet.id(1))->promised() == Promise{1, 0, 0, 96});
  CHECK(!router.finish(router.now, *waiting.booking));
  CHECK(router.finish(router.now, *decoding.booking));
  // What ends does not bring back who is forgotten.
  CHECK(router.traffic(fleet.id(0)) == nullptr);
}

TEST_CASE("numbers of bookings of another life are unknown") {
  TestRouter router;
  Fleet fleet{U};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  CHECK(routed.booking->value >= kLife.value);
  Router next({}, kPage, Epoch{kLife.value + 1'000'000}, 0, kStart);
  const auto tokens = tokens_from(0, 96);
  next.route(kStart, {CacheNamespace{}, tokens}, fleet.nodes, true);
  CHECK(!next.finish(kStart, *routed.booking));
  CHECK(next.bookings() == 1);
}

TEST_CASE("time that went by pays for what was promised before it, and not for what came after") {
  TestRouter router;
  Fleet fleet{U, U};
  Fleet first{U};
  router.ask(first, tokens_from(0, 16), true);
  router.now += 6s;
  std::vector<int> chosen(2);
  for (std::uint32_t i = 1; i <= 10; ++i) {
    ++chosen[*router.ask(fleet, tokens_from(10'000 * i, 5000), true).choice.prefill];
  }
  CHECK(chosen == std::vector<int>{5, 5});
}

TEST_CASE("a prompt whose time was up is told of all the same, once") {
  TestRouter router;
  Fleet fleet{U};
  const Routed routed = router.ask(fleet, tokens_from(0, 96), true);
  router.now += 20s;
  router.expire(router.now);
  CHECK(router.prefill_done(router.now, *routed.booking, 1'000'000));
  CHECK(router.traffic(fleet.id(0))->hits.actual_tokens == 96);
  CHECK(!router.prefill_done(router.now, *routed.booking, 0));
}

// ---- rates -------------------------------------------------------------------------------------

TEST_CASE("a rate is what the engine reports, else what was seen, else the fleet's") {
  TestRouter router;
  Fleet fleet{U, U, U};
  CHECK(router.rate(fleet.id(0)).source == RateSource::configured);
  for (std::uint32_t i = 0; i < 3; ++i) {
    Fleet only{U};
    only.nodes[0] = fleet.nodes[0];
    const Routed routed = router.ask(only, tokens_from(10'000 * i, 4096), true);
    router.now += 1s;
    router.prefill_done(router.now, *routed.booking, std::nullopt);
    router.finish(router.now, *routed.booking);
  }
  CHECK(router.rate(fleet.id(0)).tokens_per_second == doctest::Approx(4096));
  CHECK(router.rate(fleet.id(1)).tokens_per_second == doctest::Approx(4096));
  CHECK(router.rate(fleet.id(1)).source == RateSource::fleet);
  Load load = load_of(0, 0);
  load.prefill_rate = 20'000;
  router.report_load(router.now, fleet.id(2), load);
  CHECK(router.rate(fleet.id(2)).tokens_per_second == doctest::Approx(20'000));
  CHECK(router.rate(fleet.id(2)).source == RateSource::reported);
}

// ---- redirect ----------------------------------------------------------------------------------

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
