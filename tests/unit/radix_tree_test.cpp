// The tree on the running example of radix_tree.h, whose case numbers the names carry; and the
// rules of relation.h and local_cache.h that a reader should see by example.
#include <doctest/doctest.h>

#include <algorithm>

#include "lib/tree/tree_cache.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh {
namespace {

// A tree of page size 2 whose tokens are letters, drawn as "ab(cd(ef gh) xy)"; holders by number.
template <class SlotsValue>
class Drawn {
 public:
  explicit Drawn(std::uint32_t page_size = 2) : tree(page_size) {
    for (int i = 1; i < 4; ++i) tree.add_holder();
  }

  Seq store(std::uint32_t holder, std::string_view letters, Anchor anchor = {}) {
    const Seq seq{++seqs_[holder]};
    const auto key = tokens_of(letters);
    REQUIRE(tree.store(HolderIndex{holder}, Insertion{seq, anchor, {}, key, {}}));
    return seq;
  }
  Seq store_slots(std::uint32_t holder, std::string_view letters, SlotRuns slots) {
    const Seq seq{++seqs_[holder]};
    const auto key = tokens_of(letters);
    REQUIRE(tree.store(HolderIndex{holder}, Insertion{seq, {}, {}, key, slots}));
    return seq;
  }
  std::optional<std::uint64_t> remove(std::uint32_t holder, Seq seq, std::uint32_t tokens) {
    return tree.remove(HolderIndex{holder}, Anchor{seq, tokens});
  }

  // Siblings in alphabetical order, each edge with its holders if `holders` is set: "ab{1,2}".
  std::string draw(bool holders = false) {
    const std::vector<EdgeView> edges = tree.edges(0, 1000);
    return draw_below(edges, 0, edges.size(), 0, holders);
  }

  // "1:4 2:2": the depth of every holder.
  std::string depths(std::string_view letters, const CacheNamespace& name = {}) {
    Match match;
    tree.match(name, tokens_of(letters), match);
    std::ranges::sort(match.depths, {}, &HolderDepth::holder);
    std::string out;
    for (const HolderDepth& depth : match.depths) {
      if (!out.empty()) out += ' ';
      out += std::to_string(depth.holder.value) + ':' + std::to_string(depth.tokens);
    }
    return out;
  }

  // The slots of a holder along the whole match; "-" where they are not kept.
  std::string slots(std::uint32_t holder, std::string_view letters) {
    Match match;
    tree.match({}, tokens_of(letters), match);
    SlotRuns runs;
    for (const PathStep& step : match.path) {
      if (!tree.slots_at(step.node, HolderIndex{holder}, step.begin, step.end, runs)) return "-";
    }
    std::string out;
    for (const SlotRun& run : runs.runs()) {
      if (!out.empty()) out += ' ';
      out += std::to_string(run.start.value) + '+' + std::to_string(run.count);
    }
    return out;
  }

  HolderTree<SlotsValue> tree;

 private:
  static std::string draw_below(const std::vector<EdgeView>& edges, std::size_t from,
                                std::size_t to, std::uint32_t begin, bool holders) {
    std::vector<std::string> parts;
    for (std::size_t i = from; i < to; ++i) {
      if (edges[i].begin != begin) continue;
      std::size_t end = i + 1;
      while (end < to && edges[end].begin > begin) ++end;
      std::string part;
      for (TokenId token : edges[i].tokens) part += static_cast<char>(token);
      if (holders) {
        for (HolderIndex holder : edges[i].holders) part += '0' + static_cast<char>(holder.value);
      }
      if (end > i + 1) part += '(' + draw_below(edges, i + 1, end, edges[i].end, holders) + ')';
      parts.push_back(part);
    }
    std::ranges::sort(parts);
    std::string out;
    for (const std::string& part : parts) out += (out.empty() ? "" : " ") + part;
    return out;
  }

  std::array<std::uint64_t, 4> seqs_{};
};

TEST_CASE("radix tree (1): the first insert makes one edge") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  CHECK(t.draw() == "abcdef");
}

TEST_CASE("radix tree (2): an insert that leaves an edge inside it cuts the edge there") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  t.store(1, "abcdgh");
  CHECK(t.draw() == "abcd(ef gh)");
}

TEST_CASE("radix tree (3): a shorter common beginning cuts it again") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  t.store(1, "abcdgh");
  t.store(1, "abxy");
  CHECK(t.draw() == "ab(cd(ef gh) xy)");
}

TEST_CASE("radix tree (4): when a branch goes, what it had cut apart is joined") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  const Seq gh = t.store(1, "abcdgh");
  t.store(1, "abxy");
  CHECK(t.remove(1, gh, 6) == 2);
  CHECK(t.draw() == "ab(cdef xy)");
}

TEST_CASE("radix tree (5): when the last branch goes, the tree is what the first insert made") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  const std::size_t memory = t.tree.memory_bytes();
  const Seq gh = t.store(1, "abcdgh"), xy = t.store(1, "abxy");
  t.remove(1, gh, 6);
  t.remove(1, xy, 4);
  CHECK(t.draw() == "abcdef");
  CHECK(t.tree.memory_bytes() <= memory + 256);  // what tables keep in reserve
}

TEST_CASE("radix tree: children differ in their first page, not in their first token") {
  Drawn<RankValue> t;
  t.store(1, "ab");
  t.store(1, "ac");
  CHECK(t.draw() == "ab ac");
  CHECK(t.depths("ad") == "");
}

TEST_CASE("relation: a lookup answers the depth of every holder, however the edges lie") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  t.store(2, "abcd");
  t.store(3, "abxy");
  CHECK(t.draw(true) == "ab123(cd12(ef1) xy3)");
  CHECK(t.depths("abcdef") == "1:6 2:4 3:2");
  CHECK(t.depths("abcdefgh") == "1:6 2:4 3:2");
  CHECK(t.depths("abc") == "1:2 2:2 3:2");  // a part page is ignored
  CHECK(t.depths("a") == "");
  CHECK(t.depths("xyab") == "");
}

TEST_CASE("relation: a lookup that ends inside an edge does not cut it") {
  Drawn<RankValue> t;
  t.store(1, "abcdef");
  const std::size_t memory = t.tree.memory_bytes();
  CHECK(t.depths("abcd") == "1:4");
  CHECK(t.depths("abcdxx") == "1:4");
  CHECK(t.draw() == "abcdef");
  CHECK(t.tree.memory_bytes() == memory);
}

TEST_CASE("relation: namespaces never share an edge, and an emptied one goes") {
  Drawn<RankValue> t;
  CacheNamespace lora;
  lora.parts[1] = {NamespacePart::Kind::text, "x"};
  const auto key = tokens_of("abcd");
  t.store(1, "abcd");
  t.tree.store(HolderIndex{2}, Insertion{Seq{1}, {}, lora, key, {}});
  CHECK(t.tree.edge_count() == 2);
  CHECK(t.depths("abcd") == "1:4");
  CHECK(t.depths("abcd", lora) == "2:4");
  t.remove(2, Seq{1}, 2);
  CHECK(t.depths("abcd", lora) == "");
  CHECK(t.tree.edges(0, 10).size() == 1);
}

TEST_CASE("relation: a removal takes the page and all below it, for this holder only") {
  Drawn<RankValue> t;
  const Seq one = t.store(1, "abcdef");
  t.store(1, "abcdgh");
  t.store(2, "abcdef");
  CHECK(t.remove(1, one, 4) == 6);
  CHECK(t.depths("abcdef") == "1:2 2:6");
  CHECK(t.depths("abcdgh") == "1:2 2:4");
  CHECK(t.draw(true) == "ab12(cdef2)");
}

TEST_CASE("relation: an INSERT goes on after any live page of its holder") {
  Drawn<RankValue> t;
  const Seq one = t.store(1, "abcdef");
  t.store(1, "xy", Anchor{one, 4});
  CHECK(t.draw() == "abcd(ef xy)");
  CHECK(t.depths("abcdxy") == "1:6");
}

TEST_CASE("relation: an INSERT after an unknown page is refused and leaves no trace") {
  Drawn<RankValue> t;
  const Seq one = t.store(1, "abcd");
  t.remove(1, one, 4);
  const std::size_t memory = t.tree.memory_bytes();
  const auto key = tokens_of("xy");
  const Insertion gone{Seq{2}, Anchor{one, 4}, {}, key, {}};
  const Insertion between_pages{Seq{2}, Anchor{one, 1}, {}, key, {}};
  const Insertion never_sent{Seq{2}, Anchor{Seq{9}, 2}, {}, key, {}};
  for (const Insertion& bad : {gone, between_pages, never_sent}) {
    CHECK_FALSE(t.tree.store(HolderIndex{1}, bad));
    CHECK_FALSE(t.tree.store(HolderIndex{2}, bad));  // another holder's seq names nothing of mine
  }
  CHECK(t.draw() == "ab");
  CHECK(t.tree.memory_bytes() == memory);
}

TEST_CASE("relation: pages that are held already take the new slots and stay in their entry") {
  Drawn<MemberValue> t;
  t.store_slots(1, "abcd", {{Slot{10}, 4}});
  t.store_slots(1, "abcdef", {{Slot{50}, 6}});
  CHECK(t.slots(1, "abcdef") == "50+6");
  const Entry* first = t.tree.entry_at_or_after(HolderIndex{1}, Seq{1});
  const Entry* second = t.tree.entry_at_or_after(HolderIndex{1}, Seq{2});
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  CHECK(first->end == 4);
  CHECK(second->begin == 4);
  CHECK(second->parent == first->seq);
}

TEST_CASE("relation: an INSERT without slots leaves those that are known, and one with them adds") {
  Drawn<MemberValue> t;
  const Seq one = t.store_slots(1, "abcdefgh", {});
  const auto key = tokens_of("cdef");
  t.tree.store(HolderIndex{1}, Insertion{Seq{2}, Anchor{one, 2}, {}, key, {{Slot{1}, 4}}});
  CHECK(t.slots(1, "abcdefgh") == "-");
  Match match;
  t.tree.match({}, tokens_of("abcdefgh"), match);
  SlotRuns known;
  for (const PathStep& step : match.path) {
    t.tree.slots_at(step.node, HolderIndex{1}, step.begin, step.end, known);
  }
  CHECK(known == SlotRuns{{Slot{1}, 4}});
  t.store_slots(1, "abcdefgh", {{Slot{11}, 8}});
  t.store(1, "abcdefgh");
  CHECK(t.slots(1, "abcdefgh") == "11+8");
}

TEST_CASE("relation: equal slot numbers of two holders stay apart, through cuts and joins") {
  Drawn<MemberValue> t;
  t.store_slots(1, "abcdef", {{Slot{1}, 6}});
  t.store_slots(2, "abcdgh", {{Slot{1}, 2}, {Slot{9}, 4}});
  CHECK(t.slots(1, "abcdef") == "1+6");
  CHECK(t.slots(2, "abcdgh") == "1+2 9+4");
  t.remove(1, Seq{1}, 2);
  CHECK(t.slots(2, "abcdgh") == "1+2 9+4");
  CHECK(t.draw(true) == "abcdgh2");
}

TEST_CASE("values: a router keeps no slots, a plain cache none of others") {
  Drawn<RankValue> router;
  Drawn<OwnSlotsValue> plain;
  Drawn<MemberValue> member;
  const SlotRuns slots{{Slot{5}, 4}};
  router.store_slots(0, "abcd", slots), router.store_slots(1, "abcd", slots);
  plain.store_slots(0, "abcd", slots), plain.store_slots(1, "abcd", slots);
  member.store_slots(0, "abcd", slots), member.store_slots(1, "abcd", slots);
  CHECK(router.slots(0, "abcd") == "-");
  CHECK(router.slots(1, "abcd") == "-");
  CHECK(plain.slots(0, "abcd") == "5+4");
  CHECK(plain.slots(1, "abcd") == "-");
  CHECK(member.slots(0, "abcd") == "5+4");
  CHECK(member.slots(1, "abcd") == "5+4");
}

TEST_CASE("relation: removing one holder leaves what the other alone would have made") {
  const std::string_view a = "abcdefghijklmnop";
  for (std::size_t shared = 0; shared <= a.size(); shared += 2) {
    CAPTURE(shared);
    Drawn<MemberValue> t;
    // Every slot a run of its own, which is where slots cost most.
    SlotRuns slots;
    for (std::uint64_t i = 0; i < a.size(); ++i) slots.append(SlotRun{Slot{2 * i}, 1});
    t.store_slots(1, a, slots);
    const std::size_t memory = t.tree.memory_bytes();
    const Seq b = t.store_slots(2, std::string(a.substr(0, shared)) + "zz", {});
    t.remove(2, b, 2);
    CHECK(t.draw(true) == std::string(a) + "1");
    CHECK(t.slots(1, a).starts_with("0+1 2+1"));
    CHECK(t.tree.memory_bytes() <= memory + 256);  // what tables keep in reserve
  }
}

TEST_CASE(
    "relation: memory returns to where it was when all was removed, asked for digests or not") {
  for (bool digests : {false, true}) {
    CAPTURE(digests);
    Drawn<MemberValue> t;
    const std::size_t memory = t.tree.memory_bytes();
    std::vector<Seq> seqs;
    for (char c = 'a'; c < 'z'; ++c) {
      seqs.push_back(t.store_slots(1, std::string{c, 'x', 'y', 'z'}, {{Slot{1}, 4}}));
      t.store_slots(2, std::string{c, 'x'}, {{Slot{1}, 2}});
      if (digests) t.tree.digest(HolderIndex{1});
    }
    for (Seq seq : seqs) t.remove(1, seq, 2);
    t.tree.clear(HolderIndex{2});
    CHECK(t.tree.edge_count() == 0);
    CHECK(t.tree.memory_bytes() == memory);
    CHECK(t.tree.digest(HolderIndex{1}) == 0);
  }
}

TEST_CASE("relation: a holder that evicts for ever without a digest does not grow") {
  Drawn<RankValue> t;
  std::size_t memory = 0;
  for (int round = 0; round < 4000; ++round) {
    t.remove(1, t.store(1, round % 2 == 0 ? "abcd" : "abef"), 4);
    if (round == 100) memory = t.tree.memory_bytes();
  }
  CHECK(t.tree.memory_bytes() <= memory + 256);
}

// ---- the local cache ---------------------------------------------------------------------------

struct Cached : Drawn<MemberValue> {
  explicit Cached(std::uint64_t tokens_max = 0) : Drawn(2), cache(tree, tokens_max) {}

  InsertResult insert(std::string_view letters, std::uint64_t first_slot) {
    const auto key = tokens_of(letters);
    return cache.insert({}, key, SlotRuns{{Slot{first_slot}, key.size()}}, journal);
  }
  Match& match(std::string_view letters) {
    tree.match({}, tokens_of(letters), match_);
    return match_;
  }

  CountingJournal journal;
  TreeCache<MemberValue> cache;

 private:
  Match match_;
};

TEST_CASE("cache: the first writer wins, and the op carries only what is new") {
  Cached t;
  t.insert("abcd", 10);
  const InsertResult again = t.insert("abcdef", 50);
  CHECK(again.prefix_len == 4);
  CHECK(again.stored == 2);
  CHECK(t.slots(0, "abcdef") == "10+4 54+2");
  REQUIRE(t.journal.ops.size() == 2);
  CHECK(t.journal.ops[1].anchor == Anchor{Seq{1}, 4});
  CHECK(t.journal.ops[1].tokens == tokens_of("ef"));
  CHECK(t.journal.ops[1].slots == SlotRuns{{Slot{54}, 2}});
  CHECK(t.insert("abcdef", 90).prefix_len == 6);
  CHECK(t.journal.ops.size() == 2);
}

TEST_CASE("cache: what others hold is neither local nor evictable") {
  Cached t;
  t.store_slots(1, "abcdef", {{Slot{1}, 6}});
  CHECK(t.cache.total_tokens() == 0);
  CHECK(t.cache.local_match(t.match("abcdef"), nullptr) == 0);
  CHECK(t.insert("abcd", 10).prefix_len == 0);
  SlotRuns slots;
  CHECK(t.cache.local_match(t.match("abcdef"), &slots) == 4);
  CHECK(slots == SlotRuns{{Slot{10}, 4}});
  CHECK(t.cache.evict(100, 1000, t.journal) == SlotRuns{{Slot{10}, 4}});
  CHECK(t.depths("abcdef") == "1:6");
}

TEST_CASE("cache: a lock pins exactly what it matched, also inside an edge") {
  Cached t;
  t.insert("abcdefgh", 1);
  const LockedPath lock = t.cache.lock(t.match("abcdxx"));
  CHECK(t.cache.protected_tokens() == 4);
  CHECK(t.cache.evictable_tokens() == 4);
  CHECK(t.cache.evict(100, 1000, t.journal) == SlotRuns{{Slot{5}, 4}});
  CHECK_FALSE(t.cache.reset(t.journal));
  CHECK_FALSE(t.cache.remove({}, tokens_of("ab"), t.journal));
  t.cache.unlock(lock);
  CHECK(t.cache.protected_tokens() == 0);
  CHECK(t.cache.reset(t.journal) == SlotRuns{{Slot{1}, 4}});
}

TEST_CASE("cache: an unlock undoes the cut that its lock made") {
  Cached t;
  t.insert("abcdefgh", 1);
  t.cache.unlock(t.cache.lock(t.match("abcd")));
  CHECK(t.draw() == "abcdefgh");
}

TEST_CASE("cache: the least recently used leaf goes first, from its end, page by page") {
  Cached t;
  t.insert("abcdef", 1);
  t.insert("abxyzz", 11);
  t.cache.touch(t.match("abcdef"));
  CHECK(t.cache.evict(1, 1000, t.journal) == SlotRuns{{Slot{15}, 2}});
  CHECK(t.cache.evict(2, 1000, t.journal) == SlotRuns{{Slot{13}, 2}});
  CHECK(t.cache.evict(2, 1000, t.journal) == SlotRuns{{Slot{5}, 2}});
  CHECK(t.draw() == "abcd");
  REQUIRE(t.journal.ops.size() == 5);
  CHECK(t.journal.ops[2].removed == std::vector{Anchor{Seq{2}, 6}});
}

TEST_CASE("cache: the bound evicts what is unlocked, and then stores less") {
  Cached t(6);
  t.insert("abcd", 1);
  const InsertResult fits = t.insert("xyzw", 11);
  CHECK(fits.stored == 4);
  CHECK(fits.freed == SlotRuns{{Slot{3}, 2}});
  const LockedPath lock = t.cache.lock(t.match("xyzw"));
  const InsertResult less = t.insert("pqrstu", 21);
  CHECK(less.stored == 2);
  CHECK(less.freed == SlotRuns{{Slot{1}, 2}});
  CHECK(t.cache.total_tokens() == 6);
  const LockedPath other = t.cache.lock(t.match("pq"));
  CHECK(t.insert("mn", 31).stored == 0);
  t.cache.unlock(lock);
  t.cache.unlock(other);
}

}  // namespace
}  // namespace radixmesh
