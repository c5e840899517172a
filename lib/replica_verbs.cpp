// What clients ask of a replica: the engine's verbs, and what is shown.
#include <algorithm>
#include <limits>

#include "lib/base/limits.h"
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

// The rule that what is to be inserted breaks.
std::optional<Refusal> check_insert(std::size_t tokens, const SlotRuns& slots,
                                    std::uint32_t page_size) {
  if (tokens > limits::request_tokens_max) {
    return Refusal{RefusalCode::send_less,
                   "more than " + std::to_string(limits::request_tokens_max) + " tokens"};
  }
  if (slots.size() < tokens / page_size * page_size || slots.size() > tokens) {
    return Refusal{RefusalCode::fix_request,
                   "slots must be one per token: " + std::to_string(slots.size()) + " for " +
                       std::to_string(tokens) + " tokens"};
  }
  for (const SlotRun& run : slots.runs()) {
    if (run.start.value + run.count < run.start.value) {
      return Refusal{RefusalCode::fix_request, "a run of slots ends past 2^64 - 1"};
    }
  }
  return std::nullopt;
}

// While the former state is being taken back nothing may change it.
std::optional<Refusal> not_back_yet(const Recovery& recovery) {
  if (!recovery.takes_back()) return std::nullopt;
  return Refusal{RefusalCode::retry_later, "what the engine had is on its way back, in a moment"};
}

}  // namespace

// ---- the engine's own cache --------------------------------------------------------------------

Replica::Result<InsertResult> Replica::insert(TimePoint now, const CacheNamespace& name,
                                              std::span<const TokenId> tokens,
                                              const SlotRuns& slots) {
  LocalCache* cache = picture_.cache();
  if (cache == nullptr) return refuse_on_router();
  if (draining()) return refuse_draining();
  if (auto refusal = check_insert(tokens.size(), slots, settings_.page_size)) {
    return tl::unexpected(std::move(*refusal));
  }
  if (auto refusal = not_back_yet(recovery_)) return tl::unexpected(std::move(*refusal));
  // Whoever writes before it is on its way does without it.
  if (!own_.taken_over()) recovery_.begin_empty();
  gc_.keep(name, tokens);
  InsertJournal journal(own_, gc_, last_step_);
  InsertResult result = cache->insert(name, tokens, slots, journal);
  beat(now);
  return result;
}

Replica::Result<Evicted> Replica::evict(TimePoint now, std::uint64_t num_tokens) {
  LocalCache* cache = picture_.cache();
  if (cache == nullptr) return refuse_on_router();
  if (auto refusal = not_back_yet(recovery_)) return tl::unexpected(std::move(*refusal));
  Evicted evicted;
  const bool may_free = gc_.leases().may_free(now);
  if (may_free && !gc_.retirement().is_needed()) {
    evicted.freed = cache->evict(num_tokens, limits::evicted_runs_max, own_);
  } else if (may_free) {
    evicted.freed = gc_.retirement().free(num_tokens);
    evicted.retiring = gc_.retirement().waiting_tokens();
  }
  beat(now);
  return evicted;
}

Replica::Result<SlotRuns> Replica::remove(TimePoint now, const CacheNamespace& name,
                                          std::span<const TokenId> tokens) {
  LocalCache* cache = picture_.cache();
  if (cache == nullptr) return refuse_on_router();
  if (auto refusal = not_back_yet(recovery_)) return tl::unexpected(std::move(*refusal));
  const Anchor last = cache->local_anchor(picture_.match(name, tokens));
  const std::size_t whole = tokens.size() / settings_.page_size * settings_.page_size;
  if (whole > 0 && last.tokens == whole && !cache->is_locked(last)) {
    if (auto refusal = gc_.not_yet(now)) return tl::unexpected(std::move(*refusal));
    if (auto refusal = gc_.objection({last})) {
      beat(now);
      return tl::unexpected(std::move(*refusal));
    }
  }
  auto freed = cache->remove(name, tokens, own_);
  if (!freed) return refuse_removal(freed.error());
  beat(now);
  return std::move(*freed);
}

std::optional<Refusal> Replica::begin_reset(TimePoint now) {
  LocalCache* cache = picture_.cache();
  if (cache == nullptr) return refuse_on_router().value();
  if (auto refusal = not_back_yet(recovery_)) return refusal;
  if (!own_.taken_over()) recovery_.begin_empty();
  if (cache->protected_tokens() == 0) {
    if (auto refusal = gc_.not_yet(now)) return refusal;
    std::vector<Anchor> pages;
    if (gc_.retirement().is_needed()) pages = cache->top_pages();
    if (auto refusal = gc_.objection(std::move(pages))) {
      beat(now);
      return refusal;
    }
  }
  if (const auto kept = cache->begin_reset(own_, true)) return refuse_removal(*kept).value();
  beat(now);
  return std::nullopt;
}

bool Replica::is_resetting() const {
  return picture_.cache() != nullptr && picture_.cache()->is_resetting();
}

SlotRuns Replica::finish_reset() { return picture_.cache()->finish_reset(); }

Replica::Result<SlotRuns> Replica::reset(TimePoint now) {
  if (auto refusal = begin_reset(now)) return tl::unexpected(std::move(*refusal));
  return finish_reset();
}

MatchView Replica::match_prefix(const CacheNamespace& name, std::span<const TokenId> tokens,
                                bool touch) {
  const Match& match = picture_.match(name, tokens);
  if (touch && picture_.cache() != nullptr) picture_.cache()->touch(match);
  return picture_.view_of(match);
}

// ---- leases ------------------------------------------------------------------------------------

Replica::Result<Acquired> Replica::acquire(TimePoint now, const CacheNamespace& name,
                                           std::span<const TokenId> tokens, bool remote,
                                           std::string_view source) {
  LocalCache* cache = picture_.cache();
  if (cache == nullptr) return refuse_on_router();
  if (draining()) return refuse_draining();
  gc_.keep(name, tokens);
  const Match& match = picture_.match(name, tokens);
  Acquired acquired;
  acquired.match = picture_.view_of(match);
  const std::uint32_t local = acquired.match.local_length;
  References& references = gc_.references();
  if (remote) {
    const References::Referred referred = references.refer(now, match, local, source);
    acquired.reference = referred.reference;
    acquired.wait = referred.wait;
    if (acquired.wait) return acquired;
  }
  if (local > 0) {
    acquired.segments.push_back({0, local, roster_.self().addr, acquired.match.local_slots});
  }
  if (auto segment = references.segment_of(match, local, acquired.reference)) {
    acquired.segments.push_back(std::move(*segment));
  }
  if (acquired.match.local_slots.runs().size() + runs_in(acquired.match.segments) +
          runs_in(acquired.segments) >
      limits::answer_runs_max) {
    references.registrations().release(now, acquired.reference);
    return refuse(RefusalCode::send_less, "the match has more than " +
                                              std::to_string(limits::answer_runs_max) +
                                              " runs of slots: acquire fewer tokens");
  }
  cache->note_use(match);
  acquired.path = cache->lock(match);
  return acquired;
}

bool Replica::waits(TimePoint now, const Acquired::Wait& wait) const {
  return gc_.references().waits(now, wait);
}

void Replica::release(TimePoint now, LockedPath path, ReferenceId reference) {
  if (path.node != kNoIndex) {
    picture_.cache()->unlock(path);
    gc_.unlocked();
  }
  gc_.references().release(now, reference);
}

bool Replica::is_valid(TimePoint now, ReferenceId reference) const {
  return gc_.references().is_valid(now, reference);
}

// ---- routing -----------------------------------------------------------------------------------

Replica::Result<RouteView> Replica::route(TimePoint now, const CacheNamespace& name,
                                          std::span<const TokenId> tokens, bool book) {
  if (draining()) return refuse(RefusalCode::use_another_node, "this node is draining");
  return placement_.route(now, {name, tokens}, own_place(), book);
}

Replica::Result<RedirectView> Replica::redirect(TimePoint now, const CacheNamespace& name,
                                                std::span<const TokenId> tokens,
                                                std::span<const std::string> visited) {
  if (roster_.self().role == Role::router) {
    return refuse(RefusalCode::use_another_node,
                  "a router has no work to send on: ask the node that has the request, or `route`");
  }
  return placement_.redirect(now, {name, tokens}, own_place(), visited);
}

ExplainView Replica::explain(TimePoint now, const CacheNamespace& name,
                             std::span<const TokenId> tokens) {
  return placement_.explain(now, {name, tokens}, own_place());
}

void Replica::prefill_done(TimePoint now, std::uint64_t booking,
                           std::optional<std::uint32_t> hit_tokens) {
  placement_.prefill_done(now, booking, hit_tokens);
}

void Replica::finish_booking(TimePoint now, std::uint64_t booking) {
  placement_.finish(now, booking);
}

void Replica::report_load(TimePoint now, const Load& load) {
  placement_.report_load(now, load);
  mesh_.heads.note_load(*placement_.own_load());
  beat(now);
}

// ---- members, and this node's own life ---------------------------------------------------------

Replica::Result<MemberRemoved> Replica::member_remove(TimePoint now, std::string_view addr) {
  if (auto refusal = mesh_.membership.remove(now, addr)) {
    return tl::unexpected(std::move(*refusal));
  }
  const TimePoint refers = gc_.refers_until(roster_.id_of(addr));
  return MemberRemoved{std::string(addr), std::max(refers, now) - now};
}

void Replica::drain(TimePoint now) {
  if (draining()) return;
  Member& self = roster_.self();
  leave_at_ = now + settings_.timers.drain_wait;
  mesh_.look.by(now);
  out_.log(LogLine::Level::info, "draining", "node=" + self.addr);
  mesh_.liveness.set_state(now, self, MemberState::left);
  mesh_.news.spread(now, self);
  publish_head(now);
  // Straight as well: who is not subscribed, or misses the HEAD, need not find out by silence.
  for (const auto& [id, member] : roster_.all()) {
    if (roster_.is_self(member) || !member.introduced) continue;
    post_.ask(id, Channel::control, NewsMessage{{news_of(self)}, false});
  }
}

void Replica::attach_engine(TimePoint now, std::string_view engine_token, KnownState known) {
  LocalCache* cache = picture_.cache();
  if (engine_token.empty() || cache == nullptr) return;
  Member& self = roster_.self();
  if (self.engine_token == engine_token) return recovery_.note_known(known);
  if (recovery_.takes_back()) return;  // see the header
  const bool had_engine = !self.engine_token.empty();
  self.engine_token = engine_token;
  // What the earlier one was to free is not this one's; but others may not know of it yet.
  if (had_engine) gc_.replace_engine(now);
  pace_.by(now);
  out_.log(LogLine::Level::info, "engine_attached", "node=" + self.addr);
  if (!own_.taken_over() && own_.head().value == 0) return recovery_.begin(now, known);
  // Another engine than before: what the earlier one had is not its. Its memory is gone, whoever
  // wanted to read it or counted on its copies.
  if (!had_engine || cache->total_tokens() == 0) return;
  out_.count("engines_replaced");
  gc_.let_go_of_all();
  if (cache->begin_reset(own_, false)) {
    (void)cache->evict(cache->total_tokens(), std::numeric_limits<std::size_t>::max(), own_);
  }
}

// ---- collecting duplicates ---------------------------------------------------------------------

void Replica::set_engine_frees(TimePoint now, bool frees, bool takes_advice) {
  const bool kept = gc_.engine().keeps_duplicates();
  gc_.set_engine_frees(now, frees, takes_advice);
  if (gc_.engine().keeps_duplicates() != kept) pace_.by(now);
}

Replica::Result<GcView> Replica::gc(TimePoint now, bool run) {
  if (picture_.cache() == nullptr) {
    return refuse(RefusalCode::use_another_node,
                  "a router holds nothing: ask a node with an engine");
  }
  if (auto refusal = not_back_yet(recovery_)) return tl::unexpected(std::move(*refusal));
  return gc_.view(now, run, conditions());
}

// ---- what is shown -----------------------------------------------------------------------------

StatusView Replica::status() {
  const Member& self = roster_.self();
  const Relation& relation = picture_.relation();
  const RingCheck& ring = mesh_.ring.check();
  StatusView view;
  view.addr = self.addr;
  view.cluster = settings_.cluster;
  view.founder = self.founder;
  view.rank = self.rank;
  view.role = self.role;
  view.epoch = self.epoch;
  view.ready = ready();
  view.caught_up = mesh_.readiness.caught_up();
  const Sight seen = mesh_.readiness.sight(last_step_);
  view.sees = seen.sees;
  view.sees_of = seen.of;
  view.why_not_ready = mesh_.readiness.why_not(last_step_);
  view.page_size = settings_.page_size;
  view.topology = topology_name(roster_.topology());
  view.health = mesh_.liveness.health();
  view.isolated = mesh_.liveness.isolated();
  view.draining = draining();
  view.ring = {ring.verified(), {}, ring.round_trip()};
  for (NodeId id : ring.open_at()) {
    if (const Member* member = roster_.find(id)) view.ring.open_at.push_back(member->addr);
  }
  view.policy = policy_name(settings_.routing.policy);
  view.routing = placement_.view(last_step_);
  view.gc = gc_.counts(last_step_);
  if (const LocalCache* cache = picture_.cache()) {
    view.local_tokens = cache->total_tokens();
    view.evictable_tokens = cache->evictable_tokens();
    view.protected_tokens = cache->protected_tokens();
  }
  view.tree_tokens = relation.token_count();
  view.vector[self.addr] = VectorView{self.epoch, own_.head(), mesh_.heads.own_digest()};
  for (const auto& [id, origin] : streams_.all()) {
    const std::string& addr = roster_.at(id).addr;
    view.vector[addr] = VectorView{origin.stream.epoch(), origin.stream.applied(),
                                   picture_.relation().digest(origin.holder)};
    view.lag[addr] = origin.lag(last_step_);
  }
  view.ops_applied = own_.published() + streams_.applied();
  view.memory_bytes = picture_.memory_bytes() + donor_.memory_bytes();
  view.counters = out_.counters();
  const RingCheck::Counts& ticks = ring.counts();
  view.counters["ticks_started"] = ticks.started;
  view.counters["ticks_completed"] = ticks.completed;
  view.counters["ticks_expired"] = ticks.expired;
  view.counters["ticks_skipped"] = ticks.skipped;
  return view;
}

std::vector<NodeView> Replica::nodes(TimePoint now) const {
  std::vector<NodeView> out;
  for (NodeId id : roster_.by_rank()) {
    const Member& member = roster_.at(id);
    NodeView view;
    view.addr = member.addr;
    view.rank = member.rank;
    view.role = member.role;
    view.epoch = member.epoch;
    view.state = member.state;
    view.unseen = member.shown_state() == "unseen";
    view.load = placement_.load_of(id);
    view.refute = member.refute;
    view.work = placement_.work_of(id);
    if (roster_.is_self(member)) {
      view.applied = view.head = own_.head();
      view.silent = Duration{0};
      view.tokens = picture_.relation().tokens_of(kSelf);
      view.ready = ready();
      view.standing = mesh_.heads.standing(now, own_standing(now));
      view.trouble = mesh_.readiness.why_not(now);
    } else {
      const Origin& origin = streams_.at(id);
      view.applied = origin.stream.applied();
      view.head = std::max(origin.head, view.applied);
      const TimePoint heard = mesh_.liveness.last_heard(id);
      if (heard != TimePoint::min()) view.silent = now - heard;
      view.refusal = mesh_.greetings.refusal(id);
      view.lag = origin.lag(last_step_);
      view.tokens = picture_.relation().tokens_of(origin.holder);
      view.ready = placement_.is_ready(id);
      view.standing = mesh_.heads.standing_of(id);
      view.trouble = mesh_.readiness.trouble_with(now, member);
    }
    out.push_back(std::move(view));
  }
  return out;
}

TreeView Replica::tree(std::size_t skip, std::size_t limit) { return picture_.tree(skip, limit); }

Replica::Result<EntriesView> Replica::entries(std::string_view holder_addr, std::size_t skip,
                                              std::size_t limit) {
  const Member* member = roster_.find(roster_.id_of(holder_addr));
  if (member == nullptr) {
    return refuse(RefusalCode::fix_request,
                  "no member has the address " + std::string(holder_addr));
  }
  const bool is_own = roster_.is_self(*member);
  return picture_.entries(is_own ? kSelf : streams_.at(member->id).holder, skip, limit);
}

}  // namespace radixmesh
