// Compares a tree with the model, through the interface of relation.h alone. A difference throws.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <stdexcept>

#include "lib/tree/relation.h"
#include "tests/unit/tree_model.h"

namespace radixmesh {

class TrialFailure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The builtins stand for the caller's place; std::source_location is missing in clang 14.
inline void expect(bool truth, const char* what, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  if (truth) return;
  throw TrialFailure(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

inline std::vector<std::uint64_t> flat_slots(const SlotRuns& runs) {
  std::vector<std::uint64_t> out;
  for (const SlotRun& run : runs.runs()) {
    for (std::uint64_t i = 0; i < run.count; ++i) out.push_back(run.start.value + i);
  }
  return out;
}

inline SlotRuns runs_of(std::span<const std::uint64_t> slots) {
  SlotRuns runs;
  for (std::uint64_t slot : slots) runs.append(SlotRun{Slot{slot}, 1});
  return runs;
}

// One op as it goes to a replica, with what applying it must answer there.
struct TrialOp {
  enum class Kind { insert, remove, retire, take_back, reset, rejoin } kind;
  std::size_t origin = 0;
  Seq seq;
  Anchor anchor;
  std::uint32_t name = 0;
  std::vector<TokenId> tokens;
  SlotRuns slots;
  std::vector<Anchor> removed;          // or retired, or taken back
  std::vector<std::uint64_t> expected;  // tokens added, removed or marked; one number an anchor
};

// What a tree keeps of a holder that holds nothing, with room for as many again.
inline constexpr std::size_t kHolderBytesMax = 512;

// A tree under test. Which holder an origin is differs from replica to replica.
struct Replica {
  enum class Keeps { nothing, own, all } keeps;
  std::unique_ptr<Relation> tree;
  std::vector<HolderIndex> holders;          // by origin
  bool late = false;                         // takes ops when it likes, but each origin's in order
  std::vector<std::deque<TrialOp>> waiting;  // by origin
  std::size_t memory_at_start = 0;
  std::size_t rejoined = 0;  // how often an origin got another holder

  bool keeps_slots_of(std::size_t origin) const {
    return keeps == Keeps::all || (keeps == Keeps::own && holders[origin] == HolderIndex{0});
  }
};

class TreeChecker {
 public:
  TreeChecker(std::uint32_t page_size, const std::vector<HolderModel>& models)
      : page_(page_size), codec_(page_size), models_(models), hashes_(page_size) {}

  // The answer to one query, in all its parts; and that asking changed nothing.
  void lookup(const Replica& replica, const Prefix& key, Choices& choices) {
    const Relation& tree = *replica.tree;
    std::vector<TokenId> tokens = codec_.tokens(key.pages);
    tokens.insert(tokens.end(), choices.below(page_), TokenId{7});  // a part page, to be ignored
    const std::size_t edges = tree.edge_count(), memory = tree.memory_bytes();
    tree.match(test_namespaces()[key.name], tokens, match_);

    std::uint32_t deepest = 0;
    std::vector<HolderDepth> expected;
    for (std::size_t origin = 0; origin < models_.size(); ++origin) {
      const std::uint32_t depth = models_[origin].shown_depth(key) * page_;
      if (depth > 0) expected.push_back({replica.holders[origin], depth});
      deepest = std::max(deepest, models_[origin].depth(key) * page_);
    }
    std::ranges::sort(expected, {}, &HolderDepth::holder);
    std::ranges::sort(match_.depths, {}, &HolderDepth::holder);
    expect(match_.depths == expected, "depth of every holder");
    expect(match_.length == deepest, "length of the match");
    std::uint32_t at = 0;
    for (const PathStep& step : match_.path) {
      expect(step.begin == at && step.end > at, "the path has no gap");
      at = step.end;
      path_step(replica, step, key, choices);
    }
    expect(at == deepest, "the path ends where the match does");
    expect(tree.edge_count() == edges && tree.memory_bytes() == memory, "a lookup wrote");
  }

  // Size, entries and digest of one holder.
  void holder(Replica& replica, std::size_t origin, bool with_digest) {
    Relation& tree = *replica.tree;
    const HolderModel& model = models_[origin];
    const HolderIndex holder = replica.holders[origin];
    expect(tree.tokens_of(holder) == model.tokens(), "tokens of a holder");
    expect(tree.retiring_tokens(holder) == model.retiring_tokens(), "retiring tokens of a holder");
    retiring_roots(tree, holder, model);
    if (with_digest) expect(tree.digest(holder) == model.digest(hashes_), "digest of a holder");
    const std::map<Seq, ModelEntry> expected = model.entries();
    expect(tree.entry_count(holder) == expected.size(), "number of entries");
    Seq from{0};
    for (const auto& [seq, entry] : expected) {
      const Entry* found = tree.entry_at_or_after(holder, from);
      expect(found != nullptr && found->seq == seq && found->holder == holder, "an entry's seq");
      expect(found->parent == entry.parent, "an entry's parent");
      expect(found->begin == entry.begin && found->end == entry.end, "an entry's extent");
      expect(tree.entry_namespace(*found) == test_namespaces()[entry.last.name],
             "an entry's namespace");
      from = Seq{seq.value + 1};
    }
    expect(tree.entry_at_or_after(holder, from) == nullptr, "nothing past the last entry");
  }

  // The content of one of the holder's entries, whole or in part.
  void entry_content(Replica& replica, std::size_t origin, Choices& choices) {
    const std::map<Seq, ModelEntry> entries = models_[origin].entries();
    if (entries.empty()) return;
    const auto& [seq, expected] =
        *std::next(entries.begin(), choices.below(static_cast<std::uint32_t>(entries.size())));
    Relation& tree = *replica.tree;
    const Entry* entry = tree.entry_at_or_after(replica.holders[origin], seq);
    expect(entry != nullptr && entry->seq == seq, "an entry by its seq");
    expect(tree.entry_hash(*entry) == hashes_.of(expected.last), "hash at the entry's end");
    std::uint32_t begin = expected.begin, end = expected.end;
    if (choices.one_in(2)) {
      begin = choices.between(begin, end);
      end = choices.between(begin, end);
    }
    std::vector<TokenId> tokens;
    SlotRuns slots;
    tree.read_entry(*entry, begin, end, tokens, slots);
    const std::vector<TokenId> all = codec_.tokens(expected.last.pages);
    expect(std::ranges::equal(tokens, std::span{all}.subspan(begin, end - begin)),
           "tokens of an entry");
    std::vector<std::uint64_t> known;
    if (replica.keeps_slots_of(origin)) known = model_slots(origin, expected.last, begin, end);
    expect(slots == runs_of(known), "slots of an entry");
  }

  // Every edge: together they are each held page once, with exactly the pages' holders.
  void edges(Replica& replica, Choices& choices) {
    std::set<Prefix> expected;
    for (const HolderModel& model : models_) {
      for (const auto& [prefix, page] : model.pages()) expected.insert(prefix);
    }
    Relation& tree = *replica.tree;
    const std::vector<EdgeView> views = tree.edges(0, ~std::size_t{0});
    // While several holders are given back, what only they share still counts.
    const std::size_t tokens = expected.size() * page_;
    const bool exact = !tree.gives_back();
    expect(exact ? views.size() == tree.edge_count() : views.size() <= tree.edge_count(),
           "number of edges");
    expect(exact ? tree.token_count() == tokens : tree.token_count() >= tokens, "distinct tokens");
    std::size_t pages = 0;
    Prefix path;
    for (const EdgeView& view : views) {
      const auto name = std::ranges::find(test_namespaces(), view.name);
      path.name = static_cast<std::uint32_t>(name - test_namespaces().begin());
      path.pages.resize(view.begin / page_);
      path.pages += codec_.pages(view.tokens);
      expect(view.end == path.pages.size() * page_, "extent of an edge");
      for (std::size_t end = view.begin / page_ + 1; end <= path.pages.size(); ++end, ++pages) {
        expect(expected.contains(path.first(end)), "an edge's page is held");
        std::vector<HolderIndex> holders, retiring;
        for (std::size_t origin = 0; origin < models_.size(); ++origin) {
          if (!models_[origin].holds(path.first(end))) continue;
          const bool shows = models_[origin].shows(path.first(end));
          (shows ? holders : retiring).push_back(replica.holders[origin]);
        }
        std::ranges::sort(holders);
        std::ranges::sort(retiring);
        expect(holders == view.holders, "holders of an edge");
        expect(retiring == view.retiring, "whose pages of an edge retire");
      }
      expect(view.hash == hashes_.of(path), "hash at an edge's end");
    }
    expect(pages == expected.size(), "every held page lies on one edge");
    const std::size_t skip = choices.below(static_cast<std::uint32_t>(views.size()) + 2);
    const std::vector<EdgeView> some = tree.edges(skip, 2);
    for (std::size_t i = 0; i < some.size(); ++i) {
      expect(some[i].hash == views[skip + i].hash, "edges from `skip` on");
    }
    expect(some.size() == std::min<std::size_t>(2, views.size() - std::min(skip, views.size())),
           "at most `limit` edges");
  }

 private:
  void retiring_roots(const Relation& tree, HolderIndex holder, const HolderModel& model) {
    for (const Prefix& prefix : model.retiring_roots()) {
      const Anchor page = model.anchor_of(prefix);
      expect(tree.retiring_above(holder, page) == page, "the first retiring page is its own root");
      const Prefix above = prefix.first(prefix.pages.size() - 1);
      if (above.pages.empty()) continue;
      expect(!tree.retiring_above(holder, model.anchor_of(above)), "nothing retires above a root");
    }
  }

  std::vector<std::uint64_t> model_slots(std::size_t origin, const Prefix& key, std::uint32_t begin,
                                         std::uint32_t end) const {
    std::vector<std::uint64_t> out;
    for (std::uint32_t at = begin; at < end;) {
      const std::uint32_t page_end = std::min(end, (at / page_ + 1) * page_);
      const ModelPage& page = models_[origin].pages().at(key.first(at / page_ + 1));
      for (; at < page_end; ++at) {
        if (!page.slots.empty()) out.push_back(page.slots[at % page_]);
      }
    }
    return out;
  }

  void path_step(const Replica& replica, const PathStep& step, const Prefix& key,
                 Choices& choices) {
    std::vector<HolderIndex> expected, found;
    const Prefix end = key.first(step.end / page_);
    std::uint32_t low = choices.between(step.begin, step.end - 1);
    std::uint32_t high = choices.between(low + 1, step.end);
    if (choices.one_in(2)) low = step.begin, high = step.end;
    for (std::size_t origin = 0; origin < models_.size(); ++origin) {
      const bool holds = models_[origin].holds(end);
      if (models_[origin].shows(end)) expected.push_back(replica.holders[origin]);
      SlotRuns slots;
      std::vector<std::uint64_t> known;
      if (holds && replica.keeps_slots_of(origin)) known = model_slots(origin, key, low, high);
      if (known.size() < high - low) known.clear();
      const bool kept =
          replica.tree->slots_at(step.node, replica.holders[origin], low, high, slots);
      expect(kept == !known.empty(), "whether slots are kept");
      expect(slots == runs_of(known), "slots on the path");
    }
    std::ranges::sort(expected);
    replica.tree->shown_at(step.node, found);
    expect(found == expected, "holders on the path");
  }

  std::uint32_t page_;
  PageCodec codec_;
  const std::vector<HolderModel>& models_;
  ModelHashes hashes_;
  Match match_;
};

}  // namespace radixmesh
