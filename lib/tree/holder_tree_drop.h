// How a holder goes with all that it held: out of every answer at once, and out of memory edge by
// edge, so that no call takes as long as the holder is large. Included by holder_tree.h.
//
// What goes next is the edge at which the holder's last entry ends: pages below that one would be
// of a later entry, so the holder has none there, and every step leaves a whole relation behind.
#pragma once

#include "lib/tree/holder_tree.h"

namespace radixmesh {

template <class SlotsValue>
HolderIndex HolderTree<SlotsValue>::add_holder() {
  for (std::uint32_t i = 0; i < facts_.size(); ++i) {
    if (!facts_[i].used) {
      facts_[i].used = true;
      return HolderIndex{i};
    }
  }
  facts_.emplace_back().used = true;
  entries_.add_holder(HolderIndex{static_cast<std::uint32_t>(facts_.size() - 1)});
  return HolderIndex{static_cast<std::uint32_t>(facts_.size() - 1)};
}

template <class SlotsValue>
void HolderTree<SlotsValue>::drop_holder(HolderIndex holder) {
  CHECK_THAT(holder != kSelf && facts_[holder.value].used, holder.value);
  begin_drop(Dropped{holder, false, nullptr});
}

template <class SlotsValue>
void HolderTree<SlotsValue>::drop_content(HolderIndex holder, SlotRuns* freed) {
  CHECK_THAT(facts_[holder.value].used, holder.value);
  begin_drop(Dropped{holder, true, freed});
}

template <class SlotsValue>
void HolderTree<SlotsValue>::begin_drop(Dropped dropped) {
  HolderFacts& facts = facts_[dropped.holder.value];
  CHECK_THAT(!facts.dropped, dropped.holder.value);
  facts.dropped = true;
  facts.digest = 0;
  std::vector<Seq>().swap(facts.undigested);
  dropped_.push_back(dropped);
  const HolderSetId with = sets_.with(dropped_set_, dropped.holder);
  sets_.release(dropped_set_);
  dropped_set_ = with;
  if (facts.tokens == 0) {
    end_drop(dropped_.size() - 1);
  } else if (dropped_.size() > limits::dropped_holders_max) {
    // The smallest goes at once, so that what waits is bounded whatever peers do.
    const auto smallest = std::ranges::min_element(
        dropped_, {}, [this](const Dropped& each) { return facts_[each.holder.value].tokens; });
    give_back_all(smallest->holder);
  }
}

template <class SlotsValue>
void HolderTree<SlotsValue>::end_drop(std::size_t place) {
  const Dropped dropped = dropped_[place];
  HolderFacts& facts = facts_[dropped.holder.value];
  CHECK_THAT(facts.tokens == 0 && facts.digest == 0 && facts.retiring == 0, facts.tokens);
  CHECK_THAT(entries_.count(dropped.holder) == 0 && facts.edges_alone == 0, facts.edges_alone);
  facts = HolderFacts{};
  facts.used = dropped.keeps_index;
  dropped_.erase(dropped_.begin() + static_cast<std::ptrdiff_t>(place));
  if (dropped_.empty()) std::vector<Dropped>().swap(dropped_);
  const HolderSetId without = sets_.without(dropped_set_, dropped.holder);
  sets_.release(dropped_set_);
  dropped_set_ = without;
}

template <class SlotsValue>
bool HolderTree<SlotsValue>::give_back(std::size_t edges_max) {
  for (std::size_t i = 0; i < edges_max && !dropped_.empty(); ++i) {
    drop_last_edge(dropped_.front());
    if (facts_[dropped_.front().holder.value].tokens == 0) end_drop(0);
  }
  return !dropped_.empty();
}

template <class SlotsValue>
void HolderTree<SlotsValue>::give_back_all(HolderIndex holder) {
  const auto found = std::ranges::find(dropped_, holder, &Dropped::holder);
  if (found == dropped_.end()) return;
  while (facts_[holder.value].tokens > 0) drop_last_edge(*found);
  end_drop(static_cast<std::size_t>(found - dropped_.begin()));
}

// What is above stays the holder's until its turn comes, so nothing is joined with it yet: it
// would be taken apart again.
template <class SlotsValue>
void HolderTree<SlotsValue>::drop_last_edge(const Dropped& dropped) {
  const EntryIndex last = entries_.last(dropped.holder);
  CHECK_THAT(last != kNoIndex, dropped.holder.value);
  const NodeIndex at = entries_[last].node;
  const NodeIndex above = tree_[at].parent;
  take_from_edge(dropped.holder, at, tree_[at].begin(), above, dropped.freed);
  if (tree_[at].value.holders == kNoHolders) {
    erase_edge(at);
  } else if (tree_[at].first_child != kNoIndex) {
    join_if_alike(tree_[at].first_child, true);
  }
  if (tree_.is_root(above)) tree_.drop_root_if_empty(above);
}

// ---- what answers must not name ----------------------------------------------------------------

// Below an edge that only dropped ones hold there is no other, so the path is cut there.
template <class SlotsValue>
void HolderTree<SlotsValue>::hide_dropped(Match& match) const {
  std::erase_if(match.depths, [this](const HolderDepth& each) { return is_dropped(each.holder); });
  while (!match.path.empty() && !is_shown(match.path.back().node)) match.path.pop_back();
  match.length = match.path.empty() ? 0 : match.path.back().end;
}

// To be told before and after the holders of an edge change.
template <class SlotsValue>
void HolderTree<SlotsValue>::count_alone(NodeIndex index, bool counts) {
  const std::optional<HolderIndex> sole = sets_.sole(tree_[index].value.holders);
  if (!sole) return;
  HolderFacts& facts = facts_[sole->value];
  const std::uint64_t length = tree_[index].tokens.length;
  facts.tokens_alone += counts ? length : 0;
  facts.tokens_alone -= counts ? 0 : length;
  facts.edges_alone += counts ? 1 : 0;
  facts.edges_alone -= counts ? 0 : 1;
}

template <class SlotsValue>
std::size_t HolderTree<SlotsValue>::edge_count() const {
  std::size_t edges = tree_.node_count() - tree_.roots().size();
  for (const Dropped& each : dropped_) edges -= facts_[each.holder.value].edges_alone;
  return edges;
}

template <class SlotsValue>
std::uint64_t HolderTree<SlotsValue>::token_count() const {
  std::uint64_t tokens = tree_.token_count();
  for (const Dropped& each : dropped_) tokens -= facts_[each.holder.value].tokens_alone;
  return tokens;
}

}  // namespace radixmesh
