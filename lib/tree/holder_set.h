// Sets of holders, interned: equal sets have one id, so an edge carries 4 bytes however many hold
// it, and "is this set the same as above" is one comparison. There is no cap on holders.
#pragma once

#include <tsl/robin_set.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh {

// A holder within one replica's tree: a small dense number that the replica hands out and reuses.
using HolderIndex = StrongInt<struct HolderIndexTag, std::uint32_t>;

// This node itself: a tree gives itself the first index.
inline constexpr HolderIndex kSelf{0};

// An interned set. Equal ids are equal sets. 0 is the empty set.
using HolderSetId = StrongInt<struct HolderSetTag, std::uint32_t>;
inline constexpr HolderSetId kNoHolders{0};

// Each id that is returned by with() and without() or retained carries one reference; release()
// gives it back. The empty set needs none.
class HolderSets {
 public:
  HolderSets() : index_(0, Hash{this}, Equal{this}) { clear(); }
  HolderSets(const HolderSets&) = delete;
  HolderSets& operator=(const HolderSets&) = delete;

  bool contains(HolderSetId set, HolderIndex holder) const {
    const auto& words = sets_[set.value].words;
    const std::uint32_t word = holder.value / 64;
    return word < words.size() && ((words[word] >> (holder.value % 64)) & 1) != 0;
  }

  // The set with one holder more or less; a new reference. O(holders / 64).
  HolderSetId with(HolderSetId set, HolderIndex holder) {
    scratch_ = sets_[set.value].words;
    const std::uint32_t word = holder.value / 64;
    if (word >= scratch_.size()) scratch_.resize(word + 1);
    scratch_[word] |= std::uint64_t{1} << (holder.value % 64);
    return intern();
  }
  HolderSetId without(HolderSetId set, HolderIndex holder) {
    scratch_ = sets_[set.value].words;
    const std::uint32_t word = holder.value / 64;
    if (word < scratch_.size()) scratch_[word] &= ~(std::uint64_t{1} << (holder.value % 64));
    while (!scratch_.empty() && scratch_.back() == 0) scratch_.pop_back();
    return intern();
  }
  // Whether `set` has a member that `other` has not.
  bool any_outside(HolderSetId set, HolderSetId other) const {
    const auto& words = sets_[set.value].words;
    const auto& minus = sets_[other.value].words;
    for (std::size_t w = 0; w < words.size(); ++w) {
      if ((words[w] & ~(w < minus.size() ? minus[w] : 0)) != 0) return true;
    }
    return false;
  }
  // The only member; nothing where there are none or several.
  std::optional<HolderIndex> sole(HolderSetId set) const {
    const auto& words = sets_[set.value].words;
    if (words.empty() || !std::has_single_bit(words.back())) return std::nullopt;
    for (std::size_t w = 0; w + 1 < words.size(); ++w) {
      if (words[w] != 0) return std::nullopt;
    }
    return HolderIndex{static_cast<std::uint32_t>((words.size() - 1) * 64) +
                       static_cast<std::uint32_t>(std::countr_zero(words.back()))};
  }
  HolderSetId retain(HolderSetId set) {
    ++sets_[set.value].references;
    return set;
  }
  void release(HolderSetId set) {
    if (set == kNoHolders || --sets_[set.value].references > 0) return;
    index_.erase(set.value);
    Words().swap(sets_[set.value].words);
    free_.push_back(set.value);
    if (index_.empty()) clear();
  }

  // Calls f(HolderIndex) for each member of `set` that is not in `other`, in ascending order.
  template <class F>
  void for_each_difference(HolderSetId set, HolderSetId other, F&& f) const {
    const auto& words = sets_[set.value].words;
    const auto& minus = sets_[other.value].words;
    for (std::uint32_t w = 0; w < words.size(); ++w) {
      std::uint64_t bits = words[w] & ~(w < minus.size() ? minus[w] : 0);
      for (; bits != 0; bits &= bits - 1) {
        f(HolderIndex{w * 64 + static_cast<std::uint32_t>(std::countr_zero(bits))});
      }
    }
  }
  template <class F>
  void for_each(HolderSetId set, F&& f) const {
    for_each_difference(set, kNoHolders, f);
  }

  std::size_t live() const { return index_.size(); }
  std::size_t memory_bytes() const {
    std::size_t bytes = sets_.capacity() * sizeof(Entry) + free_.capacity() * 4 +
                        index_.bucket_count() * 16 + scratch_.capacity() * 8;
    for (const Entry& entry : sets_) bytes += entry.words.capacity() * 8;
    return bytes;
  }

 private:
  struct Entry {
    std::vector<std::uint64_t> words;
    std::uint32_t references = 0;
  };
  using Words = std::vector<std::uint64_t>;
  struct Hash {
    const HolderSets* sets;
    std::size_t operator()(const Words& words) const {
      std::uint64_t hash = 0x9E3779B97F4A7C15ull;
      for (std::uint64_t word : words) {
        hash = (hash ^ word) * 0xBF58476D1CE4E5B9ull;
        hash ^= hash >> 29;
      }
      return hash;
    }
    std::size_t operator()(std::uint32_t id) const { return (*this)(sets->sets_[id].words); }
  };
  struct Equal {
    using is_transparent = void;
    const HolderSets* sets;
    const Words& words(const Words& words) const { return words; }
    const Words& words(std::uint32_t id) const { return sets->sets_[id].words; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return words(a) == words(b);
    }
  };

  HolderSetId intern() {
    if (scratch_.empty()) return kNoHolders;
    if (auto found = index_.find(scratch_); found != index_.end()) {
      return retain(HolderSetId{*found});
    }
    std::uint32_t id;
    if (free_.empty()) {
      id = static_cast<std::uint32_t>(sets_.size());
      sets_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    sets_[id] = Entry{scratch_, 1};
    index_.insert(id);
    return HolderSetId{id};
  }

  // Back to nothing but the empty set, with the memory given back.
  void clear() {
    std::vector<Entry>(1).swap(sets_);
    std::vector<std::uint32_t>().swap(free_);
    Words().swap(scratch_);
    index_.clear();
    index_.rehash(0);
  }

  std::vector<Entry> sets_;
  std::vector<std::uint32_t> free_;
  Words scratch_;
  tsl::robin_set<std::uint32_t, Hash, Equal> index_;
};

}  // namespace radixmesh
