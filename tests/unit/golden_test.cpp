// SGLang's own cache said what each operation must answer (tests/vectors); a node alone and a node
// whose tree is full of others' entries must answer the same.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "lib/tree/tree_cache.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh {
namespace {

using Json = nlohmann::json;

std::vector<TokenId> key_of(const Json& line) {
  std::vector<TokenId> key;
  for (std::uint32_t token : line.at("key")) key.push_back(TokenId{token});
  return key;
}

std::vector<std::uint64_t> flat(const SlotRuns& slots) {
  std::vector<std::uint64_t> out;
  for (const SlotRun& run : slots.runs()) {
    for (std::uint64_t i = 0; i < run.count; ++i) out.push_back(run.start.value + i);
  }
  return out;
}

template <class SlotsValue>
class Replay {
 public:
  explicit Replay(std::uint32_t page_size, bool crowded) : tree_(page_size), cache_(tree_, 0) {
    if (!crowded) return;
    for (int i = 0; i < 5; ++i) others_.push_back(tree_.add_holder());
  }

  void run(const Json& line) {
    const std::string op = line.at("op");
    if (op == "unlock") {
      cache_.unlock(locks_.at(line.at("id")));
    } else {
      const std::vector<TokenId> key = key_of(line);
      crowd(key);
      tree_.match({}, key, match_);
      if (op == "insert") insert(line, key);
      if (op == "match") match(line);
      if (op == "lock") {
        CHECK(cache_.local_match(match_, nullptr) == line.at("matched"));
        locks_[line.at("id")] = cache_.lock(match_);
      }
    }
    CHECK(cache_.evictable_tokens() == line.at("evictable"));
    CHECK(cache_.protected_tokens() == line.at("protected"));
    CHECK(cache_.total_tokens() == line.at("total"));
  }

 private:
  void insert(const Json& line, const std::vector<TokenId>& key) {
    const SlotRuns slots{{Slot{line.at("first_slot")}, key.size()}};
    CHECK(cache_.insert({}, key, slots, journal_).prefix_len == line.at("prefix_len"));
  }
  void match(const Json& line) {
    SlotRuns slots;
    const std::uint32_t length = cache_.local_match(match_, &slots);
    cache_.touch(match_);
    CHECK(flat(slots) == line.at("slots").template get<std::vector<std::uint64_t>>());
    CHECK(slots.size() == length);
  }
  // Others hold beginnings of the key, with the same slot numbers, and longer keys than it.
  void crowd(std::vector<TokenId> key) {
    const std::uint32_t page = tree_.page_size();
    for (HolderIndex other : others_) {
      key.insert(key.end(), page, TokenId{7'000'000 + other.value});
      const auto length = static_cast<std::uint32_t>(key.size() * (other.value + 1) / 6);
      const std::span tokens = std::span{key}.first(length / page * page);
      if (tokens.empty()) continue;
      const SlotRuns slots{{Slot{1}, tokens.size()}};
      tree_.store(other, Insertion{Seq{++other_seq_}, {}, {}, tokens, slots});
    }
  }

  HolderTree<SlotsValue> tree_;
  TreeCache<SlotsValue> cache_;
  CountingJournal journal_;
  Match match_;
  std::map<int, LockedPath> locks_;
  std::vector<HolderIndex> others_;
  std::uint64_t other_seq_ = 0;
};

template <class SlotsValue>
void replay_all(bool crowded) {
  for (const char* name : {"page1_100", "page1_101", "page4_102", "page16_103"}) {
    CAPTURE(name);
    std::ifstream file(std::string(RADIXMESH_ROOT) + "/tests/vectors/radix_cache_" + name +
                       ".jsonl");
    std::string text;
    REQUIRE(std::getline(file, text));
    Replay<SlotsValue> replay(Json::parse(text).at("page_size"), crowded);
    int lines = 0;
    while (std::getline(file, text)) {
      CAPTURE(lines);
      replay.run(Json::parse(text));
      ++lines;
    }
    CHECK(lines > 500);
  }
}

TEST_CASE("golden: a plain cache answers as SGLang's") { replay_all<OwnSlotsValue>(false); }
TEST_CASE("golden: a member alone answers as SGLang's") { replay_all<MemberValue>(false); }
TEST_CASE("golden: a member among others' entries answers as SGLang's") {
  replay_all<MemberValue>(true);
}

}  // namespace
}  // namespace radixmesh
