// The indexes that tree_bench drives, behind one interface: what is timed is a virtual call more
// than what an owner of the tree pays.
#pragma once

#include <memory>
#include <string>

#include "lib/tree/holder_tree.h"
#include "tests/bench/reference_tree.h"

namespace radixmesh::bench {

class Index {
 public:
  virtual ~Index() = default;
  // Finds the depth of every holder; returns the deepest. The result is kept inside.
  virtual std::uint32_t lookup(std::span<const TokenId> tokens) = 0;
  // Depths of the last lookup, summed over holders. Not timed.
  virtual std::uint64_t depth_sum() const = 0;
  virtual std::uint32_t depth_of(std::uint32_t holder) const = 0;
  virtual void insert(std::uint32_t holder, std::span<const TokenId> tokens) = 0;
  virtual void clear(std::uint32_t holder) = 0;
  virtual std::uint64_t token_count() const = 0;
  virtual std::uint64_t edge_count() const = 0;    // 0: not known
  virtual std::uint64_t memory_bytes() const = 0;  // as it counts itself; 0: it does not
};

// A router's tree, or a member's with all holders' slots, one run a request.
template <class SlotsValue>
class HolderTreeIndex final : public Index {
 public:
  HolderTreeIndex(std::uint32_t page_size, std::uint32_t holders)
      : tree_(page_size), seqs_(holders), next_slots_(holders, 1) {
    for (std::uint32_t i = 1; i < holders; ++i) tree_.add_holder();
  }
  std::uint32_t lookup(std::span<const TokenId> tokens) override {
    tree_.match(name_, tokens, match_);
    return match_.length;
  }
  std::uint64_t depth_sum() const override {
    std::uint64_t sum = 0;
    for (const HolderDepth& depth : match_.depths) sum += depth.tokens;
    return sum;
  }
  std::uint32_t depth_of(std::uint32_t holder) const override {
    for (const HolderDepth& depth : match_.depths) {
      if (depth.holder.value == holder) return depth.tokens;
    }
    return 0;
  }
  void insert(std::uint32_t holder, std::span<const TokenId> tokens) override {
    const auto whole = tokens.first(tokens.size() / tree_.page_size() * tree_.page_size());
    SlotRuns slots;
    if constexpr (SlotsValue::keeps_own_slots) {
      slots.append(SlotRun{Slot{next_slots_[holder]}, whole.size()});
      next_slots_[holder] += whole.size();
    }
    tree_.store(HolderIndex{holder}, Insertion{Seq{++seqs_[holder]}, {}, name_, whole, slots});
  }
  void clear(std::uint32_t holder) override { tree_.clear(HolderIndex{holder}); }
  std::uint64_t token_count() const override { return tree_.token_count(); }
  std::uint64_t edge_count() const override { return tree_.edge_count(); }
  std::uint64_t memory_bytes() const override { return tree_.memory_bytes(); }

 private:
  HolderTree<SlotsValue> tree_;
  CacheNamespace name_;
  Match match_;
  std::vector<std::uint64_t> seqs_, next_slots_;
};

class ReferenceIndex final : public Index {
 public:
  explicit ReferenceIndex(std::uint32_t page_size) : tree_(page_size) {}
  std::uint32_t lookup(std::span<const TokenId> tokens) override {
    return tree_.lookup(tokens, depths_);
  }
  std::uint64_t depth_sum() const override {
    std::uint64_t sum = 0;
    for (const auto& [holder, depth] : depths_) sum += depth;
    return sum;
  }
  std::uint32_t depth_of(std::uint32_t holder) const override {
    auto found = depths_.find(holder);
    return found == depths_.end() ? 0 : found->second;
  }
  void insert(std::uint32_t holder, std::span<const TokenId> tokens) override {
    tree_.insert(holder, tokens);
  }
  void clear(std::uint32_t holder) override { tree_.clear(holder); }
  std::uint64_t token_count() const override { return tree_.token_count(); }
  std::uint64_t edge_count() const override { return 0; }
  std::uint64_t memory_bytes() const override { return 0; }

 private:
  ReferenceTree tree_;
  std::map<std::uint32_t, std::uint32_t> depths_;
};

// "ranks": a router's tree. "slots": a member's, with the slots of all holders. "reference".
inline std::unique_ptr<Index> make_index(const std::string& name, std::uint32_t page_size,
                                         std::uint32_t holders) {
  if (name == "ranks") return std::make_unique<HolderTreeIndex<RankValue>>(page_size, holders);
  if (name == "slots") return std::make_unique<HolderTreeIndex<MemberValue>>(page_size, holders);
  return std::make_unique<ReferenceIndex>(page_size);
}

}  // namespace radixmesh::bench
