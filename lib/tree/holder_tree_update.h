// How a HolderTree is written: store, remove, clear, and the splits and joins beneath them.
// Included by holder_tree.h. Every verb finds and checks first, and changes after, in a stretch
// that cannot fail.
#pragma once

#include <utility>

#include "lib/tree/holder_tree.h"

namespace radixmesh {

// ---- entries and anchors -----------------------------------------------------------------------

template <class SlotsValue>
void HolderTree<SlotsValue>::list_entry(EntryIndex entry, NodeIndex at) {
  entries_[entry].node = at;
  entries_[entry].next_in_node = tree_[at].value.entries;
  tree_[at].value.entries = entry;
}

template <class SlotsValue>
std::optional<Position> HolderTree<SlotsValue>::resolve(HolderIndex holder, Anchor anchor) const {
  const EntryIndex index = entries_.find(holder, anchor.seq);
  if (index == kNoIndex || is_dropped(holder)) return std::nullopt;
  const Entry& entry = entries_[index];
  if (anchor.tokens <= entry.begin || anchor.tokens > entry.end ||
      anchor.tokens % tree_.page_size() != 0) {
    return std::nullopt;
  }
  NodeIndex at = entry.node;
  while (tree_[at].begin() >= anchor.tokens) at = tree_[at].parent;
  return Position{at, anchor.tokens};
}

// Goes down from `at` to any entry of the holder, then up through its parents to the one that
// covers the page: the entries on one path cover it without a gap.
template <class SlotsValue>
Anchor HolderTree<SlotsValue>::anchor_at(HolderIndex holder, Position at) const {
  if (at.tokens == 0) return {};
  NodeIndex node = at.node;
  EntryIndex found = kNoIndex;
  while (true) {
    for (EntryIndex e = tree_[node].value.entries; e != kNoIndex; e = entries_[e].next_in_node) {
      if (entries_[e].holder == holder && entries_[e].end >= at.tokens) found = e;
    }
    if (found != kNoIndex) break;
    node = tree_[node].first_child;
    while (node != kNoIndex && !holds(node, holder)) node = tree_[node].next_sibling;
    CHECK_THAT(node != kNoIndex, holder.value, at.tokens);
  }
  while (entries_[found].begin >= at.tokens) {
    found = entries_.find(holder, entries_[found].parent);
    CHECK_THAT(found != kNoIndex, holder.value, at.tokens);
  }
  return Anchor{entries_[found].seq, at.tokens};
}

// To be told before and after an edge's slots change.
template <class SlotsValue>
void HolderTree<SlotsValue>::count_slots(const SlotsValue& slots, bool counts) {
  const std::size_t bytes = slots.heap_bytes();
  value_heap_bytes_ += counts ? bytes : 0;
  value_heap_bytes_ -= counts ? 0 : bytes;
  const SlotRuns* own = slots.slots(kSelf);
  if (own == nullptr) return;
  own_runs_ += counts ? own->runs().size() : 0;
  own_runs_ -= counts ? 0 : own->runs().size();
}

// ---- splits and joins --------------------------------------------------------------------------

template <class SlotsValue>
NodeIndex HolderTree<SlotsValue>::split(NodeIndex lower_index, std::uint32_t at_tokens) {
  const std::uint32_t offset = at_tokens - tree_[lower_index].begin();
  const NodeIndex upper_index = tree_.split(lower_index, offset);
  if (page_end_.next == lower_index) page_end_.next = upper_index;
  auto& lower = tree_[lower_index].value;
  auto& upper = tree_[upper_index].value;
  upper.holders = sets_.retain(lower.holders);
  upper.shown = sets_.retain(lower.shown);
  if (const auto sole = sets_.sole(lower.holders)) ++facts_[sole->value].edges_alone;
  count_slots(lower.slots, false);
  upper.slots = lower.slots.split_front(offset);
  count_slots(lower.slots, true);
  count_slots(upper.slots, true);
  lower.sum_known = false;  // H at the lower end stays what it was
  for (EntryIndex e = std::exchange(lower.entries, kNoIndex); e != kNoIndex;) {
    const EntryIndex next = entries_[e].next_in_node;
    list_entry(e, entries_[e].end <= at_tokens ? upper_index : lower_index);
    e = next;
  }
  if (observer_ != nullptr) observer_->after_split(upper_index, lower_index);
  return upper_index;
}

template <class SlotsValue>
NodeIndex HolderTree<SlotsValue>::cut_at(Position at) {
  return at.tokens == tree_[at.node].depth ? at.node : split(at.node, at.tokens);
}

// Joins the edge with its parent's if nothing tells them apart; true if it did. `lower` stays.
template <class SlotsValue>
bool HolderTree<SlotsValue>::join_if_alike(NodeIndex lower_index, bool may_copy) {
  if (!tree_.can_join_parent(lower_index)) return false;
  const NodeIndex upper_index = tree_[lower_index].parent;
  auto& lower = tree_[lower_index].value;
  auto& upper = tree_[upper_index].value;
  if (lower.holders != upper.holders || lower.shown != upper.shown) return false;
  if (!lower.slots.can_join(upper.slots)) return false;
  if (!may_copy && tree_[lower_index].tokens.block != tree_[upper_index].tokens.block) return false;
  if (observer_ != nullptr) observer_->before_join(upper_index, lower_index);
  count_slots(lower.slots, false);
  count_slots(upper.slots, false);
  lower.slots.join_front(std::move(upper.slots));
  count_slots(lower.slots, true);
  lower.sum_known = lower.sum_known && upper.sum_known;
  lower.sum += upper.sum;
  if (const auto sole = sets_.sole(lower.holders)) --facts_[sole->value].edges_alone;
  sets_.release(upper.holders);
  sets_.release(upper.shown);
  for (EntryIndex e = std::exchange(upper.entries, kNoIndex); e != kNoIndex;) {
    const EntryIndex next = entries_[e].next_in_node;
    list_entry(e, lower_index);
    e = next;
  }
  if (page_end_.next == upper_index) page_end_.next = lower_index;
  tree_.join_parent(lower_index);
  return true;
}

template <class SlotsValue>
void HolderTree<SlotsValue>::join_around(NodeIndex index) {
  join_if_alike(index, true);
  const NodeIndex child = tree_[index].first_child;
  if (child != kNoIndex && !tree_.is_root(index)) join_if_alike(child, true);
}

// A prefix that grows by small INSERTs would leave one short edge for each. Joined upwards while
// the edge above is no longer than this one, its edges stay few (O(log) of the tokens up to the
// bound of limits.h) and each token is copied O(log) times in all.
template <class SlotsValue>
void HolderTree<SlotsValue>::join_grown(NodeIndex index) {
  bool joined = true;
  while (joined && !tree_.is_root(tree_[index].parent)) {
    const bool may_copy = tree_[tree_[index].parent].tokens.length <= tree_[index].tokens.length;
    joined = join_if_alike(index, may_copy);
  }
}

// ---- store -------------------------------------------------------------------------------------

template <class SlotsValue>
void HolderTree<SlotsValue>::add_to_edge(HolderIndex holder, NodeIndex index) {
  auto& value = tree_[index].value;
  const bool all_shown = value.shown == value.holders;
  const HolderSetId with = sets_.with(value.holders, holder);
  count_alone(index, false);
  sets_.release(value.holders);
  value.holders = with;
  count_alone(index, true);
  const NodeIndex parent = tree_[index].parent;
  if (tree_.is_root(parent) || shows(parent, holder)) {
    const HolderSetId shown = all_shown ? sets_.retain(with) : sets_.with(value.shown, holder);
    sets_.release(value.shown);
    value.shown = shown;
  } else {
    facts_[holder.value].retiring += tree_[index].tokens.length;
  }
  facts_[holder.value].tokens += tree_[index].tokens.length;
}

// The parent of the entry to come is the one that covers the last page held before it. It must be
// looked up before the first edge is marked: below a marked edge there is no entry yet.
template <class SlotsValue>
void HolderTree<SlotsValue>::settle_parent(HolderIndex holder, const Insertion& insertion,
                                           NodeIndex node, Walk& walk) {
  if (walk.parent) return;
  walk.parent = walk.held_end == insertion.anchor.tokens
                    ? insertion.anchor
                    : anchor_at(holder, Position{node, walk.held_end});
}

// Walks down as far as the tokens lead, and marks the holder on every edge that it did not hold.
template <class SlotsValue>
void HolderTree<SlotsValue>::walk_and_mark(HolderIndex holder, const Insertion& insertion,
                                           Walk& walk) {
  const std::uint32_t origin = insertion.anchor.tokens;
  const auto length = static_cast<std::uint32_t>(insertion.tokens.size());
  while (true) {
    NodeIndex& node = walk.node;
    const std::uint32_t begin = walk.tokens;  // where this step's stretch of the edge begins
    if (begin < tree_[node].depth) {
      walk.tokens += common_pages(tree_[node].tokens.data() + (begin - tree_[node].begin()),
                                  insertion.tokens.data() + (begin - origin),
                                  std::min(tree_[node].depth - begin, length - (begin - origin)),
                                  tree_.page_size());
      const bool whole = walk.tokens == tree_[node].depth;
      if (holds(node, holder)) {
        walk.held_end = walk.tokens;
      } else {
        // An edge is entered through its first page, so at least that one matched.
        settle_parent(holder, insertion, tree_[node].parent, walk);
        if (!whole) node = split(node, walk.tokens);
        add_to_edge(holder, node);
      }
      if (!insertion.slots.empty() && walk.tokens > begin) {
        node = isolate_unknown(holder, node, begin, walk.tokens);
        set_slots(holder, node, begin, insertion.slots.part(begin - origin, walk.tokens - origin));
      }
      if (!whole) return;
    }
    if (walk.tokens - origin == length) return;
    const NodeIndex child =
        tree_.find_child(node, insertion.tokens.data() + (walk.tokens - origin));
    if (child == kNoIndex) return;
    node = child;
  }
}

// Where the holder's slots are kept but not known for this edge, cuts it so that one edge covers
// just [begin, end): slots are known for all of an edge or for none of it. Returns the edge that
// ends at `end`, or the one that was given.
template <class SlotsValue>
NodeIndex HolderTree<SlotsValue>::isolate_unknown(HolderIndex holder, NodeIndex index,
                                                  std::uint32_t begin, std::uint32_t end) {
  if (!SlotsValue::keeps(holder) || tree_[index].value.slots.slots(holder) != nullptr) return index;
  if (begin > tree_[index].begin()) split(index, begin);
  return end < tree_[index].depth ? split(index, end) : index;
}

template <class SlotsValue>
void HolderTree<SlotsValue>::set_slots(HolderIndex holder, NodeIndex index, std::uint32_t begin,
                                       SlotRuns slots) {
  auto& value = tree_[index].value;
  count_slots(value.slots, false);
  value.slots.set_slots(holder, begin - tree_[index].begin(), std::move(slots));
  count_slots(value.slots, true);
}

// Forgets those that went before anyone asked, once they are the most: the list is as long as the
// entries, however seldom a digest is asked for.
template <class SlotsValue>
void HolderTree<SlotsValue>::note_undigested(HolderIndex holder, Seq seq) {
  auto& undigested = facts_[holder.value].undigested;
  if (undigested.size() > 2 * entries_.count(holder) + 16) {
    std::erase_if(undigested, [&](Seq each) { return entries_.find(holder, each) == kNoIndex; });
  }
  undigested.push_back(seq);
}

template <class SlotsValue>
std::uint32_t HolderTree<SlotsValue>::store_at(HolderIndex holder, const Insertion& insertion,
                                               Position at) {
  const std::uint32_t origin = insertion.anchor.tokens;
  const std::uint32_t end = origin + static_cast<std::uint32_t>(insertion.tokens.size());
  CHECK_THAT(!is_dropped(holder), holder.value);
  Walk walk{at.node, at.tokens, origin, std::nullopt};
  walk_and_mark(holder, insertion, walk);
  if (walk.held_end == end) return 0;
  settle_parent(holder, insertion, walk.node, walk);
  if (walk.tokens < end) {
    if (walk.tokens < tree_[walk.node].depth) walk.node = split(walk.node, walk.tokens);
    walk.node = tree_.add_child(walk.node, insertion.tokens.subspan(walk.tokens - origin));
    add_to_edge(holder, walk.node);
    if (!insertion.slots.empty()) {
      set_slots(holder, walk.node, walk.tokens,
                insertion.slots.part(walk.tokens - origin, end - origin));
    }
  }
  const bool retires = !shows(walk.node, holder);
  list_entry(entries_.add(Entry{.seq = insertion.seq,
                                .parent = walk.parent->seq,
                                .holder = holder,
                                .begin = walk.held_end,
                                .end = end,
                                .retired_from = retires ? walk.held_end : Entry::kNotRetired}),
             walk.node);
  note_undigested(holder, insertion.seq);
  join_grown(walk.node);
  return end - walk.held_end;
}

template <class SlotsValue>
std::optional<std::uint32_t> HolderTree<SlotsValue>::store(HolderIndex holder,
                                                           const Insertion& insertion) {
  const std::uint64_t end = std::uint64_t{insertion.anchor.tokens} + insertion.tokens.size();
  if (insertion.tokens.empty() || insertion.tokens.size() % tree_.page_size() != 0 ||
      end > limits::request_tokens_max) {
    return std::nullopt;
  }
  give_back_all(holder);
  if (insertion.anchor.is_root()) {
    if (insertion.anchor.tokens != 0) return std::nullopt;
    return store_at(holder, insertion, Position{tree_.find_or_make_root(insertion.name), 0});
  }
  const std::optional<Position> at = resolve(holder, insertion.anchor);
  if (!at) return std::nullopt;
  return store_at(holder, insertion, *at);
}

template <class SlotsValue>
void HolderTree<SlotsValue>::erase_edge(NodeIndex index) {
  if (page_end_.next == index) page_end_.next = kNoIndex;
  tree_.erase(index);
}

// ---- remove ------------------------------------------------------------------------------------

// The holder leaves one edge, none of whose children it holds. Its entries that end here go, or are
// cut at `kept_end` and listed at `above`, the last edge that it keeps.
template <class SlotsValue>
void HolderTree<SlotsValue>::take_from_edge(HolderIndex holder, NodeIndex index,
                                            std::uint32_t kept_end, NodeIndex above,
                                            SlotRuns* freed) {
  HolderFacts& facts = facts_[holder.value];
  // The list is made anew, as a walk along it for every entry would cost their square.
  for (EntryIndex e = std::exchange(tree_[index].value.entries, kNoIndex); e != kNoIndex;) {
    const EntryIndex next = entries_[e].next_in_node;
    Entry& entry = entries_[e];
    if (entry.holder != holder) {
      list_entry(e, index);
    } else {
      const std::uint32_t cut = std::max(entry.begin, kept_end);
      if (entry.digested && !facts.dropped) facts.digest -= weighted_sum(entry, cut);
      if (cut == entry.begin) {
        entries_.remove(e);
      } else {
        entry.end = cut;
        if (entry.retired_from >= cut) entry.retired_from = Entry::kNotRetired;
        list_entry(e, above);
      }
    }
    e = next;
  }
  auto& value = tree_[index].value;
  facts.tokens -= tree_[index].tokens.length;
  if (!sets_.contains(value.shown, holder)) facts.retiring -= tree_[index].tokens.length;
  if (holder == kSelf && observer_ != nullptr) observer_->before_drop(index);
  if (freed != nullptr && value.slots.slots(holder) != nullptr) {
    freed->append(*value.slots.slots(holder));
  }
  count_slots(value.slots, false);
  value.slots.drop(holder);
  count_slots(value.slots, true);
  const HolderSetId without = sets_.without(value.holders, holder);
  count_alone(index, false);
  sets_.release(value.holders);
  value.holders = without;
  count_alone(index, true);
  const HolderSetId shown = sets_.without(value.shown, holder);
  sets_.release(value.shown);
  value.shown = shown;
}

// Removes the holder from `below` (whose edge begins at kept.tokens) and everything under it,
// deepest first; kept.node is the edge above. What nobody holds any more is erased, what became
// alike joined.
template <class SlotsValue>
std::uint64_t HolderTree<SlotsValue>::remove_from(HolderIndex holder, Position kept,
                                                  NodeIndex below, SlotRuns* freed) {
  const std::uint64_t before = facts_[holder.value].tokens;
  NodeIndex at = below;
  NodeIndex child = tree_[at].first_child;
  while (true) {
    while (child != kNoIndex && !holds(child, holder)) child = tree_[child].next_sibling;
    if (child != kNoIndex) {
      at = child;
      child = tree_[at].first_child;
      continue;
    }
    take_from_edge(holder, at, kept.tokens, kept.node, freed);
    const NodeIndex parent = tree_[at].parent;
    const NodeIndex sibling = tree_[at].next_sibling;
    if (tree_[at].value.holders == kNoHolders) {
      erase_edge(at);
    } else if (tree_[at].first_child != kNoIndex) {
      join_if_alike(tree_[at].first_child, true);
      // The child's index is what stays where the two were joined; both have one parent then.
    }
    if (at == below) break;
    at = parent;
    child = sibling;
  }
  if (tree_.is_root(kept.node)) {
    tree_.drop_root_if_empty(kept.node);
  } else if (tree_[kept.node].first_child != kNoIndex) {
    join_if_alike(tree_[kept.node].first_child, true);
  }
  HolderFacts& facts = facts_[holder.value];
  if (facts.tokens == 0) std::vector<Seq>().swap(facts.undigested);
  return before - facts.tokens;
}

template <class SlotsValue>
std::optional<std::uint64_t> HolderTree<SlotsValue>::remove(HolderIndex holder, Anchor first) {
  const std::optional<Position> at = resolve(holder, first);
  if (!at) return std::nullopt;
  const std::uint32_t cut = at->tokens - tree_.page_size();
  NodeIndex below = at->node;
  if (cut > tree_[below].begin()) split(below, cut);
  return remove_from(holder, Position{tree_[below].parent, cut}, below, nullptr);
}

// The topmost edges, listed at once, as roots may go while what is below them does.
template <class SlotsValue>
std::vector<NodeIndex> HolderTree<SlotsValue>::top_edges_of(HolderIndex holder) const {
  std::vector<NodeIndex> held;
  for (const auto& [name, root] : tree_.roots()) {
    NodeIndex child = first_held(tree_[root].first_child, holder);
    for (; child != kNoIndex; child = first_held(tree_[child].next_sibling, holder)) {
      held.push_back(child);
    }
  }
  return held;
}

template <class SlotsValue>
NodeIndex HolderTree<SlotsValue>::first_held(NodeIndex from, HolderIndex holder) const {
  while (from != kNoIndex && !holds(from, holder)) from = tree_[from].next_sibling;
  return from;
}

template <class SlotsValue>
std::uint64_t HolderTree<SlotsValue>::clear(HolderIndex holder, SlotRuns* freed) {
  const std::uint64_t removed = tokens_of(holder);
  drop_content(holder, freed);
  give_back_all(holder);
  return removed;
}

}  // namespace radixmesh
