// What is booked counts as held: at every router, within bounds, and not for ever.
#include <doctest/doctest.h>

#include "tests/unit/routing_fleet.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

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

}  // namespace
}  // namespace radixmesh
