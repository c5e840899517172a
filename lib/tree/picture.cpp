#include "lib/tree/picture.h"

#include <algorithm>

#include "lib/base/planted.h"
#include "lib/tree/tree_cache.h"

namespace radixmesh {
namespace {

constexpr std::size_t kHeadTokens = 8;  // of an edge or entry: enough to recognise it

std::vector<TokenId> head_of(std::span<const TokenId> tokens) {
  const auto head = tokens.first(std::min(tokens.size(), kHeadTokens));
  return {head.begin(), head.end()};
}

}  // namespace

Picture::Picture(const Roster& roster, const Settings& settings)
    : roster_(roster), keep_remote_slots_(settings.keep_remote_slots) {
  if (!settings.has_engine) {
    relation_ = std::make_unique<HolderTree<RankValue>>(settings.page_size);
  } else if (settings.keep_remote_slots) {
    auto tree = std::make_unique<HolderTree<MemberValue>>(settings.page_size);
    cache_ = std::make_unique<TreeCache<MemberValue>>(*tree, settings.tokens_max);
    relation_ = std::move(tree);
  } else {
    auto tree = std::make_unique<HolderTree<OwnSlotsValue>>(settings.page_size);
    cache_ = std::make_unique<TreeCache<OwnSlotsValue>>(*tree, settings.tokens_max);
    relation_ = std::move(tree);
  }
}

Picture::~Picture() = default;

// ---- whose is what -----------------------------------------------------------------------------

HolderIndex Picture::add(NodeId node) {
  const HolderIndex holder = relation_->add_holder();
  shown_.emplace(holder, node);
  return holder;
}

void Picture::drop(HolderIndex holder) {
  shown_.erase(holder);
  relation_->drop_holder(holder);
}

std::optional<NodeId> Picture::node_of(HolderIndex holder) const {
  const auto found = shown_.find(holder);
  return found == shown_.end() ? std::nullopt : std::optional(found->second);
}

const Member* Picture::member_of(HolderIndex holder) const {
  const auto found = shown_.find(holder);
  if (found == shown_.end()) return nullptr;
  const Member* member = roster_.find(found->second);
  if (is_planted(PlantedFault::mask_nothing)) return member;
  return member != nullptr && member->state == MemberState::alive ? member : nullptr;
}

// ---- lookups -----------------------------------------------------------------------------------

const Match& Picture::match(const CacheNamespace& name, std::span<const TokenId> tokens) {
  relation_->match(name, tokens, match_);
  return match_;
}

MatchView Picture::view_of(const Match& match) const {
  MatchView view;
  for (const HolderDepth& each : match.depths) {
    const Member* member = member_of(each.holder);
    if (member == nullptr) continue;
    view.depths[member->addr] = each.tokens;
    view.length = std::max(view.length, each.tokens);
  }
  if (cache_) view.local_length = cache_->local_match(match, &view.local_slots);
  std::vector<HolderIndex> holders;
  for (const PathStep& step : match.path) {
    relation_->shown_at(step.node, holders);
    const Member* winner = nullptr;
    HolderIndex winning{};
    for (HolderIndex holder : holders) {
      const Member* member = member_of(holder);
      if (member != nullptr && (winner == nullptr || member->rank < winner->rank)) {
        winner = member;
        winning = holder;
      }
    }
    if (winner == nullptr) break;
    SlotRuns slots;
    const bool kept = relation_->slots_at(step.node, winning, step.begin, step.end, slots);
    SegmentView* last = view.segments.empty() ? nullptr : &view.segments.back();
    if (last != nullptr && last->addr == winner->addr && last->slots.has_value() == kept) {
      last->end = step.end;
      if (kept) last->slots->append(slots);
    } else {
      view.segments.push_back({step.begin, step.end, winner->addr,
                               kept ? std::optional(std::move(slots)) : std::nullopt});
    }
  }
  return view;
}

TreeView Picture::tree(std::size_t skip, std::size_t limit) {
  TreeView view;
  view.total = relation_->edge_count();
  view.tree_tokens = relation_->token_count();
  for (const EdgeView& edge : relation_->edges(skip, limit)) {
    EdgeRow row{.name = edge.name,
                .begin = edge.begin,
                .end = edge.end,
                .head = head_of(edge.tokens),
                .hash = edge.hash,
                .holders = {},
                .retiring = {},
                .lock_ref = edge.lock_ref};
    const auto add = [this](const std::vector<HolderIndex>& from, std::vector<std::string>& to) {
      for (HolderIndex holder : from) {
        if (const auto node = node_of(holder)) to.push_back(roster_.at(*node).addr);
      }
      std::ranges::sort(to);
    };
    add(edge.holders, row.holders);
    add(edge.retiring, row.retiring);
    view.edges.push_back(std::move(row));
  }
  return view;
}

EntriesView Picture::entries(HolderIndex holder, std::size_t skip, std::size_t limit) {
  EntriesView view;
  view.total = relation_->entry_count(holder);
  view.tree_tokens = relation_->token_count();
  const bool goes_on = skip > 0 && entries_end_.holder == holder && entries_end_.skip == skip;
  entries_end_ = {holder, skip + limit, goes_on ? entries_end_.next : Seq{1}};
  if (goes_on) skip = 0;
  Seq& from = entries_end_.next;
  while (const Entry* entry = relation_->entry_at_or_after(holder, from)) {
    if (view.entries.size() == limit) break;
    from = Seq{entry->seq.value + 1};
    if (skip > 0) {
      --skip;
      continue;
    }
    EntryRow row{entry->seq, relation_->entry_namespace(*entry), entry->begin, entry->end,
                 {},         relation_->entry_hash(*entry)};
    std::vector<TokenId> tokens;
    SlotRuns slots;
    relation_->read_entry(*entry, entry->begin, entry->end, tokens, slots);
    row.head = head_of(tokens);
    view.entries.push_back(std::move(row));
  }
  return view;
}

std::uint64_t Picture::memory_bytes() const {
  return relation_->memory_bytes() + (cache_ ? cache_->memory_bytes() : 0);
}

}  // namespace radixmesh
