// What collecting duplicates asks of the local cache: which pages are duplicates, which are the
// oldest, and their removal. Included by tree_cache.h.
#pragma once

#include "lib/tree/tree_cache.h"

namespace radixmesh {

// ---- use ---------------------------------------------------------------------------------------

template <class SlotsValue>
void TreeCache<SlotsValue>::note_use(const Match& match) {
  const Position end = local_end(match);
  if (end.tokens == 0) return;
  for (NodeIndex at = end.node; !is_root(at); at = tree_.node(at).parent) {
    own(at).uses.add(period_);
  }
}

// ---- which pages are duplicates ----------------------------------------------------------------

template <class SlotsValue>
std::uint32_t TreeCache<SlotsValue>::copies_wanted(NodeIndex index, const DuplicateSearch& search) {
  const bool hot = own(index).uses.peak(period_) >= search.hot_uses;
  return hot ? std::max(search.hot_copies, search.keep_copies) : search.keep_copies;
}

// The best holders that show the edge, as many as are wanted or there are.
template <class SlotsValue>
std::vector<HolderIndex> TreeCache<SlotsValue>::better_copies(NodeIndex index,
                                                              const DuplicateSearch& search) {
  std::vector<HolderIndex> copies;
  const std::uint32_t wanted = copies_wanted(index, search);
  for (HolderIndex holder : search.better) {
    if (copies.size() == wanted) break;
    if (tree_.shows(index, holder)) copies.push_back(holder);
  }
  return copies;
}

template <class SlotsValue>
auto TreeCache<SlotsValue>::judge(NodeIndex index, const DuplicateSearch& search, bool may_retire)
    -> Verdict {
  if (own(index).lock_ref > 0) return Verdict::locked;
  if (!may_retire && !tree_.shows(index, kSelf)) return Verdict::retiring;
  const std::size_t copies = better_copies(index, search).size();
  if (copies >= copies_wanted(index, search)) return Verdict::duplicate;
  return copies >= search.keep_copies ? Verdict::hot : Verdict::scarce;
}

// Parents before their children.
template <class SlotsValue>
auto TreeCache<SlotsValue>::own_edges_below(NodeIndex top) const -> std::vector<OwnEdge> {
  std::vector<OwnEdge> edges{{top, 0}};
  for (std::uint32_t i = 0; i < edges.size(); ++i) {
    NodeIndex child = tree_.first_held(tree_.node(edges[i].node).first_child, kSelf);
    for (; child != kNoIndex; child = tree_.first_held(tree_.node(child).next_sibling, kSelf)) {
      edges.push_back({child, i});
    }
  }
  return edges;
}

// Of every edge that ends more copies than an edge below it: who has the end has what is above.
template <class SlotsValue>
void TreeCache<SlotsValue>::add_copies(NodeIndex top, const DuplicateSearch& search,
                                       Duplicate& out) {
  for (const OwnEdge& edge : own_edges_below(top)) {
    const std::vector<HolderIndex> copies = better_copies(edge.node, search);
    const NodeIndex child = tree_.first_held(tree_.node(edge.node).first_child, kSelf);
    if (child != kNoIndex && better_copies(child, search) == copies) continue;
    const Position end{edge.node, tree_.node(edge.node).depth};
    for (HolderIndex holder : copies) {
      out.copies.push_back({holder, tree_.anchor_at(holder, end)});
    }
  }
}

// From below upwards: which edges go with all that is below them. More copies than a round can have
// kept, or more tokens than an engine is told of at once, are no one duplicate; what is below goes
// first then.
template <class SlotsValue>
void TreeCache<SlotsValue>::weigh(std::vector<OwnEdge>& edges, const DuplicateSearch& search,
                                  DuplicateSurvey& survey) {
  // By Verdict.
  std::uint64_t* const tokens[] = {&survey.duplicate_tokens, &survey.scarce_tokens,
                                   &survey.hot_tokens, &survey.locked_tokens,
                                   &survey.retiring_tokens};
  for (std::size_t i = edges.size(); i-- > 0;) {
    OwnEdge& edge = edges[i];
    const Verdict verdict = judge(edge.node, search, false);
    const std::uint32_t length = tree_.node(edge.node).tokens.length;
    const bool is_above = verdict == Verdict::duplicate && edge.stays;
    (is_above ? survey.above_tokens : *tokens[static_cast<std::size_t>(verdict)]) += length;
    const std::uint64_t below = std::exchange(edge.tokens, edge.tokens + length);
    if (verdict != Verdict::duplicate) {
      edge.stays = true;
    } else {
      edge.copies += better_copies(edge.node, search).size();
      const bool too_much =
          edge.copies > search.copies_max || (below > 0 && edge.tokens > search.tokens_max);
      if (too_much && !edge.stays) {
        edge.stays = true;
        survey.is_complete = false;
      }
    }
    if (i == 0) continue;
    OwnEdge& parent = edges[edge.parent];
    parent.stays = parent.stays || edge.stays;
    parent.copies += edge.copies;
    parent.tokens += edge.tokens;
  }
}

template <class SlotsValue>
auto TreeCache<SlotsValue>::find_duplicates(const DuplicateSearch& search, DuplicateSurvey& survey)
    -> std::vector<Found> {
  std::vector<Found> found;
  for (NodeIndex top : tree_.top_edges_of(kSelf)) {
    std::vector<OwnEdge> edges = own_edges_below(top);
    weigh(edges, search, survey);
    for (std::size_t i = 0; i < edges.size(); ++i) {
      const OwnEdge& edge = edges[i];
      const bool part_of_larger = i > 0 && !edges[edge.parent].stays;
      if (edge.stays || part_of_larger) continue;
      const std::uint32_t first_page = tree_.node(edge.node).begin() + tree_.page_size();
      found.push_back({edge, tree_.anchor_at(kSelf, Position{edge.node, first_page})});
    }
  }
  return found;
}

template <class SlotsValue>
DuplicateSurvey TreeCache<SlotsValue>::survey(const DuplicateSearch& search) {
  DuplicateSurvey survey;
  std::vector<Found> found = find_duplicates(search, survey);
  if (search.last != nullptr) {
    std::stable_partition(found.begin(), found.end(),
                          [&](const Found& each) { return !search.last->contains(each.first); });
  }
  std::size_t copies = 0;
  for (const Found& each : found) {
    if (copies + each.edge.copies > search.copies_max) {
      survey.is_complete = false;
      continue;
    }
    Duplicate duplicate{each.first, each.edge.tokens, {}};
    add_copies(each.edge.node, search, duplicate);
    copies += duplicate.copies.size();
    survey.found.push_back(std::move(duplicate));
  }
  return survey;
}

template <class SlotsValue>
bool TreeCache<SlotsValue>::is_duplicate(Anchor page, const DuplicateSearch& search) {
  const std::optional<Position> at = tree_.resolve(kSelf, page);
  return at && at->tokens > 0 && judge(at->node, search, false) == Verdict::duplicate;
}

template <class SlotsValue>
std::optional<Duplicate> TreeCache<SlotsValue>::duplicate_below(Anchor first,
                                                                const DuplicateSearch& search) {
  const std::optional<Position> at = tree_.resolve(kSelf, first);
  if (!at || at->tokens == 0) return std::nullopt;
  Duplicate found;
  found.first = first;
  for (const OwnEdge& edge : own_edges_below(at->node)) {
    if (judge(edge.node, search, true) != Verdict::duplicate) return std::nullopt;
    found.tokens += tree_.node(edge.node).tokens.length;
  }
  found.tokens -= at->tokens - tree_.page_size() - tree_.node(at->node).begin();
  add_copies(at->node, search, found);
  return found;
}

// ---- what goes ---------------------------------------------------------------------------------

template <class SlotsValue>
std::vector<Anchor> TreeCache<SlotsValue>::oldest_pages(std::uint64_t num_tokens,
                                                        std::size_t count_max) {
  std::vector<Anchor> pages;
  const std::uint32_t page = tree_.page_size();
  std::uint64_t left = std::min(num_tokens, total_tokens());
  for (StretchIndex at = recency_.oldest(); left > 0 && at != kNoIndex && pages.size() < count_max;
       at = recency_[at].newer) {
    const Stretch& stretch = recency_[at];
    if (!tree_.shows(stretch.edge, kSelf)) continue;
    const std::uint64_t whole_pages = (left + page - 1) / page * page;
    const auto length = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(whole_pages, stretch.end - begin_of(stretch)));
    pages.push_back(tree_.anchor_at(kSelf, Position{stretch.edge, stretch.end - length + page}));
    left -= std::min<std::uint64_t>(left, length);
  }
  return pages;
}

template <class SlotsValue>
std::vector<Anchor> TreeCache<SlotsValue>::top_pages() {
  std::vector<Anchor> pages;
  for (NodeIndex top : tree_.top_edges_of(kSelf)) {
    pages.push_back(
        tree_.anchor_at(kSelf, Position{top, tree_.node(top).begin() + tree_.page_size()}));
  }
  return pages;
}

template <class SlotsValue>
SlotRuns TreeCache<SlotsValue>::slots_below(Anchor first) {
  SlotRuns slots;
  const std::optional<Position> at = tree_.resolve(kSelf, first);
  if (!at || at->tokens == 0) return slots;
  for (const OwnEdge& edge : own_edges_below(at->node)) {
    const std::uint32_t begin = tree_.node(edge.node).begin();
    const std::uint32_t from = edge.node == at->node ? at->tokens - tree_.page_size() : begin;
    tree_.slots_at(edge.node, kSelf, from, tree_.node(edge.node).depth, slots);
  }
  return slots;
}

template <class SlotsValue>
bool TreeCache<SlotsValue>::is_locked(Anchor page) const {
  const std::optional<Position> at = tree_.resolve(kSelf, page);
  return !at || tree_.node(at->node).value.slots.own.lock_ref > 0;
}

template <class SlotsValue>
SlotRuns TreeCache<SlotsValue>::remove_pages(std::span<const Anchor> first_pages,
                                             Journal& journal) {
  SlotRuns freed;
  std::vector<Anchor> removed;
  for (const Anchor& first : first_pages) {
    if (is_locked(first)) continue;
    const Position at = *tree_.resolve(kSelf, first);
    const std::uint32_t cut = at.tokens - tree_.page_size();
    if (cut > tree_.node(at.node).begin()) tree_.cut_at(Position{at.node, cut});
    tree_.remove_from(kSelf, Position{tree_.node(at.node).parent, cut}, at.node, &freed);
    removed.push_back(first);
    if (removed.size() < limits::delete_entries_max) continue;
    journal.record_delete(removed);
    removed.clear();
  }
  if (!removed.empty()) journal.record_delete(removed);
  return freed;
}

}  // namespace radixmesh
