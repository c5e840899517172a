// Entries: the INSERT ops whose pages still live, per holder.
//
// An entry is what an anchor names, what a snapshot lists, and what a DELETE points at. It covers
// the pages that its INSERT added, (begin, end] in tokens from the root; when pages go, they go
// from its end, and when its last page goes, it goes. Pages below it belong to entries of higher
// seq. So every replica has the same entries of an origin at the same (epoch, seq), whatever its
// tree looks like.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/ids.h"
#include "lib/tree/holder_set.h"
#include "lib/tree/slab.h"

namespace radixmesh {

// Names the page that ends `tokens` tokens from the root, among those that INSERT `seq` added.
// {0, 0} is the root.
struct Anchor {
  Seq seq;
  std::uint32_t tokens = 0;
  bool is_root() const { return seq.value == 0; }
  friend auto operator<=>(const Anchor&, const Anchor&) = default;
};

using EntryIndex = std::uint32_t;

struct Entry {
  static constexpr std::uint32_t kNotRetired = 0xFFFFFFFF;
  Seq seq;
  Seq parent;  // the entry that holds the page before `begin`; 0 where begin is 0
  HolderIndex holder;
  std::uint32_t begin = 0, end = 0;
  std::uint32_t retired_from = kNotRetired;  // its pages after so many tokens are retiring
  std::uint32_t node = kNoIndex;       // the TreeNode at whose edge the page before `end` lies
  EntryIndex next_in_node = kNoIndex;  // the next entry that ends in that node
  bool digested = false;               // its pages are in the holder's digest
};

// The entries of all holders, each findable by (holder, seq).
class EntryTable {
 public:
  Entry& operator[](EntryIndex index) { return entries_[index]; }
  const Entry& operator[](EntryIndex index) const { return entries_[index]; }

  // Makes room for a holder's entries; needed once before its first.
  void add_holder(HolderIndex holder) {
    if (holder.value >= orders_.size()) orders_.resize(holder.value + 1);
  }

  // Adds an entry; `seq` is above every seq that the holder has. O(1).
  EntryIndex add(const Entry& entry) {
    Order& order = order_of(entry.holder);
    CHECK_THAT(order.items.empty() || order.items.back().seq < entry.seq, entry.seq.value);
    const EntryIndex index = entries_.acquire();
    entries_[index] = entry;
    order.items.push_back({entry.seq, index});
    ++order.live;
    return index;
  }

  // Removes it. O(log entries), amortised.
  void remove(EntryIndex index) {
    Order& order = order_of(entries_[index].holder);
    lower_bound(order, entries_[index].seq)->index = kNoIndex;
    entries_.release(index);
    while (!order.items.empty() && order.items.back().index == kNoIndex) order.items.pop_back();
    if (--order.live == 0) {
      std::vector<Item>().swap(order.items);
    } else if (order.live * 2 < order.items.size()) {
      std::erase_if(order.items, [](const Item& item) { return item.index == kNoIndex; });
      order.items.shrink_to_fit();
    }
  }

  // The entry of this seq, or kNoIndex. O(log entries).
  EntryIndex find(HolderIndex holder, Seq seq) const {
    if (holder.value >= orders_.size()) return kNoIndex;
    const Order& order = orders_[holder.value];
    auto at = lower_bound(order, seq);
    return at != order.items.end() && at->seq == seq ? at->index : kNoIndex;
  }

  // The first entry with a seq of at least `from`, or kNoIndex.
  EntryIndex at_or_after(HolderIndex holder, Seq from) const {
    if (holder.value >= orders_.size()) return kNoIndex;
    const Order& order = orders_[holder.value];
    auto at = lower_bound(order, from);
    while (at != order.items.end() && at->index == kNoIndex) ++at;
    return at == order.items.end() ? kNoIndex : at->index;
  }

  // The one with the highest seq, or kNoIndex.
  EntryIndex last(HolderIndex holder) const {
    if (holder.value >= orders_.size() || orders_[holder.value].items.empty()) return kNoIndex;
    return orders_[holder.value].items.back().index;
  }

  std::size_t count(HolderIndex holder) const {
    return holder.value < orders_.size() ? orders_[holder.value].live : 0;
  }
  std::size_t memory_bytes() const {
    std::size_t bytes = entries_.memory_bytes() + orders_.capacity() * sizeof(Order);
    for (const Order& order : orders_) bytes += order.items.capacity() * sizeof(Item);
    return bytes;
  }

 private:
  // Ascending by seq, as ops arrive in that order; removed ones leave a hole until they are many,
  // but for the last, which is always there.
  struct Item {
    Seq seq;
    EntryIndex index;
  };
  struct Order {
    std::vector<Item> items;
    std::size_t live = 0;
  };

  template <class Self>
  static auto lower_bound(Self& order, Seq seq) -> decltype(order.items.begin()) {
    return std::lower_bound(order.items.begin(), order.items.end(), seq,
                            [](const Item& item, Seq value) { return item.seq < value; });
  }
  Order& order_of(HolderIndex holder) { return orders_[holder.value]; }

  Slab<Entry> entries_;
  std::vector<Order> orders_;  // by holder
};

}  // namespace radixmesh
