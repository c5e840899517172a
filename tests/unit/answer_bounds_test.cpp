// An answer that would not fit a frame must be refused before anything changed, or stop early.
#include <doctest/doctest.h>

#include "lib/base/limits.h"
#include "tests/unit/lone_replica.h"

namespace radixmesh {
namespace {

// `count` tokens that begin with `first`, each in a slot that no run can share with the next.
void insert_scattered(LoneReplica& d0, TokenId first, std::uint32_t count) {
  std::vector<TokenId> tokens(count, TokenId{7});
  tokens[0] = first;
  SlotRuns slots;
  const std::uint64_t base = std::uint64_t{static_cast<std::uint32_t>(first)} << 32;
  for (std::uint64_t i = 0; i < count; ++i) slots.append(SlotRun{Slot{base + 2 * i}, 1});
  const auto result = d0.replica.insert(d0.now, {}, tokens, slots);
  REQUIRE(result);
  REQUIRE(result->stored == count);
}

TEST_CASE("reset and delete refuse to free more runs than an answer holds, and change nothing") {
  LoneReplica d0;
  insert_scattered(d0, TokenId{1}, 600'000);
  insert_scattered(d0, TokenId{2}, 600'000);
  d0.replica.take_effects();
  const auto refused = d0.replica.reset(d0.now);
  REQUIRE(!refused);
  CHECK(refused.error().code == RefusalCode::send_less);
  CHECK(d0.replica.status().local_tokens == 1'200'000);
  CHECK(d0.owed<Publish>().empty());

  SUBCASE("evict stops at its bound, and frees the rest when asked again") {
    std::uint64_t freed_slots = 0;
    while (freed_slots < 1'200'000) {
      const auto freed = d0.replica.evict(d0.now, 1'200'000);
      REQUIRE(freed);
      REQUIRE(!freed->freed.empty());
      REQUIRE(freed->freed.runs().size() < limits::answer_runs_max);
      freed_slots += freed->freed.size();
    }
    CHECK(freed_slots == 1'200'000);
    CHECK(d0.replica.status().local_tokens == 0);
  }
  SUBCASE("each half can be deleted") {
    const std::vector<TokenId> first{TokenId{1}};
    const auto freed = d0.replica.remove(d0.now, {}, first);
    REQUIRE(freed);
    CHECK(freed->size() == 600'000);
  }
}

TEST_CASE("acquire refuses a match of more runs than an answer holds, and locks nothing") {
  LoneReplica d0;
  insert_scattered(d0, TokenId{1}, 600'000);
  std::vector<TokenId> tokens(600'000, TokenId{7});
  tokens[0] = TokenId{1};
  const auto refused = d0.replica.acquire(d0.now, {}, tokens);  // local_slots and one segment's
  REQUIRE(!refused);
  CHECK(refused.error().code == RefusalCode::send_less);
  CHECK(d0.replica.status().protected_tokens == 0);
}

TEST_CASE("what one call removes is bounded in edges as well, though all its slots are one run") {
  LoneReplica d0;
  const std::uint32_t edges = limits::removed_edges_max + 2;
  for (std::uint32_t i = 0; i < edges; ++i) {
    const std::vector<TokenId> tokens{TokenId{1}, TokenId{2 + i / 256}, TokenId{i % 256}};
    REQUIRE(d0.replica.insert(d0.now, {}, tokens, {{Slot{3 * i}, 3}}));
  }
  const std::uint64_t before = d0.replica.status().local_tokens;
  const std::vector<TokenId> all{TokenId{1}}, few{TokenId{1}, TokenId{2}};
  const auto refused = d0.replica.remove(d0.now, {}, all);
  REQUIRE(!refused);
  CHECK(refused.error().code == RefusalCode::send_less);
  CHECK(d0.replica.status().local_tokens == before);
  CHECK(d0.replica.remove(d0.now, {}, few)->size() == 257);
  const auto evicted = d0.replica.evict(d0.now, before);
  REQUIRE(evicted);
  CHECK(evicted->freed.size() > 0);
  CHECK(evicted->freed.size() <= 2 * limits::evicted_runs_max);
  CHECK(d0.replica.remove(d0.now, {}, all));
  CHECK(d0.replica.status().local_tokens == 0);
}

TEST_CASE("what others hold below a page hinders nobody from deleting it") {
  LoneReplica d0;
  d0.introduce("p0");
  for (std::uint32_t i = 0; i < limits::removed_edges_max + 2; ++i) {
    const std::vector<TokenId> tokens{TokenId{1}, TokenId{2 + i / 256}, TokenId{i % 256}};
    d0.published(d0.message("p0", i + 1, InsertOp{{}, {}, tokens, {{Slot{3 * i}, 3}}}));
  }
  const std::vector<TokenId> own{TokenId{1}, TokenId{0}};
  REQUIRE(d0.replica.insert(d0.now, {}, own, {{Slot{0}, 2}}));
  const auto removed = d0.replica.remove(d0.now, {}, std::span(own).first(1));
  REQUIRE(removed);
  CHECK(removed->size() == 2);
}

}  // namespace
}  // namespace radixmesh
