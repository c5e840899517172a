// Pages on their way out, and back: they are held and have their slots, but lookups do not name
// their holder for them any more. Included by holder_tree.h.
#pragma once

#include <tsl/robin_map.h>

#include "lib/tree/holder_tree.h"

namespace radixmesh {

// One edge of the holder's, at or below a page that begins after `cut` tokens.
template <class SlotsValue>
void HolderTree<SlotsValue>::mark_edge(HolderIndex holder, NodeIndex index, std::uint32_t cut,
                                       bool retiring) {
  HolderFacts& facts = facts_[holder.value];
  for (EntryIndex e = tree_[index].value.entries; e != kNoIndex; e = entries_[e].next_in_node) {
    Entry& entry = entries_[e];
    if (entry.holder != holder) continue;
    if (entry.digested) facts.digest -= weighted_sum(entry, entry.begin);
    entry.retired_from = retiring ? std::max(entry.begin, cut) : Entry::kNotRetired;
    if (entry.digested) facts.digest += weighted_sum(entry, entry.begin);
  }
  if (shows(index, holder) != retiring) return;
  auto& value = tree_[index].value;
  const HolderSetId shown =
      retiring ? sets_.without(value.shown, holder) : sets_.with(value.shown, holder);
  sets_.release(value.shown);
  value.shown = shown;
  const std::uint32_t length = tree_[index].tokens.length;
  facts.retiring += retiring ? length : 0;
  facts.retiring -= retiring ? 0 : length;
}

template <class SlotsValue>
std::optional<std::uint64_t> HolderTree<SlotsValue>::set_retiring(HolderIndex holder, Anchor first,
                                                                  bool retiring) {
  const std::optional<Position> at = resolve(holder, first);
  if (!at) return std::nullopt;
  const std::uint32_t cut = at->tokens - tree_.page_size();
  const NodeIndex top = at->node;
  if (cut > tree_[top].begin()) split(top, cut);
  const NodeIndex parent = tree_[top].parent;
  // Under a page that retires nothing changes by itself (H4).
  const bool changes = tree_.is_root(parent) || shows(parent, holder);
  const std::uint64_t before = facts_[holder.value].retiring;
  for (NodeIndex edge = top; changes && edge != kNoIndex;) {
    mark_edge(holder, edge, cut, retiring);
    NodeIndex next = first_held(tree_[edge].first_child, holder);
    while (next == kNoIndex && edge != top) {
      next = first_held(tree_[edge].next_sibling, holder);
      edge = tree_[edge].parent;
    }
    edge = next;
  }
  const std::uint64_t after = facts_[holder.value].retiring;
  join_around(top);
  return before > after ? before - after : after - before;
}

template <class SlotsValue>
std::optional<Anchor> HolderTree<SlotsValue>::retiring_above(HolderIndex holder,
                                                             Anchor page) const {
  if (facts_[holder.value].retiring == 0) return std::nullopt;
  const std::optional<Position> at = resolve(holder, page);
  CHECK_THAT(at.has_value(), page.seq.value, page.tokens);
  NodeIndex first = kNoIndex;
  for (NodeIndex edge = at->node; !tree_.is_root(edge) && !shows(edge, holder);
       edge = tree_[edge].parent) {
    first = edge;
  }
  if (first == kNoIndex) return std::nullopt;
  return first_page_of(holder, first);
}

template <class SlotsValue>
std::vector<bool> HolderTree<SlotsValue>::covering(HolderIndex holder,
                                                   std::span<const Anchor> firsts,
                                                   std::span<const Anchor> pages) const {
  std::vector<bool> covers(firsts.size(), false);
  // For each edge the firsts that lie on it, as (tokens, index).
  tsl::robin_map<NodeIndex, std::vector<std::pair<std::uint32_t, std::size_t>>> on_edge;
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    if (const auto at = resolve(holder, firsts[i])) {
      on_edge[at->node].emplace_back(at->tokens, i);
    }
  }
  if (on_edge.empty()) return covers;
  for (const Anchor& page : pages) {
    const auto at = resolve(holder, page);
    if (!at) continue;
    std::uint32_t end = at->tokens;
    for (NodeIndex edge = at->node; !tree_.is_root(edge); edge = tree_[edge].parent) {
      if (const auto found = on_edge.find(edge); found != on_edge.end()) {
        for (const auto& [tokens, i] : found->second) covers[i] = covers[i] || tokens <= end;
      }
      end = std::max(end, tree_[edge].depth);
    }
  }
  return covers;
}

}  // namespace radixmesh
