// Where a prompt should run: what this node knows goes to its Router, whose promises are published.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// Between two publications of changed bookings; in a large mesh in proportion to what they name.
constexpr Duration kBookingsPause = std::chrono::milliseconds(20);
// While anything is promised it is told again, for who missed it.
constexpr Duration kBookingsRepeat = std::chrono::seconds(1);
// A load is told at once where it differs from what was told by so much; else with the next HEAD.
constexpr double kLoadDiffers = 0.2;
constexpr std::uint64_t kLoadTokensMin = 1000;
constexpr std::uint32_t kLoadRequestsMin = 2;

template <class Number>
bool differs(Number now, Number told, Number least) {
  const Number gap = now > told ? now - told : told - now;
  return gap >= least && static_cast<double>(gap) >= kLoadDiffers * static_cast<double>(told);
}

bool differs_much(const Load& now, const Load& told) {
  return differs(now.waiting, told.waiting, kLoadRequestsMin) ||
         differs(now.running, told.running, kLoadRequestsMin) ||
         differs(now.queued_tokens.value_or(0), told.queued_tokens.value_or(0), kLoadTokensMin) ||
         differs(now.kv_used, told.kv_used, kLoadTokensMin) ||
         now.prefill_rate != told.prefill_rate;
}

tl::unexpected<Refusal> refuse(RefusalCode code, std::string message) {
  return tl::unexpected(Refusal{code, std::move(message)});
}

using Members = std::map<NodeId, Member>;

std::optional<TargetView> target(const Members& members, const Routed& routed,
                                 std::optional<std::size_t> at) {
  if (!at) return std::nullopt;
  const RouteCandidate& candidate = routed.candidates[*at];
  return TargetView{members.at(candidate.id).addr, candidate.rank, candidate.depth};
}

std::optional<SourceView> source(const Members& members, const Routed& routed,
                                 std::optional<std::size_t> reader) {
  const auto pull = routed.pull(reader);
  if (!pull) return std::nullopt;
  const RouteCandidate& from = routed.candidates[pull->source];
  return SourceView{members.at(from.id).addr, from.indexed, pull->tokens};
}

}  // namespace

// ---- who may be chosen -------------------------------------------------------------------------

// Why this member gets no work now; empty if it may.
std::string_view Replica::unfit(const Member& member) const {
  if (member.role == Role::router) return "router";
  if (member.id == self_->id) return draining() ? "draining" : ready_ ? "" : "not_ready";
  if (member.state != MemberState::alive) return member.shown_state();
  return member.ready ? "" : "not_ready";
}

std::vector<RouteNode> Replica::route_nodes(TimePoint now, const CacheNamespace& name,
                                            std::span<const TokenId> tokens) {
  relation_->match(name, tokens, match_);
  std::map<NodeId, std::uint32_t> depths;
  for (const HolderDepth& each : match_.depths) {
    const auto holder = holders_.find(each.holder);
    if (holder != holders_.end()) depths[holder->second] = each.tokens;
  }
  std::vector<RouteNode> nodes;
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    if (!unfit(member).empty()) continue;
    const auto depth = depths.find(id);
    nodes.push_back({id, member.rank, member.role, depth == depths.end() ? 0 : depth->second,
                     id == self_->id ? keeps_duplicates() : member.keeps_duplicates,
                     static_cast<double>(member.pull_rate)});
  }
  router_.note_pull_rates(now, nodes);
  return nodes;
}

// ---- verbs -------------------------------------------------------------------------------------

Replica::Result<RouteView> Replica::route(TimePoint now, const CacheNamespace& name,
                                          std::span<const TokenId> tokens, bool book) {
  if (draining()) return refuse(RefusalCode::use_another_node, "this node is draining");
  const Routed routed = router_.route(now, {name, tokens}, route_nodes(now, name, tokens), book);
  if (routed.booking) tell_bookings(now);
  return RouteView{target(members_, routed, routed.choice.prefill),
                   target(members_, routed, routed.choice.decode),
                   source(members_, routed, routed.choice.prefill),
                   reason_name(routed.choice.reason),
                   routed.booking ? std::optional(routed.booking->value) : std::nullopt};
}

Replica::Result<RedirectView> Replica::redirect(TimePoint now, const CacheNamespace& name,
                                                std::span<const TokenId> tokens,
                                                std::span<const std::string> visited) {
  if (self_->role == Role::router) {
    return refuse(RefusalCode::use_another_node,
                  "a router has no work to send on: ask the node that has the request, or `route`");
  }
  std::vector<NodeId> before;
  for (const std::string& addr : visited) before.push_back(node_id(settings_.cluster, addr));
  const Redirected redirected = router_.redirect(
      now, {name, tokens}, route_nodes(now, name, tokens), self_->id, self_->role, before);
  // What decodes has its KV from where it was computed.
  const auto computes = self_->role == Role::decode ? std::nullopt : redirected.to;
  return RedirectView{target(members_, redirected.seen, redirected.to),
                      source(members_, redirected.seen, computes), reason_name(redirected.reason)};
}

void Replica::prefill_done(TimePoint now, std::uint64_t booking,
                           std::optional<std::uint32_t> hit_tokens) {
  if (!router_.prefill_done(now, BookingId{booking}, hit_tokens)) out_.count("bookings_unknown");
  tell_bookings(now);
}

void Replica::finish_booking(TimePoint now, std::uint64_t booking) {
  if (!router_.finish(now, BookingId{booking})) out_.count("bookings_unknown");
  tell_bookings(now);
}

void Replica::report_load(TimePoint now, const Load& load) {
  const bool at_once = !told_load_ || differs_much(load, *told_load_);
  self_->load = load;
  self_->load->report = ++load_reports_;
  router_.report_load(now, self_->id, load);
  if (at_once) {
    next_head_ = std::min(next_head_, last_head_ + kBookingsPause);
    dirty_ = true;
  }
  beat(now);
}

// ---- what the mesh is told, and tells ----------------------------------------------------------

// HEADs and heartbeats repeat it until there is another.
void Replica::note_load(TimePoint now, Member& member, const std::optional<Load>& load) {
  const bool is_new = load && (!member.load || member.load->report != load->report);
  member.load = load;
  if (is_new) router_.report_load(now, member.id, *load);
}

// Soon, and not with every change.
void Replica::tell_bookings(TimePoint now) {
  if (router_.promises_version() == told_bookings_ && !router_.has_chunk_news()) return;
  next_bookings_ = std::min(next_bookings_, now + kBookingsPause);
}

void Replica::publish_bookings(TimePoint now) {
  router_.expire(now);
  tell_bookings(now);
  if (now < std::max(next_bookings_, bookings_free_)) return;
  BookingsMessage message;
  told_bookings_ = router_.promises_version();
  message.version = ++bookings_beat_;
  bool any = false;
  for (const auto& [node, promise] : router_.promises()) {
    if (!members_.contains(node)) continue;
    message.promises.emplace_back(node, promise);
    any = any || !promise.is_zero();
  }
  message.chunks = router_.take_chunk_news(limits::booked_chunks_per_message_max);
  const auto size = static_cast<int>(message.promises.size() / limits::mesh_members_max);
  bookings_free_ = now + (1 + size) * kBookingsPause;
  next_bookings_ = any ? now + kBookingsRepeat : kNever;
  if (router_.has_chunk_news()) next_bookings_ = bookings_free_;
  out_.owe(Publish{Lane::control, encode(control(std::move(message)))});
}

void Replica::on_bookings(TimePoint now, const Envelope& envelope, const BookingsMessage& bookings,
                          std::string_view frame) {
  const Member* member = find_member(envelope.origin);
  if (member == nullptr || member->id == self_->id || envelope.epoch != member->epoch) {
    return out_.count("misplaced_messages");
  }
  // Who names strangers is not believed so far: what is kept is bounded by the members.
  std::vector<Router::PromiseRow> rows;
  for (const Router::PromiseRow& row : bookings.promises) {
    if (members_.contains(row.first)) rows.push_back(row);
  }
  std::vector<BookedChunks> chunks;
  for (const BookedChunks& each : bookings.chunks) {
    if (members_.contains(each.first)) chunks.push_back(each);
  }
  if (router_.note_promises(now, member->id, envelope.epoch, bookings.version, rows, chunks)) {
    relay(now, envelope, frame);
  }
}

// ---- what is shown -----------------------------------------------------------------------------

ExplainView Replica::explain(TimePoint now, const CacheNamespace& name,
                             std::span<const TokenId> tokens) {
  const Routed routed = router_.look(now, {name, tokens}, route_nodes(now, name, tokens));
  ExplainView view;
  view.tokens = routed.tokens;
  view.policy = policy_name(settings_.routing.policy);
  view.reason = reason_name(routed.choice.reason);
  view.near_equals = routed.choice.near_equals;
  view.prefill = target(members_, routed, routed.choice.prefill);
  view.decode = target(members_, routed, routed.choice.decode);
  view.source = source(members_, routed, routed.choice.prefill);
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    if (member.role == Role::router) continue;
    CandidateView row;
    row.addr = member.addr;
    row.rank = member.rank;
    row.role = member.role;
    row.excluded = unfit(member);
    row.load = member.load;
    row.work = work_of(id);
    const auto at = std::ranges::find(routed.candidates, id, &RouteCandidate::id);
    if (at != routed.candidates.end()) {
      const auto index = static_cast<std::size_t>(at - routed.candidates.begin());
      row.depth = at->depth;
      row.indexed_depth = at->indexed;
      row.queued_tokens = at->queued_tokens;
      row.requests = at->requests;
      row.decode_tokens = at->decode_tokens;
      row.busy = at->busy;
      if (at->tells_kv()) row.kv_free = at->kv_free();
      row.pull_in_tokens = at->pull_in_tokens;
      row.pull_out_tokens = at->pull_out_tokens;
      row.source = source(members_, routed, index);
      row.terms = routed.terms[index];
      row.is_prefill = routed.choice.prefill == index;
      row.is_decode = routed.choice.decode == index;
    }
    view.candidates.push_back(std::move(row));
  }
  return view;
}

WorkView Replica::work_of(NodeId node) const {
  const KnownRate rate = router_.rate(node);
  WorkView view{
      rate.tokens_per_second, source_name(rate.source), members_.at(node).pull_rate, {}, {}};
  if (const Traffic* traffic = router_.traffic(node)) {
    view.booked = traffic->promised();
    view.hits = traffic->hits;
  }
  return view;
}

RoutingView Replica::routing(TimePoint now) const {
  RoutingView view;
  for (std::size_t i = 0; i < kRouteReasons; ++i) {
    const auto reason = static_cast<RouteReason>(i);
    view.routed[std::string(reason_name(reason))] = router_.routed(reason);
  }
  view.bookings = router_.bookings();
  view.bookings_expired = router_.bookings_expired();
  view.speculative_chunks = router_.speculative_chunks();
  view.warming_up = router_.warming_up(now);
  return view;
}

}  // namespace radixmesh
