// What an edge carries beside its holders: the three value classes.
//
//   RankValue      a router's: nothing, the holder set says it all
//   OwnSlotsValue  a plain cache's, and a member's that keeps no others' slots: this node's slots
//   MemberValue    a mesh member's: this node's slots, and apart from them each other holder's
//
// All have the same verbs; slots of a holder that a class does not keep are dropped on the way in.
#pragma once

#include <algorithm>
#include <vector>

#include "lib/tree/holder_set.h"
#include "lib/tree/recency_list.h"
#include "lib/tree/slab.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// How often pages were used, in the present period of collection and the one before. One count an
// edge: a use of its first pages counts for all of it, so that what is behind them may be taken for
// hot, and is collected later than it could be.
struct UseCount {
  std::uint16_t now = 0, before = 0;
  std::uint32_t period = 0;  // the one that `now` counts

  // How often, in the better of the two periods. `present` is the period's number.
  std::uint32_t peak(std::uint32_t present) const {
    const std::uint16_t last = period == present ? before : period + 1 == present ? now : 0;
    return std::max<std::uint32_t>(last, period == present ? now : 0);
  }
  void add(std::uint32_t present) {
    if (period != present) {
      before = period + 1 == present ? now : 0;
      now = 0;
      period = present;
    }
    if (now < 0xFFFF) ++now;
  }
  void join(const UseCount& other) {
    if (other.period > period) {
      *this = other;
    } else if (other.period == period) {
      now = std::max(now, other.now);
      before = std::max(before, other.before);
    }
  }
};

// How this node's own cache sees the edge: locks, recency, use. Kept by LocalCache alone.
struct OwnState {
  std::uint32_t lock_ref = 0;
  UseCount uses;
  StretchIndex recency = kNoIndex;  // its deepest stretch in the list of what may be evicted
};

struct RankValue {
  static constexpr bool keeps_own_slots = false;
  static constexpr bool keeps(HolderIndex) { return false; }
  void set_slots(HolderIndex, std::uint32_t, SlotRuns) {}
  const SlotRuns* slots(HolderIndex) const { return nullptr; }
  void drop(HolderIndex) {}
  RankValue split_front(std::uint32_t) { return {}; }
  bool can_join(const RankValue&) const { return true; }
  void join_front(RankValue&&) {}
  std::size_t heap_bytes() const { return 0; }
};

struct OwnSlotsValue {
  static constexpr bool keeps_own_slots = true;
  static constexpr bool keeps(HolderIndex holder) { return holder == kSelf; }
  SlotRuns own_slots;
  OwnState own;

  // Takes the slots of the edge's tokens from `offset` on; what was known of them is replaced. A
  // holder's slots are known for all of an edge or for none of it: where none are, for all.
  void set_slots(HolderIndex holder, std::uint32_t offset, SlotRuns slots) {
    if (holder == kSelf) replace(own_slots, offset, std::move(slots));
  }
  // Null where they are not kept.
  const SlotRuns* slots(HolderIndex holder) const {
    return holder == kSelf && !own_slots.empty() ? &own_slots : nullptr;
  }
  void drop(HolderIndex holder) {
    if (holder == kSelf) own_slots = {};
  }
  // Gives up the first `length` tokens' share, for the upper half of a split edge.
  OwnSlotsValue split_front(std::uint32_t length) {
    OwnSlotsValue front;
    if (!own_slots.empty()) {
      SlotRuns rest = own_slots.split_off(length);
      front.own_slots = std::move(own_slots);
      own_slots = std::move(rest);
    }
    front.own.lock_ref = own.lock_ref;
    front.own.uses = own.uses;
    return front;
  }
  // Whether the upper edge's value and this one's can be one; holder sets are compared by the tree.
  bool can_join(const OwnSlotsValue& upper) const {
    return upper.own.lock_ref == own.lock_ref &&
           (upper.own.recency == kNoIndex) == (own.recency == kNoIndex) &&
           upper.own_slots.empty() == own_slots.empty();
  }
  void join_front(OwnSlotsValue&& upper) {
    upper.own_slots.join(own_slots);
    own_slots = std::move(upper.own_slots);
    own.uses.join(upper.own.uses);
  }
  std::size_t heap_bytes() const { return own_slots.heap_bytes(); }

 protected:
  static void replace(SlotRuns& kept, std::uint32_t offset, SlotRuns slots) {
    if (offset == 0 && slots.size() >= kept.size()) {
      kept = std::move(slots);
      return;
    }
    const std::uint64_t end = offset + slots.size(), size = kept.size();
    SlotRuns joined = kept.part(0, offset);
    joined.append(slots);
    if (end < size) joined.append(kept.part(end, size));
    kept = std::move(joined);
  }
};

struct MemberValue : OwnSlotsValue {
  static constexpr bool keeps(HolderIndex) { return true; }
  struct Remote {
    HolderIndex holder;
    SlotRuns slots;
  };
  template <class List>
  static auto find(List& list, HolderIndex holder) {
    return std::ranges::lower_bound(list, holder, {}, &Remote::holder);
  }
  std::vector<Remote> remote;  // ascending by holder; only those whose slots are known

  void set_slots(HolderIndex holder, std::uint32_t offset, SlotRuns slots) {
    if (holder == kSelf || slots.empty()) {
      OwnSlotsValue::set_slots(holder, offset, std::move(slots));
      return;
    }
    auto at = find(remote, holder);
    if (at == remote.end() || at->holder != holder) at = remote.insert(at, Remote{holder, {}});
    replace(at->slots, offset, std::move(slots));
  }
  const SlotRuns* slots(HolderIndex holder) const {
    if (holder == kSelf) return OwnSlotsValue::slots(holder);
    auto at = find(remote, holder);
    return at != remote.end() && at->holder == holder ? &at->slots : nullptr;
  }
  void drop(HolderIndex holder) {
    OwnSlotsValue::drop(holder);
    std::erase_if(remote, [holder](const Remote& each) { return each.holder == holder; });
    remote.shrink_to_fit();
  }
  MemberValue split_front(std::uint32_t length) {
    MemberValue front{OwnSlotsValue::split_front(length), {}};
    front.remote.reserve(remote.size());
    for (Remote& each : remote) {
      SlotRuns rest = each.slots.split_off(length);
      front.remote.push_back({each.holder, std::move(each.slots)});
      each.slots = std::move(rest);
    }
    return front;
  }
  bool can_join(const MemberValue& upper) const {
    return OwnSlotsValue::can_join(upper) &&
           std::ranges::equal(remote, upper.remote, {}, &Remote::holder, &Remote::holder);
  }
  void join_front(MemberValue&& upper) {
    for (std::size_t i = 0; i < remote.size(); ++i) {
      upper.remote[i].slots.join(remote[i].slots);
      remote[i].slots = std::move(upper.remote[i].slots);
    }
    OwnSlotsValue::join_front(std::move(upper));
  }
  std::size_t heap_bytes() const {
    std::size_t bytes = OwnSlotsValue::heap_bytes() + remote.capacity() * sizeof(Remote);
    for (const Remote& each : remote) bytes += each.slots.heap_bytes();
    return bytes;
  }
};

}  // namespace radixmesh
