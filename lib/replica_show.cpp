// What is shown of a replica: status, nodes, tree.
#include <algorithm>

#include "lib/replica.h"

namespace radixmesh {
namespace {

constexpr std::size_t kHeadTokens = 8;  // of an edge or entry: enough to recognise it

std::vector<TokenId> head_of(std::span<const TokenId> tokens) {
  const auto head = tokens.first(std::min(tokens.size(), kHeadTokens));
  return {head.begin(), head.end()};
}

}  // namespace

StatusView Replica::status() {
  StatusView view;
  view.addr = self_->addr;
  view.cluster = settings_.cluster;
  view.founder = founder_;
  view.rank = self_->rank;
  view.role = self_->role;
  view.epoch = self_->epoch;
  view.ready = ready_;
  view.caught_up = caught_up_;
  const Sight seen = sight(last_step_);
  view.sees = seen.sees;
  view.sees_of = seen.of;
  view.why_not_ready = why_not_ready(last_step_);
  view.page_size = settings_.page_size;
  view.topology = topology_name(effective(settings_.topology, view_.members));
  view.health = health_.score();
  view.isolated = isolated_;
  view.draining = draining();
  view.ring = {ring_.verified(), {}, ring_.round_trip()};
  for (NodeId id : ring_.open_at()) {
    if (const Member* member = find_member(id)) view.ring.open_at.push_back(member->addr);
  }
  view.policy = policy_name(settings_.routing.policy);
  view.routing = routing(last_step_);
  view.gc = gc_counts(last_step_);
  if (cache_) {
    view.local_tokens = cache_->total_tokens();
    view.evictable_tokens = cache_->evictable_tokens();
    view.protected_tokens = cache_->protected_tokens();
  }
  view.tree_tokens = relation_->token_count();
  view.vector[self_->addr] = VectorView{self_->epoch, head_, own_digest()};
  for (const auto& [id, origin] : origins_) {
    view.vector[members_.at(id).addr] = VectorView{origin.stream.epoch(), origin.stream.applied(),
                                                   relation_->digest(origin.holder)};
    view.lag[members_.at(id).addr] = origin.lag(last_step_);
  }
  view.ops_applied = ops_applied_;
  view.memory_bytes = relation_->memory_bytes() + op_log_.memory_bytes();
  if (cache_) view.memory_bytes += cache_->memory_bytes();
  view.counters = out_.counters();
  const RingCheck::Counts& ticks = ring_.counts();
  view.counters["ticks_started"] = ticks.started;
  view.counters["ticks_completed"] = ticks.completed;
  view.counters["ticks_expired"] = ticks.expired;
  view.counters["ticks_skipped"] = ticks.skipped;
  return view;
}

std::vector<NodeView> Replica::nodes(TimePoint now) const {
  std::vector<NodeView> out;
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    NodeView view{.addr = member.addr,
                  .rank = member.rank,
                  .role = member.role,
                  .epoch = member.epoch,
                  .state = member.state,
                  .unseen = member.shown_state() == "unseen",
                  .applied = head_,
                  .head = head_,
                  .silent = Duration{0},
                  .load = member.load,
                  .refusal = member.refusal,
                  .refute = member.refute,
                  .lag = {},
                  .work = work_of(id),
                  .tokens = relation_->tokens_of(id == self_->id ? kSelf : origins_.at(id).holder),
                  .ready = id == self_->id ? ready_ : member.ready,
                  .standing = id == self_->id ? how_it_stands(now) : member.standing,
                  .trouble = id == self_->id ? why_not_ready(now) : trouble_with(now, member)};
    if (id != self_->id) {
      const Origin& origin = origins_.at(id);
      view.applied = origin.stream.applied();
      view.head = std::max(origin.head, view.applied);
      view.lag = origin.lag(last_step_);
      view.silent.reset();
      if (member.last_heard != TimePoint::min()) view.silent = now - member.last_heard;
    }
    out.push_back(std::move(view));
  }
  return out;
}

TreeView Replica::tree(std::size_t skip, std::size_t limit) {
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
        const auto found = holders_.find(holder);
        if (found != holders_.end()) to.push_back(members_.at(found->second).addr);
      }
      std::ranges::sort(to);
    };
    add(edge.holders, row.holders);
    add(edge.retiring, row.retiring);
    view.edges.push_back(std::move(row));
  }
  return view;
}

Replica::Result<EntriesView> Replica::entries(std::string_view holder_addr, std::size_t skip,
                                              std::size_t limit) {
  const Member* member = find_member(node_id(settings_.cluster, holder_addr));
  if (member == nullptr) {
    return tl::unexpected(
        Refusal{RefusalCode::fix_request, "no member has the address " + std::string(holder_addr)});
  }
  const HolderIndex holder = member->id == self_->id ? kSelf : origins_.at(member->id).holder;
  EntriesView view;
  view.total = relation_->entry_count(holder);
  view.tree_tokens = relation_->token_count();
  // Page after page costs what is shown.
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

}  // namespace radixmesh
