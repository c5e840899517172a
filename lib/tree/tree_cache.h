// TreeCache: the local cache of local_cache.h over a HolderTree. What collecting duplicates asks of
// it stands in tree_cache_collect.h.
#pragma once

#include "lib/base/limits.h"
#include "lib/tree/holder_tree.h"
#include "lib/tree/local_cache.h"
#include "lib/tree/recency_list.h"

namespace radixmesh {

// `SlotsValue` is OwnSlotsValue or MemberValue. `tokens_max` bounds total_tokens(); 0: no bound.
template <class SlotsValue>
class TreeCache final : public LocalCache, private EdgeObserver {
 public:
  TreeCache(HolderTree<SlotsValue>& tree, std::uint64_t tokens_max)
      : tree_(tree), tokens_max_(tokens_max) {
    tree_.observe(this);
  }
  ~TreeCache() override { tree_.observe(nullptr); }
  TreeCache(const TreeCache&) = delete;
  TreeCache& operator=(const TreeCache&) = delete;

  InsertResult insert(const CacheNamespace& name, std::span<const TokenId> tokens,
                      const SlotRuns& slots, Journal& journal) override;
  void restore(const Insertion& insertion) override;
  std::uint32_t local_match(const Match& match, SlotRuns* slots) const override;
  void touch(const Match& match) override { use_up_to(local_end(match)); }
  LockedPath lock(const Match& match) override;
  Anchor local_anchor(const Match& match) const override;
  std::optional<LockedPath> lock_page(Anchor page) override;
  void unlock(LockedPath path) override;
  SlotRuns evict(std::uint64_t num_tokens, std::size_t runs_max, Journal& journal) override;
  tl::expected<SlotRuns, Kept> remove(const CacheNamespace& name, std::span<const TokenId> tokens,
                                      Journal& journal) override;
  std::optional<Kept> begin_reset(Journal& journal, bool keeps_freed) override;
  bool is_resetting() const override { return tree_.is_dropped(kSelf); }
  SlotRuns finish_reset() override;
  std::uint64_t total_tokens() const override { return tree_.tokens_of(kSelf); }
  std::uint64_t protected_tokens() const override { return protected_; }
  std::size_t memory_bytes() const override { return recency_.memory_bytes(); }

  void note_use(const Match& match) override;
  void begin_period() override { ++period_; }
  DuplicateSurvey survey(const DuplicateSearch& search) override;
  bool is_duplicate(Anchor page, const DuplicateSearch& search) override;
  std::optional<Duplicate> duplicate_below(Anchor first, const DuplicateSearch& search) override;
  std::vector<Anchor> oldest_pages(std::uint64_t num_tokens, std::size_t count_max) override;
  std::vector<Anchor> top_pages() override;
  SlotRuns slots_below(Anchor first) override;
  bool is_locked(Anchor page) const override;
  SlotRuns remove_pages(std::span<const Anchor> first_pages, Journal& journal) override;

 private:
  enum class Verdict : std::uint8_t { duplicate, scarce, hot, locked, retiring };
  Verdict judge(NodeIndex index, const DuplicateSearch& search, bool may_retire);
  std::uint32_t copies_wanted(NodeIndex index, const DuplicateSearch& search);
  std::vector<HolderIndex> better_copies(NodeIndex index, const DuplicateSearch& search);
  // An edge of this node's, in a list with parents first.
  struct OwnEdge {
    NodeIndex node;
    std::uint32_t parent;    // its place in the list
    bool stays = false;      // it or something below it
    std::size_t copies = 0;  // of it and of what is below it
    std::uint64_t tokens = 0;
  };
  std::vector<OwnEdge> own_edges_below(NodeIndex top) const;
  void weigh(std::vector<OwnEdge>& edges, const DuplicateSearch& search, DuplicateSurvey& survey);
  // Duplicates with all that is below them, none below another.
  struct Found {
    OwnEdge edge;
    Anchor first;
  };
  std::vector<Found> find_duplicates(const DuplicateSearch& search, DuplicateSurvey& survey);
  void add_copies(NodeIndex top, const DuplicateSearch& search, Duplicate& out);

  OwnState& own(NodeIndex index) { return tree_.node(index).value.slots.own; }
  bool is_root(NodeIndex index) const { return tree_.node(index).parent == kNoIndex; }

  Position local_end(const Match& match) const;
  LockedPath lock_up_to(Position end);
  std::uint32_t room_for(std::uint32_t wanted, InsertResult& result, Journal& journal);
  Position store(const CacheNamespace& name, std::span<const TokenId> tokens, const SlotRuns& slots,
                 Position at, Journal& journal);
  void use_up_to(Position end);
  std::uint32_t begin_of(const Stretch& stretch) const;
  void after_split(NodeIndex upper, NodeIndex lower) override;
  void before_join(NodeIndex upper, NodeIndex lower) override;
  void before_drop(NodeIndex node) override;

  HolderTree<SlotsValue>& tree_;
  std::uint64_t tokens_max_;
  std::uint64_t protected_ = 0;
  std::uint32_t period_ = 1;
  RecencyList recency_;
  SlotRuns reset_freed_;
  Match match_;
};

// ---- recency -----------------------------------------------------------------------------------

// From the deepest up, so that no parent becomes older than its child.
template <class SlotsValue>
void TreeCache<SlotsValue>::use_up_to(Position end) {
  if (end.tokens == 0) return;
  for (NodeIndex at = end.node; !is_root(at); at = tree_.node(at).parent) {
    if (own(at).lock_ref > 0) continue;
    recency_.use(at, own(at).recency, std::min(end.tokens, tree_.node(at).depth));
  }
  recency_.keep_bound(own(end.node).recency);
}

template <class SlotsValue>
std::uint32_t TreeCache<SlotsValue>::begin_of(const Stretch& stretch) const {
  return stretch.above == kNoIndex ? tree_.node(stretch.edge).begin() : recency_[stretch.above].end;
}

template <class SlotsValue>
void TreeCache<SlotsValue>::after_split(NodeIndex upper, NodeIndex lower) {
  if (own(lower).recency == kNoIndex) return;
  recency_.split(upper, own(upper).recency, own(lower).recency, tree_.node(upper).depth);
}

template <class SlotsValue>
void TreeCache<SlotsValue>::before_join(NodeIndex upper, NodeIndex lower) {
  if (own(lower).recency == kNoIndex) return;
  recency_.join(lower, own(upper).recency, own(lower).recency);
}

template <class SlotsValue>
void TreeCache<SlotsValue>::before_drop(NodeIndex node) {
  CHECK_THAT(own(node).lock_ref == 0, node);
  recency_.drop(own(node).recency);
}

// ---- lookups and locks -------------------------------------------------------------------------

template <class SlotsValue>
Position TreeCache<SlotsValue>::local_end(const Match& match) const {
  Position end;
  for (const PathStep& step : match.path) {
    if (!tree_.holds(step.node, kSelf)) break;
    end = Position{step.node, step.end};
  }
  return end;
}

template <class SlotsValue>
std::uint32_t TreeCache<SlotsValue>::local_match(const Match& match, SlotRuns* slots) const {
  std::uint32_t length = 0;
  for (const PathStep& step : match.path) {
    if (!tree_.holds(step.node, kSelf)) break;
    if (slots != nullptr) tree_.slots_at(step.node, kSelf, step.begin, step.end, *slots);
    length = step.end;
  }
  return length;
}

template <class SlotsValue>
LockedPath TreeCache<SlotsValue>::lock(const Match& match) {
  const Position end = local_end(match);
  return end.tokens == 0 ? LockedPath{} : lock_up_to(end);
}

template <class SlotsValue>
Anchor TreeCache<SlotsValue>::local_anchor(const Match& match) const {
  const Position end = local_end(match);
  return end.tokens == 0 ? Anchor{} : tree_.anchor_at(kSelf, end);
}

template <class SlotsValue>
std::optional<LockedPath> TreeCache<SlotsValue>::lock_page(Anchor page) {
  const std::optional<Position> end = tree_.resolve(kSelf, page);
  if (!end || end->tokens == 0 || !tree_.shows(end->node, kSelf)) return std::nullopt;
  return lock_up_to(*end);
}

template <class SlotsValue>
LockedPath TreeCache<SlotsValue>::lock_up_to(Position end) {
  const LockedPath path{tree_.cut_at(end)};
  for (NodeIndex at = path.node; !is_root(at); at = tree_.node(at).parent) {
    if (own(at).lock_ref++ == 0) {
      protected_ += tree_.node(at).tokens.length;
      recency_.drop(own(at).recency);
    }
  }
  return path;
}

template <class SlotsValue>
void TreeCache<SlotsValue>::unlock(LockedPath path) {
  if (path.node == kNoIndex) return;
  for (NodeIndex at = path.node; !is_root(at); at = tree_.node(at).parent) {
    CHECK_THAT(own(at).lock_ref > 0, at);
    if (--own(at).lock_ref == 0) protected_ -= tree_.node(at).tokens.length;
  }
  use_up_to(Position{path.node, tree_.node(path.node).depth});
  tree_.join_around(path.node);
}

// ---- insert ------------------------------------------------------------------------------------

// Makes room under the bound; returns how many of the wanted tokens (whole pages) may be stored.
template <class SlotsValue>
std::uint32_t TreeCache<SlotsValue>::room_for(std::uint32_t wanted, InsertResult& result,
                                              Journal& journal) {
  if (tokens_max_ == 0 || total_tokens() + wanted <= tokens_max_) return wanted;
  // What can never fit is not worth evicting for.
  const std::uint64_t page = tree_.page_size();
  const std::uint64_t most = (tokens_max_ - std::min(protected_, tokens_max_)) / page * page;
  const auto aim = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, most));
  if (total_tokens() + aim > tokens_max_) {
    const std::uint64_t excess = total_tokens() + aim - tokens_max_;
    result.freed = journal.make_room(*this, excess);
  }
  const std::uint64_t room = tokens_max_ - std::min(total_tokens(), tokens_max_);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(aim, room / page * page));
}

template <class SlotsValue>
InsertResult TreeCache<SlotsValue>::insert(const CacheNamespace& name,
                                           std::span<const TokenId> tokens, const SlotRuns& slots,
                                           Journal& journal) {
  InsertResult result;
  tree_.give_back_all(kSelf);
  const std::uint32_t page = tree_.page_size();
  const auto length = static_cast<std::uint32_t>(tokens.size() / page * page);
  tree_.match(name, tokens, match_);
  note_use(match_);
  Position at = local_end(match_);
  result.prefix_len = at.tokens;
  if (at.tokens == length) {
    use_up_to(at);
    return result;
  }
  // Locked meanwhile, so that making room never takes the path that is about to grow.
  const LockedPath path = lock(match_);
  result.stored = room_for(length - at.tokens, result, journal);
  if (result.stored > 0) {
    at.node = path.node != kNoIndex ? path.node : tree_.find_or_make_root(name);
    at = store(name, tokens.first(at.tokens + result.stored), slots, at, journal);
    use_up_to(at);
  }
  unlock(path);
  return result;
}

// Stores tokens[at.tokens..] in as many ops as it takes; returns where they end.
template <class SlotsValue>
Position TreeCache<SlotsValue>::store(const CacheNamespace& name, std::span<const TokenId> tokens,
                                      const SlotRuns& slots, Position at, Journal& journal) {
  Anchor anchor = tree_.anchor_at(kSelf, at);
  while (at.tokens < tokens.size()) {
    const auto rest = tokens.subspan(at.tokens);
    const SlotRuns rest_slots = slots.part(at.tokens, tokens.size());
    const Journal::Inserted op = journal.record_insert(anchor, name, rest, rest_slots);
    const SlotRuns op_slots = rest_slots.part(0, op.tokens);
    tree_.store_at(kSelf, Insertion{op.seq, anchor, name, rest.first(op.tokens), op_slots}, at);
    anchor = Anchor{op.seq, at.tokens + op.tokens};
    const std::optional<Position> end = tree_.resolve(kSelf, anchor);
    CHECK_THAT(end.has_value(), op.seq.value);
    at = *end;
  }
  return at;
}

template <class SlotsValue>
void TreeCache<SlotsValue>::restore(const Insertion& insertion) {
  const auto added = tree_.store(kSelf, insertion);
  CHECK_THAT(added == insertion.tokens.size(), insertion.seq.value);
  const auto length = static_cast<std::uint32_t>(insertion.tokens.size());
  const auto end = tree_.resolve(kSelf, Anchor{insertion.seq, insertion.anchor.tokens + length});
  CHECK_THAT(end.has_value(), insertion.seq.value);
  use_up_to(*end);
  tree_.join_around(end->node);
}

// ---- removal -----------------------------------------------------------------------------------

template <class SlotsValue>
SlotRuns TreeCache<SlotsValue>::evict(std::uint64_t num_tokens, std::size_t runs_max,
                                      Journal& journal) {
  SlotRuns freed;
  std::vector<Anchor> removed;
  const std::uint32_t page = tree_.page_size();
  std::uint64_t left = std::min(num_tokens, total_tokens());
  // As many edges as runs: their slots may be one run.
  for (std::size_t edges = 0; left > 0 && recency_.oldest() != kNoIndex &&
                              freed.runs().size() < runs_max && edges < runs_max;
       ++edges) {
    const Stretch oldest = recency_[recency_.oldest()];
    const NodeIndex leaf = oldest.edge;
    CHECK_THAT(oldest.end == tree_.node(leaf).depth, oldest.end, tree_.node(leaf).depth);
    const std::uint64_t whole_pages = (left + page - 1) / page * page;
    const auto length = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(whole_pages, oldest.end - begin_of(oldest)));
    const std::uint32_t cut = oldest.end - length;
    removed.push_back(tree_.anchor_at(kSelf, Position{leaf, cut + page}));
    if (cut > tree_.node(leaf).begin()) tree_.cut_at(Position{leaf, cut});
    tree_.remove_from(kSelf, Position{tree_.node(leaf).parent, cut}, leaf, &freed);
    left -= std::min<std::uint64_t>(left, length);
    if (removed.size() == limits::delete_entries_max) {
      journal.record_delete(removed);
      removed.clear();
    }
  }
  if (!removed.empty()) journal.record_delete(removed);
  return freed;
}

template <class SlotsValue>
tl::expected<SlotRuns, LocalCache::Kept> TreeCache<SlotsValue>::remove(
    const CacheNamespace& name, std::span<const TokenId> tokens, Journal& journal) {
  SlotRuns freed;
  const std::uint32_t page = tree_.page_size();
  const auto length = static_cast<std::uint32_t>(tokens.size() / page * page);
  tree_.match(name, tokens, match_);
  const Position end = local_end(match_);
  if (length == 0 || end.tokens < length) return freed;
  if (own(end.node).lock_ref > 0) return tl::unexpected(Kept::locked);
  if (!tree_.runs_fit(kSelf, end.node, limits::answer_runs_max)) {
    return tl::unexpected(Kept::too_many_runs);
  }
  const Anchor first = tree_.anchor_at(kSelf, end);
  const std::uint32_t cut = length - page;
  if (cut > tree_.node(end.node).begin()) tree_.cut_at(Position{end.node, cut});
  tree_.remove_from(kSelf, Position{tree_.node(end.node).parent, cut}, end.node, &freed);
  journal.record_delete(std::span{&first, 1});
  return freed;
}

template <class SlotsValue>
std::optional<LocalCache::Kept> TreeCache<SlotsValue>::begin_reset(Journal& journal,
                                                                   bool keeps_freed) {
  if (protected_ > 0) return Kept::locked;
  if (keeps_freed && tree_.own_runs() > limits::answer_runs_max) return Kept::too_many_runs;
  tree_.give_back_all(kSelf);
  tree_.drop_content(kSelf, keeps_freed ? &reset_freed_ : nullptr);
  journal.record_reset();
  return std::nullopt;
}

template <class SlotsValue>
SlotRuns TreeCache<SlotsValue>::finish_reset() {
  tree_.give_back_all(kSelf);
  return std::exchange(reset_freed_, {});
}

}  // namespace radixmesh

#include "lib/tree/tree_cache_collect.h"
