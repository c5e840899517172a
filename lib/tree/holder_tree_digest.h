// Digests of HolderTree (digest.h says what they are), kept up to date lazily and per entry.
//
// An edge remembers H at its end and the sum of H over its pages once either was asked for, so a
// page is hashed once however many hold it, and again only where its edge was cut since. Included
// by holder_tree.h.
#pragma once

#include "lib/tree/holder_tree.h"

namespace radixmesh {

// H at the end of the edge. Climbs to the nearest edge that knows, then hashes downwards.
template <class SlotsValue>
Digest HolderTree<SlotsValue>::ensure_hash(NodeIndex index) {
  std::vector<NodeIndex> unknown;
  NodeIndex at = index;
  while (!tree_[at].value.hash_known && !tree_.is_root(at)) {
    unknown.push_back(at);
    at = tree_[at].parent;
  }
  if (!tree_[at].value.hash_known) {
    tree_[at].value.end_hash = PrefixHasher::of_namespace(tree_.name_of_root(at));
    tree_[at].value.hash_known = true;
  }
  for (auto each = unknown.rbegin(); each != unknown.rend(); ++each) {
    Node& node = tree_[*each];
    PrefixHasher hasher(tree_[node.parent].value.end_hash, tree_.page_size());
    Digest sum = 0;
    for (std::uint32_t i = 0; i < node.tokens.length; i += tree_.page_size()) {
      sum += hasher.next(node.tokens.data() + i);
    }
    node.value.end_hash = hasher.hash();
    node.value.hash_known = true;
    node.value.sum = sum;
    node.value.sum_known = true;
  }
  return tree_[index].value.end_hash;
}

// The sum of H over the pages (begin, end] of one edge, both given from the root.
template <class SlotsValue>
Digest HolderTree<SlotsValue>::edge_sum(NodeIndex index, std::uint32_t begin, std::uint32_t end) {
  ensure_hash(index);
  Node& node = tree_[index];
  const bool whole = begin <= node.begin() && end >= node.depth;
  if (whole && node.value.sum_known) return node.value.sum;
  PrefixHasher hasher(ensure_hash(node.parent), tree_.page_size());
  Digest sum = 0;
  for (std::uint32_t at = node.begin(); at < std::min(end, node.depth);) {
    const Digest hash = hasher.next(node.tokens.data() + (at - node.begin()));
    at += tree_.page_size();
    if (at > begin) sum += hash;
  }
  if (whole) {
    node.value.sum = sum;
    node.value.sum_known = true;
  }
  return sum;
}

// The sum of H over (begin, end] of the path that leads to `node`.
template <class SlotsValue>
Digest HolderTree<SlotsValue>::sum_between(NodeIndex node, std::uint32_t begin, std::uint32_t end) {
  Digest sum = 0;
  for (NodeIndex at = node; tree_[at].depth > begin; at = tree_[at].parent) {
    if (tree_[at].begin() < end) sum += edge_sum(at, begin, end);
  }
  return sum;
}

// What the entry's pages after `begin` add to the digest: those that retire weigh otherwise.
template <class SlotsValue>
Digest HolderTree<SlotsValue>::weighted_sum(const Entry& entry, std::uint32_t begin) {
  Digest sum = sum_between(entry.node, begin, entry.end);
  const std::uint32_t from = std::max(begin, entry.retired_from);
  if (from < entry.end) sum += (kRetiringWeight - 1) * sum_between(entry.node, from, entry.end);
  return sum;
}

template <class SlotsValue>
Digest HolderTree<SlotsValue>::digest(HolderIndex holder) {
  HolderFacts& facts = facts_[holder.value];
  for (Seq seq : facts.undigested) {
    const EntryIndex index = entries_.find(holder, seq);
    if (index == kNoIndex) continue;  // it went before anyone asked
    Entry& entry = entries_[index];
    facts.digest += weighted_sum(entry, entry.begin);
    entry.digested = true;
  }
  std::vector<Seq>().swap(facts.undigested);
  return facts.digest;
}

template <class SlotsValue>
Digest HolderTree<SlotsValue>::entry_hash(const Entry& entry) {
  const Node& node = tree_[entry.node];
  if (entry.end == node.depth) return ensure_hash(entry.node);
  PrefixHasher hasher(ensure_hash(node.parent), tree_.page_size());
  for (std::uint32_t at = node.begin(); at < entry.end; at += tree_.page_size()) {
    hasher.next(tree_[entry.node].tokens.data() + (at - node.begin()));
  }
  return hasher.hash();
}

}  // namespace radixmesh
