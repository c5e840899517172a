// The numbered cases and invariants of recency_list.h, and what they make of a cache.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "lib/tree/tree_cache.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh {
namespace {

// Edges that begin at 0 and are named by letters; drawn from the oldest stretch to the newest.
struct DrawnList {
  RecencyList list;
  std::array<StretchIndex, 26> deepest;
  DrawnList() { deepest.fill(kNoIndex); }

  StretchIndex& of(char edge) { return deepest[static_cast<std::size_t>(edge - 'a')]; }
  void use(char edge, std::uint32_t end) {
    list.use(static_cast<std::uint32_t>(edge), of(edge), end);
    list.keep_bound(of(edge));
  }
  std::string draw() const {
    std::string out;
    for (StretchIndex at = list.oldest(); at != kNoIndex; at = list[at].newer) {
      const std::uint32_t begin = list[at].above == kNoIndex ? 0 : list[list[at].above].end;
      out += out.empty() ? "" : " ";
      out += static_cast<char>(list[at].edge);
      out += std::to_string(begin) + "-" + std::to_string(list[at].end);
    }
    return out;
  }
};

TEST_CASE("recency: (1) a use of the first pages leaves the others where they were") {
  DrawnList t;
  t.use('a', 6);
  t.use('x', 2);
  t.use('a', 3);
  CHECK(t.draw() == "a3-6 x0-2 a0-3");
}

TEST_CASE("recency: (2) an edge may have several stretches, each in its place") {
  DrawnList t;
  t.use('a', 6);
  t.use('x', 2);
  t.use('a', 3);
  t.use('z', 1);
  t.use('a', 2);
  CHECK(t.draw() == "a3-6 x0-2 a2-3 z0-1 a0-2");
}

TEST_CASE("recency: (3) a longer use takes in what was used by itself") {
  DrawnList t;
  t.use('a', 6);
  t.use('x', 2);
  t.use('a', 3);
  t.use('z', 1);
  t.use('a', 2);
  t.use('a', 4);
  CHECK(t.draw() == "a4-6 x0-2 z0-1 a0-4");
  t.use('a', 6);
  CHECK(t.draw() == "x0-2 z0-1 a0-6");
}

TEST_CASE("recency: (4) stretches that nothing stands between are one") {
  DrawnList t;
  t.use('a', 6);
  t.use('a', 3);
  CHECK(t.draw() == "a0-6");
  t.use('x', 2);
  t.use('a', 4);
  t.use('a', 2);
  CHECK(t.draw() == "a4-6 x0-2 a0-4");
  t.list.drop(t.of('x'));
  CHECK(t.draw() == "a0-6");
  t.list.drop(t.of('a'));
  CHECK(t.draw().empty());
  CHECK(t.list.memory_bytes() == 0);
}

TEST_CASE("recency: a split gives each half its stretches, a join puts them together again") {
  DrawnList t;
  t.use('a', 8);
  t.use('x', 1);
  t.use('a', 4);
  t.use('y', 1);
  for (std::uint32_t at : {2u, 4u, 6u}) {
    CAPTURE(at);
    t.list.split('b', t.of('b'), t.of('a'), at);
    CHECK(t.list[t.of('b')].end == at);
    CHECK(t.list[t.of('b')].edge == 'b');
    CHECK(t.list[t.of('a')].end == 8);
    t.list.join('a', t.of('b'), t.of('a'));
    CHECK(t.of('b') == kNoIndex);
    CHECK(t.draw() == "a4-8 x0-1 a0-4 y0-1");
  }
}

// 'b' is used as well before each use of 'a', each time less of both.
DrawnList used_less_and_less(std::initializer_list<std::uint32_t> ends) {
  DrawnList t;
  for (std::uint32_t end : ends) {
    t.use('b', end);
    t.use('a', end);
  }
  return t;
}

TEST_CASE("recency: past the bound the shortest stretch counts as used with the one above it") {
  static_assert(limits::edge_stretches_max == 8);
  DrawnList t = used_less_and_less({80, 70, 60, 50, 40, 38, 30, 20});
  CHECK(t.draw() ==
        "b70-80 a70-80 b60-70 a60-70 b50-60 a50-60 b40-50 a40-50 b38-40 a38-40 b30-38 a30-38 "
        "b20-30 a20-30 b0-20 a0-20");
  t.use('b', 10);  // b38-40 moves up to b30-38, and nothing is left between a40-50 and a38-40
  t.use('a', 10);
  CHECK(t.draw() ==
        "b70-80 a70-80 b60-70 a60-70 b50-60 a50-60 b40-50 a38-50 b30-40 a30-38 b20-30 a20-30 "
        "b10-20 a10-20 b0-10 a0-10");
}

TEST_CASE("recency: a stretch that moves up keeps apart what its new place stood between") {
  DrawnList t = used_less_and_less({90, 80, 70, 60, 50, 41, 40, 30});
  t.use('b', 20);  // b40-41 moves up to b30-40, between a40-41 and a30-40
  CHECK(t.draw() ==
        "b80-90 a80-90 b70-80 a70-80 b60-70 a60-70 b50-60 a50-60 b41-50 a40-50 b30-41 a30-40 "
        "b20-30 a0-30 b0-20");
}

// ---- in a cache --------------------------------------------------------------------------------

struct UsedCache {
  explicit UsedCache(std::uint64_t tokens_max = 0) : tree(1), cache(tree, tokens_max) {}
  SlotRuns insert(std::string_view letters, std::uint64_t first_slot) {
    const auto key = tokens_of(letters);
    return cache.insert({}, key, SlotRuns{{Slot{first_slot}, key.size()}}, journal).freed;
  }
  Match& match(std::string_view letters) {
    tree.match({}, tokens_of(letters), found);
    return found;
  }
  SlotRuns evict(std::uint64_t tokens) { return cache.evict(tokens, 1000, journal); }

  HolderTree<MemberValue> tree;
  TreeCache<MemberValue> cache;
  CountingJournal journal;
  Match found;
};

TEST_CASE("recency: pages of an edge behind those that a lookup used are as old as they were") {
  UsedCache t;
  t.insert("abcdef", 1);
  t.insert("xy", 11);
  t.cache.touch(t.match("abc"));
  CHECK(t.tree.edge_count() == 2);
  CHECK(t.evict(2) == SlotRuns{{Slot{5}, 2}});
  CHECK(t.evict(3) == SlotRuns{{Slot{4}, 1}, {Slot{11}, 2}});
  CHECK(t.evict(9) == SlotRuns{{Slot{1}, 3}});
}

TEST_CASE("recency: nor do a lock and an insert of a prefix renew what lies behind it") {
  for (const bool locks : {true, false}) {
    CAPTURE(locks);
    UsedCache t;
    t.insert("abcdef", 1);
    t.insert("xy", 11);
    if (locks) {
      t.cache.unlock(t.cache.lock(t.match("abc")));
    } else {
      CHECK(t.insert("abc", 21).empty());
    }
    CHECK(t.tree.edge_count() == 2);
    CHECK(t.evict(5) == SlotRuns{{Slot{4}, 3}, {Slot{11}, 2}});
  }
}

TEST_CASE("recency: making room under the bound goes by page, and so does what is to retire") {
  UsedCache t(8);
  t.insert("abcdef", 1);
  t.insert("xy", 11);
  t.cache.touch(t.match("abc"));
  CHECK(t.cache.oldest_pages(4, 10) == std::vector{Anchor{Seq{1}, 4}, Anchor{Seq{2}, 2}});
  CHECK(t.insert("mnop", 31) == SlotRuns{{Slot{4}, 3}, {Slot{12}, 1}});
}

TEST_CASE("recency: what joins when a branch goes keeps the places of both parts") {
  UsedCache t;
  t.insert("abcd", 1);
  t.insert("abxy", 11);  // ab is newer than cd now
  t.insert("mn", 21);
  t.cache.touch(t.match("ab"));
  REQUIRE(t.cache.remove({}, tokens_of("abx"), t.journal));
  CHECK(t.tree.edge_count() == 2);
  CHECK(t.evict(2) == SlotRuns{{Slot{3}, 2}});
  CHECK(t.evict(2) == SlotRuns{{Slot{21}, 2}});
  CHECK(t.evict(2) == SlotRuns{{Slot{1}, 2}});
}

TEST_CASE("recency: lookups leave bounded marks, however many they are") {
  UsedCache t;
  const std::string letters = "abcdefghijklmnopqrstuvwxyz";
  t.insert(letters, 1);
  t.insert("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 101);
  std::size_t memory = 0;
  for (int round = 0; round < 100; ++round) {
    for (std::size_t length = letters.size(); length > 0; --length) {
      t.cache.touch(t.match(letters.substr(0, length)));
      t.cache.touch(t.match("ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
      t.cache.touch(t.match("ABC"));
    }
    if (round == 0) memory = t.cache.memory_bytes();
  }
  CHECK(t.cache.memory_bytes() == memory);
  CHECK(t.tree.edge_count() == 2);
}

}  // namespace
}  // namespace radixmesh
