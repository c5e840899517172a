// HolderTree: the relation of relation.h as a radix tree whose edges carry interned holder sets.
//
// Invariants, beside the tree's own
//  H1  an edge's holder set is not empty, and is a subset of its parent's (prefix closure)
//  H2  an entry ends inside the edge it is listed at: node.begin() < entry.end <= node.depth
//  H3  pages of one edge have the same holders: where a holder's coverage ends, an edge ends; so
//      does one where a holder's pages begin to retire
//  H4  an edge's shown set is a subset of its holders, and of its parent's shown set: below a
//      retiring page everything of its holder is retiring
// Insertion splits where H3 asks for it; removal joins what no longer differs. Lookups never write.
//
// A holder that is dropped stays in the sets of its edges until they are given back, and is masked
// in every answer: what is called "held" below is held by one that is not dropped.
//
// The verbs stand in five files: lookups here, writing in holder_tree_update.h, dropping in
// holder_tree_drop.h, retiring in holder_tree_retire.h, digests in holder_tree_digest.h. Not
// thread-safe.
#pragma once

#include "lib/base/limits.h"
#include "lib/tree/edge_values.h"
#include "lib/tree/radix_tree.h"
#include "lib/tree/relation.h"

namespace radixmesh {

// Told when edges change under the local cache, so that its recency list stays right.
class EdgeObserver {
 public:
  virtual ~EdgeObserver() = default;
  virtual void after_split(NodeIndex upper, NodeIndex lower) = 0;
  virtual void before_join(NodeIndex upper, NodeIndex lower) = 0;
  virtual void before_drop(NodeIndex node) = 0;  // this node's own pages of the edge go
};

template <class SlotsValue>
struct EdgeValue {
  HolderSetId holders = kNoHolders;
  HolderSetId shown = kNoHolders;  // those whose pages here are not retiring
  EntryIndex entries = kNoIndex;   // those that end in this edge
  bool hash_known = false, sum_known = false;
  Digest end_hash = 0;  // H at the edge's end (digest.h)
  Digest sum = 0;       // the sum of H over the edge's pages
  SlotsValue slots;
};

// A place in the tree: `tokens` tokens from the root, on the edge into `node` (or at its end).
struct Position {
  NodeIndex node = kNoIndex;
  std::uint32_t tokens = 0;
};

template <class SlotsValue>
class HolderTree : public Relation {
 public:
  using Value = SlotsValue;
  using Tree = RadixTree<EdgeValue<SlotsValue>>;
  using Node = typename Tree::Node;

  explicit HolderTree(std::uint32_t page_size) : tree_(page_size) { add_holder(); }

  std::uint32_t page_size() const override { return tree_.page_size(); }
  HolderIndex add_holder() override;
  void drop_holder(HolderIndex holder) override;
  bool give_back(std::size_t edges_max) override;
  bool gives_back() const override { return !dropped_.empty(); }
  void match(const CacheNamespace& name, std::span<const TokenId> tokens,
             Match& out) const override;
  std::optional<std::uint32_t> store(HolderIndex holder, const Insertion& insertion) override;
  std::optional<std::uint64_t> remove(HolderIndex holder, Anchor first) override;
  bool has(HolderIndex holder, Anchor anchor) const override {
    return resolve(holder, anchor).has_value();
  }
  std::uint64_t clear(HolderIndex holder) override { return clear(holder, nullptr); }
  Digest digest(HolderIndex holder) override;
  std::uint64_t tokens_of(HolderIndex holder) const override {
    return is_dropped(holder) ? 0 : facts_[holder.value].tokens;
  }
  const Entry* entry_at_or_after(HolderIndex holder, Seq from) const override;
  std::size_t entry_count(HolderIndex holder) const override {
    return is_dropped(holder) ? 0 : entries_.count(holder);
  }
  void read_entry(const Entry& entry, std::uint32_t begin, std::uint32_t end,
                  std::vector<TokenId>& tokens, SlotRuns& slots) const override;
  const CacheNamespace& entry_namespace(const Entry& entry) const override;
  Digest entry_hash(const Entry& entry) override;
  std::optional<std::uint64_t> set_retiring(HolderIndex holder, Anchor first,
                                            bool retiring) override;
  std::uint64_t retiring_tokens(HolderIndex holder) const override {
    return is_dropped(holder) ? 0 : facts_[holder.value].retiring;
  }
  std::optional<Anchor> retiring_above(HolderIndex holder, Anchor page) const override;
  std::vector<bool> covering(HolderIndex holder, std::span<const Anchor> firsts,
                             std::span<const Anchor> pages) const override;
  void shown_at(std::uint32_t node, std::vector<HolderIndex>& out) const override;
  Anchor anchor_on(const Match& match, HolderIndex holder, std::uint32_t tokens) const override;
  bool slots_at(std::uint32_t node, HolderIndex holder, std::uint32_t begin, std::uint32_t end,
                SlotRuns& out) const override;
  std::vector<EdgeView> edges(std::size_t skip, std::size_t limit) override;
  std::size_t edge_count() const override;
  std::uint64_t token_count() const override;
  std::uint64_t stored_token_count() const override { return tree_.token_count(); }
  std::size_t memory_bytes() const override;

  // ---- for the local cache ---------------------------------------------------------------------

  void observe(EdgeObserver* observer) { observer_ = observer; }
  Node& node(NodeIndex index) { return tree_[index]; }
  const Node& node(NodeIndex index) const { return tree_[index]; }
  bool holds(NodeIndex index, HolderIndex holder) const {
    return sets_.contains(tree_[index].value.holders, holder) && !is_dropped(holder);
  }
  // ... and its pages there are not retiring.
  bool shows(NodeIndex index, HolderIndex holder) const {
    return sets_.contains(tree_[index].value.shown, holder) && !is_dropped(holder);
  }
  // The anchor that names the holder's page which ends at `at`; the holder has it. The root's for
  // 0.
  Anchor anchor_at(HolderIndex holder, Position at) const;
  // Makes an edge end exactly at `at`; returns the edge that does. At an edge's end: no change.
  NodeIndex cut_at(Position at);
  // The edge itself, or the first of its later siblings that the holder has; kNoIndex if none.
  NodeIndex first_held(NodeIndex from, HolderIndex holder) const;
  // The edges at the root that the holder has.
  std::vector<NodeIndex> top_edges_of(HolderIndex holder) const;
  // Joins the edge with the one above, or with its only child, where nothing tells them apart.
  void join_around(NodeIndex index);
  // Where the holder's page that `anchor` names ends; nothing if it is not one of its live pages.
  std::optional<Position> resolve(HolderIndex holder, Anchor anchor) const;
  NodeIndex find_or_make_root(const CacheNamespace& name) { return tree_.find_or_make_root(name); }
  // As store(), at a place that is already known. `anchor` names the same place.
  std::uint32_t store_at(HolderIndex holder, const Insertion& insertion, Position at);
  // Removes the holder from `below`, whose edge begins where `kept` is, and from all under it. If
  // `freed` is given, the slots are appended. A namespace that becomes empty goes.
  std::uint64_t remove_from(HolderIndex holder, Position kept, NodeIndex below, SlotRuns* freed);
  std::uint64_t clear(HolderIndex holder, SlotRuns* freed);
  // As drop_holder(), of a holder that keeps its index: nothing is held from now on. The slots are
  // appended to `freed`, if it is given, as they are given back: it must live as long. Who stores
  // for this holder before that is over gives back the rest at once.
  void drop_content(HolderIndex holder, SlotRuns* freed);
  bool is_dropped(HolderIndex holder) const { return facts_[holder.value].dropped; }
  void give_back_all(HolderIndex holder);
  // Whether the holder's slots, at `top` and below, are at most `runs_max` runs. O(edges below),
  // and no more than it takes to pass the bound.
  bool runs_fit(HolderIndex holder, NodeIndex top, std::size_t runs_max) const {
    return count_runs(holder, top, runs_max) <= runs_max;
  }
  // Runs of this node's own slots, counted edge by edge.
  std::size_t own_runs() const { return own_runs_; }

 private:
  struct HolderFacts {
    bool used = false;
    bool dropped = false;  // to be given back: masked
    std::uint64_t tokens = 0;
    // Of these, and of its edges, those that nobody else holds.
    std::uint64_t tokens_alone = 0, edges_alone = 0;
    std::uint64_t retiring = 0;   // of these
    Digest digest = 0;            // of the entries that are marked digested
    std::vector<Seq> undigested;  // entries added since, in order
  };

  // Where a store's walk through existing edges ended, and what it found.
  struct Walk {
    NodeIndex node;                // the edge that the walk ended on
    std::uint32_t tokens;          // how far it got, from the root
    std::uint32_t held_end;        // where the holder's own pages ended
    std::optional<Anchor> parent;  // the entry that holds the page there, once it is known
  };

  // Where the last page of edges() ended: who asks for the next one begins there.
  struct PageEnd {
    std::size_t skip = 0;
    NodeIndex next = kNoIndex;
  };

  // A holder on its way out.
  struct Dropped {
    HolderIndex holder;
    bool keeps_index;
    SlotRuns* freed;
  };

  NodeIndex root_of(NodeIndex index) const;
  void erase_edge(NodeIndex index);
  EdgeView view_of(const CacheNamespace& name, NodeIndex index);
  void hide_dropped(Match& match) const;
  bool is_shown(NodeIndex index) const {
    return dropped_.empty() || sets_.any_outside(tree_[index].value.holders, dropped_set_);
  }
  void begin_drop(Dropped dropped);
  void end_drop(std::size_t place);
  void drop_last_edge(const Dropped& dropped);
  void count_alone(NodeIndex index, bool counts);
  void count_slots(const SlotsValue& slots, bool counts);
  std::size_t count_runs(HolderIndex holder, NodeIndex top, std::size_t enough) const;
  NodeIndex split(NodeIndex lower, std::uint32_t at_tokens);
  bool join_if_alike(NodeIndex lower, bool may_copy);
  void join_grown(NodeIndex index);
  void list_entry(EntryIndex entry, NodeIndex at);
  void note_undigested(HolderIndex holder, Seq seq);
  void add_to_edge(HolderIndex holder, NodeIndex index);
  NodeIndex isolate_unknown(HolderIndex holder, NodeIndex index, std::uint32_t begin,
                            std::uint32_t end);
  void set_slots(HolderIndex holder, NodeIndex index, std::uint32_t begin, SlotRuns slots);
  void take_from_edge(HolderIndex holder, NodeIndex index, std::uint32_t kept_end, NodeIndex above,
                      SlotRuns* freed);
  void walk_and_mark(HolderIndex holder, const Insertion& insertion, Walk& walk);
  void settle_parent(HolderIndex holder, const Insertion& insertion, NodeIndex node, Walk& walk);

  // The holder's first page on the edge.
  Anchor first_page_of(HolderIndex holder, NodeIndex index) const {
    return anchor_at(holder, Position{index, tree_[index].begin() + tree_.page_size()});
  }
  void mark_edge(HolderIndex holder, NodeIndex index, std::uint32_t cut, bool retiring);

  Digest weighted_sum(const Entry& entry, std::uint32_t begin);
  Digest ensure_hash(NodeIndex index);
  Digest sum_between(NodeIndex node, std::uint32_t begin, std::uint32_t end);
  Digest edge_sum(NodeIndex index, std::uint32_t begin, std::uint32_t end);

  Tree tree_;
  HolderSets sets_;
  EntryTable entries_;
  std::vector<HolderFacts> facts_;  // by holder
  std::vector<Dropped> dropped_;    // in the order in which they are given back
  HolderSetId dropped_set_ = kNoHolders;
  PageEnd page_end_;
  std::size_t value_heap_bytes_ = 0, own_runs_ = 0;
  EdgeObserver* observer_ = nullptr;
};

// ---- lookups -----------------------------------------------------------------------------------

template <class SlotsValue>
void HolderTree<SlotsValue>::match(const CacheNamespace& name, std::span<const TokenId> tokens,
                                   Match& out) const {
  out.clear();
  NodeIndex at = tree_.find_root(name);
  if (at == kNoIndex) return;
  const std::uint32_t page = tree_.page_size();
  const auto length = static_cast<std::uint32_t>(tokens.size() / page * page);
  std::uint32_t depth = 0;
  HolderSetId shown = kNoHolders;
  while (depth < length) {
    at = tree_.find_child(at, tokens.data() + depth);
    if (at == kNoIndex) break;
    const Node& edge = tree_[at];
    // Whoever was shown with the pages so far and not with this edge ends here.
    if (edge.value.shown != shown) {
      if (depth > 0) {
        sets_.for_each_difference(shown, edge.value.shown, [&](HolderIndex holder) {
          out.depths.push_back({holder, depth});
        });
      }
      shown = edge.value.shown;
    }
    const std::uint32_t matched = tree_.common(at, tokens.data() + depth, length - depth);
    out.path.push_back({at, depth, depth + matched});
    depth += matched;
    if (matched < edge.tokens.length) break;
  }
  sets_.for_each(shown, [&](HolderIndex holder) { out.depths.push_back({holder, depth}); });
  out.length = depth;
  if (!dropped_.empty()) hide_dropped(out);
}

template <class SlotsValue>
const Entry* HolderTree<SlotsValue>::entry_at_or_after(HolderIndex holder, Seq from) const {
  const EntryIndex index = is_dropped(holder) ? kNoIndex : entries_.at_or_after(holder, from);
  return index == kNoIndex ? nullptr : &entries_[index];
}

template <class SlotsValue>
void HolderTree<SlotsValue>::read_entry(const Entry& entry, std::uint32_t begin, std::uint32_t end,
                                        std::vector<TokenId>& tokens, SlotRuns& slots) const {
  CHECK_THAT(begin >= entry.begin && begin <= end && end <= entry.end, begin, end);
  std::vector<NodeIndex> edges;
  NodeIndex at = entry.node;
  for (; tree_[at].begin() > begin; at = tree_[at].parent) edges.push_back(at);
  edges.push_back(at);
  for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) {
    const Node& node = tree_[*edge];
    const std::uint32_t low = std::max(begin, node.begin()), high = std::min(end, node.depth);
    if (low >= high) continue;
    const auto part = node.tokens.span().subspan(low - node.begin(), high - low);
    tokens.insert(tokens.end(), part.begin(), part.end());
    slots_at(*edge, entry.holder, low, high, slots);
  }
}

template <class SlotsValue>
NodeIndex HolderTree<SlotsValue>::root_of(NodeIndex index) const {
  while (!tree_.is_root(index)) index = tree_[index].parent;
  return index;
}

template <class SlotsValue>
const CacheNamespace& HolderTree<SlotsValue>::entry_namespace(const Entry& entry) const {
  return tree_.name_of_root(root_of(entry.node));
}

template <class SlotsValue>
void HolderTree<SlotsValue>::shown_at(std::uint32_t node, std::vector<HolderIndex>& out) const {
  out.clear();
  sets_.for_each_difference(tree_[node].value.shown, dropped_set_,
                            [&](HolderIndex holder) { out.push_back(holder); });
}

template <class SlotsValue>
bool HolderTree<SlotsValue>::slots_at(std::uint32_t node, HolderIndex holder, std::uint32_t begin,
                                      std::uint32_t end, SlotRuns& out) const {
  const SlotRuns* slots = tree_[node].value.slots.slots(holder);
  if (slots == nullptr || is_dropped(holder)) return false;
  out.append_part(*slots, begin - tree_[node].begin(), end - tree_[node].begin());
  return true;
}

template <class SlotsValue>
Anchor HolderTree<SlotsValue>::anchor_on(const Match& match, HolderIndex holder,
                                         std::uint32_t tokens) const {
  const auto step = std::ranges::find_if(match.path, [tokens](const PathStep& each) {
    return each.begin < tokens && tokens <= each.end;
  });
  CHECK_THAT(step != match.path.end() && holds(step->node, holder), tokens);
  return anchor_at(holder, Position{step->node, tokens});
}

// Counts until there are more than enough.
template <class SlotsValue>
std::size_t HolderTree<SlotsValue>::count_runs(HolderIndex holder, NodeIndex top,
                                               std::size_t enough) const {
  std::size_t runs = 0, edges = 0;
  NodeIndex at = top;
  while (runs <= enough) {
    // Below an edge that the holder has not got it has nothing.
    const bool is_held = sets_.contains(tree_[at].value.holders, holder);
    if (is_held && ++edges > limits::removed_edges_max) return enough + 1;
    const SlotRuns* slots = tree_[at].value.slots.slots(holder);
    if (slots != nullptr) runs += slots->runs().size();
    if (is_held && tree_[at].first_child != kNoIndex) {
      at = tree_[at].first_child;
      continue;
    }
    while (at != top && tree_[at].next_sibling == kNoIndex) at = tree_[at].parent;
    if (at == top) break;
    at = tree_[at].next_sibling;
  }
  return runs;
}

template <class SlotsValue>
EdgeView HolderTree<SlotsValue>::view_of(const CacheNamespace& name, NodeIndex index) {
  const Digest hash = ensure_hash(index);
  const Node& node = tree_[index];
  EdgeView view{name, node.begin(), node.depth, node.tokens.span(), hash, {}, {}, 0};
  shown_at(index, view.holders);
  sets_.for_each_difference(node.value.holders, node.value.shown, [&](HolderIndex holder) {
    if (!is_dropped(holder)) view.retiring.push_back(holder);
  });
  if constexpr (SlotsValue::keeps_own_slots) view.lock_ref = node.value.slots.own.lock_ref;
  return view;
}

// Page after page costs what is shown: the walk goes on at the edge before which it ended, as long
// as that is there.
template <class SlotsValue>
std::vector<EdgeView> HolderTree<SlotsValue>::edges(std::size_t skip, std::size_t limit) {
  std::vector<EdgeView> out;
  PageEnd end{skip + limit, kNoIndex};
  const bool goes_on = skip > 0 && page_end_.next != kNoIndex && page_end_.skip == skip;
  const NodeIndex start = goes_on ? page_end_.next : kNoIndex;
  if (goes_on) skip = 0;
  auto place =
      goes_on ? tree_.roots().find(tree_.name_of_root(root_of(start))) : tree_.roots().begin();
  for (NodeIndex first = start; place != tree_.roots().end(); ++place, first = kNoIndex) {
    const auto& [name, root] = *place;
    NodeIndex at = first != kNoIndex ? first : tree_[root].first_child;
    while (at != kNoIndex && end.next == kNoIndex) {
      const bool shown = is_shown(at);
      if (shown && skip > 0) {
        --skip;
      } else if (shown && out.size() == limit) {
        end.next = at;
      } else if (shown) {
        out.push_back(view_of(name, at));
      }
      if (shown && tree_[at].first_child != kNoIndex) {
        at = tree_[at].first_child;
        continue;
      }
      while (at != root && tree_[at].next_sibling == kNoIndex) at = tree_[at].parent;
      at = at == root ? kNoIndex : tree_[at].next_sibling;
    }
    if (end.next != kNoIndex) break;
  }
  page_end_ = end;
  return out;
}

template <class SlotsValue>
std::size_t HolderTree<SlotsValue>::memory_bytes() const {
  std::size_t bytes = tree_.memory_bytes() + sets_.memory_bytes() + entries_.memory_bytes() +
                      facts_.capacity() * sizeof(HolderFacts) + value_heap_bytes_;
  for (const HolderFacts& facts : facts_) bytes += facts.undigested.capacity() * sizeof(Seq);
  return bytes;
}

}  // namespace radixmesh

#include "lib/tree/holder_tree_digest.h"
#include "lib/tree/holder_tree_drop.h"
#include "lib/tree/holder_tree_retire.h"
#include "lib/tree/holder_tree_update.h"
