// The engine's verbs, and how each own change becomes an op.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/base/planted.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

tl::unexpected<Refusal> refuse(RefusalCode code, std::string message) {
  return tl::unexpected(Refusal{code, std::move(message)});
}

tl::unexpected<Refusal> refuse_on_router() {
  return refuse(RefusalCode::use_another_node,
                "a router holds nothing: call this at a prefill, decode or unified node");
}

tl::unexpected<Refusal> refuse_draining() {
  return refuse(RefusalCode::use_another_node, "this node is draining: it takes no new work");
}

tl::unexpected<Refusal> refuse_removal(LocalCache::Kept why) {
  if (why == LocalCache::Kept::locked) {
    return refuse(RefusalCode::retry_later, "a page that would go is locked: release it first");
  }
  return refuse(RefusalCode::send_less, "more than " + std::to_string(limits::answer_runs_max) +
                                            " runs of slots, or " +
                                            std::to_string(limits::removed_edges_max) +
                                            " edges, would go: evict some first");
}

std::size_t runs_in(const std::vector<SegmentView>& segments) {
  std::size_t runs = 0;
  for (const SegmentView& segment : segments) {
    runs += segment.slots ? segment.slots->runs().size() : 0;
  }
  return runs;
}

}  // namespace

// ---- the journal: own changes are numbered, logged, then published -----------------------------

void Replica::publish_own(Body body, MessageType type, std::uint64_t tokens) {
  ++head_.value;
  const Message message{Envelope{static_cast<std::uint8_t>(type), self_->id, self_->epoch, head_,
                                 initial_ttl(settings_.topology, members_.size())},
                        std::move(body)};
  Bytes frame = encode(message);
  out_.count("op_bytes_published", frame.size());
  out_.count("op_tokens_inserted", type == MessageType::insert ? tokens : 0);
  op_log_.append(self_->id, self_->epoch, head_, frame);
  out_.owe(Publish{Lane::ops, std::move(frame)});
  out_.owe(OpApplied{self_->addr, self_->epoch, head_, type, tokens});
  ++ops_applied_;
  dirty_ = true;
}

Journal::Inserted Replica::record_insert(Anchor anchor, const CacheNamespace& name,
                                         std::span<const TokenId> tokens, const SlotRuns& slots) {
  const std::uint32_t share = insert_share(tokens, slots, settings_.page_size);
  InsertOp op;
  op.anchor = anchor;
  if (anchor.is_root()) op.name = name;
  op.tokens.assign(tokens.begin(), tokens.begin() + share);
  op.slots = slots.part(0, share);
  publish_own(std::move(op), MessageType::insert, share);
  return {head_, share};
}

void Replica::record_delete(std::span<const Anchor> first_pages) {
  DeleteOp op{{first_pages.begin(), first_pages.end()}};
  donor_.removed(self_->id, first_pages);
  publish_own(std::move(op), MessageType::remove, 0);
}

void Replica::record_reset() {
  donor_.replaced(self_->id);
  publish_own(ResetOp{}, MessageType::reset, 0);
}

// While the former state is being taken back nothing may change it.
std::optional<Refusal> Replica::not_back_yet() const {
  if (!takes_back()) return std::nullopt;
  return Refusal{RefusalCode::retry_later, "what the engine had is on its way back, in a moment"};
}

// ---- the verbs ---------------------------------------------------------------------------------

Replica::Result<InsertResult> Replica::insert(TimePoint now, const CacheNamespace& name,
                                              std::span<const TokenId> tokens,
                                              const SlotRuns& slots) {
  if (!cache_) return refuse_on_router();
  if (draining()) return refuse_draining();
  if (tokens.size() > limits::request_tokens_max) {
    return refuse(RefusalCode::send_less,
                  "more than " + std::to_string(limits::request_tokens_max) + " tokens");
  }
  const std::size_t whole = tokens.size() / settings_.page_size * settings_.page_size;
  if (slots.size() < whole || slots.size() > tokens.size()) {
    return refuse(RefusalCode::fix_request,
                  "slots must be one per token: " + std::to_string(slots.size()) + " for " +
                      std::to_string(tokens.size()) + " tokens");
  }
  for (const SlotRun& run : slots.runs()) {
    if (run.start.value + run.count < run.start.value) {
      return refuse(RefusalCode::fix_request, "a run of slots ends past 2^64 - 1");
    }
  }
  if (auto refusal = not_back_yet()) return tl::unexpected(std::move(*refusal));
  if (!taken_over_) begin_empty();  // whoever writes before it is on its way does without it
  keep_own_pages(name, tokens);
  InsertResult result = cache_->insert(name, tokens, slots, *this);
  beat(now);
  return result;
}

Replica::Result<Evicted> Replica::evict(TimePoint now, std::uint64_t num_tokens) {
  if (!cache_) return refuse_on_router();
  if (auto refusal = not_back_yet()) return tl::unexpected(std::move(*refusal));
  Evicted evicted;
  if (may_free(now) && !readers_must_agree()) {
    evicted.freed = cache_->evict(num_tokens, limits::evicted_runs_max, *this);
  } else if (may_free(now)) {
    evicted.freed = free_retired(num_tokens);
    evicted.retiring = waiting_to_go();
  }
  beat(now);
  return evicted;
}

Replica::Result<SlotRuns> Replica::remove(TimePoint now, const CacheNamespace& name,
                                          std::span<const TokenId> tokens) {
  if (!cache_) return refuse_on_router();
  if (auto refusal = not_back_yet()) return tl::unexpected(std::move(*refusal));
  relation_->match(name, tokens, match_);
  const Anchor last = cache_->local_anchor(match_);
  const std::size_t whole = tokens.size() / settings_.page_size * settings_.page_size;
  if (whole > 0 && last.tokens == whole && !cache_->is_locked(last)) {
    if (auto refusal = objection_to_removal(now, {last})) return tl::unexpected(*refusal);
  }
  auto freed = cache_->remove(name, tokens, *this);
  if (!freed) return refuse_removal(freed.error());
  beat(now);
  return std::move(*freed);
}

std::optional<Refusal> Replica::begin_reset(TimePoint now) {
  if (!cache_) return refuse_on_router().value();
  if (auto refusal = not_back_yet()) return refusal;
  if (!taken_over_) begin_empty();
  if (cache_->protected_tokens() == 0) {
    const bool asks = may_free(now) && readers_must_agree();
    std::vector<Anchor> pages;
    if (asks) pages = cache_->top_pages();
    if (auto refusal = objection_to_removal(now, std::move(pages))) return refusal;
  }
  if (const auto kept = cache_->begin_reset(*this, true)) return refuse_removal(*kept).value();
  beat(now);
  return std::nullopt;
}

Replica::Result<SlotRuns> Replica::reset(TimePoint now) {
  if (auto refusal = begin_reset(now)) return tl::unexpected(std::move(*refusal));
  return finish_reset();
}

MatchView Replica::match_prefix(const CacheNamespace& name, std::span<const TokenId> tokens,
                                bool touch) {
  relation_->match(name, tokens, match_);
  if (touch && cache_) cache_->touch(match_);
  return view_of(match_);
}

Replica::Result<Acquired> Replica::acquire(TimePoint now, const CacheNamespace& name,
                                           std::span<const TokenId> tokens, bool remote,
                                           std::string_view source) {
  if (!cache_) return refuse_on_router();
  if (draining()) return refuse_draining();
  keep_own_pages(name, tokens);
  relation_->match(name, tokens, match_);
  Acquired acquired;
  acquired.match = view_of(match_);
  if (remote && (acquired.wait = refer(now, match_, source, acquired))) return acquired;
  acquired.segments = segments_of(match_, acquired);
  if (acquired.match.local_slots.runs().size() + runs_in(acquired.match.segments) +
          runs_in(acquired.segments) >
      limits::answer_runs_max) {
    registrations_.release(now, acquired.reference);
    return refuse(RefusalCode::send_less, "the match has more than " +
                                              std::to_string(limits::answer_runs_max) +
                                              " runs of slots: acquire fewer tokens");
  }
  cache_->note_use(match_);
  acquired.path = cache_->lock(match_);
  return acquired;
}

void Replica::release(TimePoint now, LockedPath path, ReferenceId reference) {
  if (path.node != kNoIndex) {
    cache_->unlock(path);
    collection_.changed = true;
  }
  if (reference == 0) return;
  if (const auto referred = registrations_.find(reference)) {
    const Origin* origin = find_origin(referred->owner);
    if (origin != nullptr && relation_->retiring_tokens(origin->holder) > 0) {
      registrations_.tell_soon(referred->owner);
    }
  }
  registrations_.release(now, reference);
}

// ---- what a lookup may show --------------------------------------------------------------------

// The live member behind a holder; null for one that is silent, and for a snapshot coming in.
const Member* Replica::holder_member(HolderIndex holder) const {
  auto found = holders_.find(holder);
  if (found == holders_.end()) return nullptr;
  const Member* member = find_member(found->second);
  if (is_planted(PlantedFault::mask_nothing)) return member;
  return member != nullptr && member->state == MemberState::alive ? member : nullptr;
}

MatchView Replica::view_of(const Match& match) const {
  MatchView view;
  for (const HolderDepth& each : match.depths) {
    const Member* member = holder_member(each.holder);
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
      const Member* member = holder_member(holder);
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

}  // namespace radixmesh
