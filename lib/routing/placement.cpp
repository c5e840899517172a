#include "lib/routing/placement.h"

#include <algorithm>

#include "lib/base/limits.h"

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

}  // namespace

Placement::Placement(const RoutingSettings& settings, const Roster& roster, Picture& picture,
                     Post& post, Outbox& out, HeadPace& pace, Epoch life, std::uint64_t seed,
                     TimePoint now)
    : settings_(settings),
      roster_(roster),
      picture_(picture),
      post_(post),
      out_(out),
      pace_(pace),
      router_(settings, picture.page_size(), life, seed, now) {}

// ---- who may be chosen -------------------------------------------------------------------------

const Placement::Said* Placement::said_by(NodeId member) const {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : &found->second;
}

std::uint64_t Placement::pull_rate_of(NodeId member) const {
  if (member == roster_.self().id) return settings_.pull_rate;
  const Said* said = said_by(member);
  return said != nullptr ? said->pull_rate : 0;
}

std::string_view Placement::unfit(const Member& member, const Said* said, const Self& self) const {
  if (member.role == Role::router) return "router";
  if (roster_.is_self(member)) return self.unfit;
  if (member.state != MemberState::alive) return member.shown_state();
  return said != nullptr && said->ready ? "" : "not_ready";
}

std::vector<RouteNode> Placement::nodes_for(TimePoint now, const RouteQuery& query,
                                            const Self& self) {
  std::map<NodeId, std::uint32_t> depths;
  for (const HolderDepth& each : picture_.match(query.name, query.tokens).depths) {
    if (const auto node = picture_.node_of(each.holder)) depths[*node] = each.tokens;
  }
  std::vector<RouteNode> nodes;
  for (NodeId id : roster_.by_rank()) {
    const Member& member = roster_.at(id);
    const Said* said = said_by(id);
    if (!unfit(member, said, self).empty()) continue;
    const auto depth = depths.find(id);
    const bool is_self = roster_.is_self(member);
    const std::uint64_t told_rate = said != nullptr ? said->pull_rate : 0;
    nodes.push_back({id, member.rank, member.role, depth == depths.end() ? 0 : depth->second,
                     is_self ? self.keeps_duplicates : said != nullptr && said->keeps_duplicates,
                     static_cast<double>(is_self ? settings_.pull_rate : told_rate)});
  }
  router_.note_pull_rates(now, nodes);
  return nodes;
}

std::optional<TargetView> Placement::target(const Routed& routed,
                                            std::optional<std::size_t> at) const {
  if (!at) return std::nullopt;
  const RouteCandidate& candidate = routed.candidates[*at];
  return TargetView{roster_.at(candidate.id).addr, candidate.rank, candidate.depth};
}

std::optional<SourceView> Placement::source(const Routed& routed,
                                            std::optional<std::size_t> reader) const {
  const auto pull = routed.pull(reader);
  if (!pull) return std::nullopt;
  const RouteCandidate& from = routed.candidates[pull->source];
  return SourceView{roster_.at(from.id).addr, from.indexed, pull->tokens};
}

// ---- choices -----------------------------------------------------------------------------------

RouteView Placement::route(TimePoint now, const RouteQuery& query, const Self& self, bool book) {
  const Routed routed = router_.route(now, query, nodes_for(now, query, self), book);
  if (routed.booking) tell_bookings(now);
  return RouteView{target(routed, routed.choice.prefill), target(routed, routed.choice.decode),
                   source(routed, routed.choice.prefill), reason_name(routed.choice.reason),
                   routed.booking ? std::optional(routed.booking->value) : std::nullopt};
}

RedirectView Placement::redirect(TimePoint now, const RouteQuery& query, const Self& self,
                                 std::span<const std::string> visited) {
  const Member& here = roster_.self();
  std::vector<NodeId> before;
  for (const std::string& addr : visited) before.push_back(roster_.id_of(addr));
  const Redirected redirected =
      router_.redirect(now, query, nodes_for(now, query, self), here.id, here.role, before);
  // What decodes has its KV from where it was computed.
  const auto computes = here.role == Role::decode ? std::nullopt : redirected.to;
  return RedirectView{target(redirected.seen, redirected.to), source(redirected.seen, computes),
                      reason_name(redirected.reason)};
}

void Placement::prefill_done(TimePoint now, std::uint64_t booking,
                             std::optional<std::uint32_t> hit_tokens) {
  if (!router_.prefill_done(now, BookingId{booking}, hit_tokens)) out_.count("bookings_unknown");
  tell_bookings(now);
}

void Placement::finish(TimePoint now, std::uint64_t booking) {
  if (!router_.finish(now, BookingId{booking})) out_.count("bookings_unknown");
  tell_bookings(now);
}

// ---- what members say --------------------------------------------------------------------------

void Placement::note_welcome(NodeId member, bool ready, std::uint64_t pull_rate) {
  Said& said = members_[member];
  said.ready = ready;
  said.pull_rate = pull_rate;
}

void Placement::note_head(NodeId member, bool ready, bool keeps_duplicates) {
  Said& said = members_[member];
  said.ready = ready;
  said.keeps_duplicates = keeps_duplicates;
}

void Placement::note_load(TimePoint now, NodeId member, const std::optional<Load>& load) {
  Said& said = members_[member];
  const bool is_new = load && (!said.load || said.load->report != load->report);
  said.load = load;
  if (is_new) router_.report_load(now, member, *load);
}

bool Placement::on_bookings(TimePoint now, const Envelope& envelope,
                            const BookingsMessage& bookings) {
  const Member* member = roster_.find(envelope.origin);
  if (member == nullptr || roster_.is_self(*member) || envelope.epoch != member->epoch) {
    out_.count("misplaced_messages");
    return false;
  }
  // Who names strangers is not believed so far: what is kept is bounded by the members.
  std::vector<Router::PromiseRow> rows;
  for (const Router::PromiseRow& row : bookings.promises) {
    if (roster_.contains(row.first)) rows.push_back(row);
  }
  std::vector<BookedChunks> chunks;
  for (const BookedChunks& each : bookings.chunks) {
    if (roster_.contains(each.first)) chunks.push_back(each);
  }
  return router_.note_promises(now, member->id, envelope.epoch, bookings.version, rows, chunks);
}

void Placement::end(TimePoint now, NodeId member) {
  router_.forget(now, member);
  members_[member].load.reset();
}

void Placement::begin_life(TimePoint now, NodeId member) {
  router_.forget(now, member);
  members_[member] = Said{};
}

// ---- this node ---------------------------------------------------------------------------------

void Placement::report_load(TimePoint now, const Load& load) {
  const bool at_once = !told_load_ || differs_much(load, *told_load_);
  own_load_ = load;
  own_load_->report = ++load_reports_;
  router_.report_load(now, roster_.self().id, load);
  if (!at_once) return;
  pace_.after_last(kBookingsPause);
  pace_.changed();
}

void Placement::tell_bookings(TimePoint now) {
  if (router_.promises_version() == told_bookings_ && !router_.has_chunk_news()) return;
  next_bookings_ = std::min(next_bookings_, now + kBookingsPause);
}

void Placement::publish_bookings(TimePoint now) {
  router_.expire(now);
  tell_bookings(now);
  if (now < std::max(next_bookings_, bookings_free_)) return;
  BookingsMessage message;
  told_bookings_ = router_.promises_version();
  message.version = ++beat_;
  bool any = false;
  for (const auto& [node, promise] : router_.promises()) {
    if (!roster_.contains(node)) continue;
    message.promises.emplace_back(node, promise);
    any = any || !promise.is_zero();
  }
  message.chunks = router_.take_chunk_news(limits::booked_chunks_per_message_max);
  const auto size = static_cast<int>(message.promises.size() / limits::mesh_members_max);
  bookings_free_ = now + (1 + size) * kBookingsPause;
  next_bookings_ = any ? now + kBookingsRepeat : kNever;
  if (router_.has_chunk_news()) next_bookings_ = bookings_free_;
  post_.publish(std::move(message));
}

// ---- what is shown -----------------------------------------------------------------------------

ExplainView Placement::explain(TimePoint now, const RouteQuery& query, const Self& self) {
  const Routed routed = router_.look(now, query, nodes_for(now, query, self));
  ExplainView view;
  view.tokens = routed.tokens;
  view.policy = policy_name(settings_.policy);
  view.reason = reason_name(routed.choice.reason);
  view.near_equals = routed.choice.near_equals;
  view.prefill = target(routed, routed.choice.prefill);
  view.decode = target(routed, routed.choice.decode);
  view.source = source(routed, routed.choice.prefill);
  for (NodeId id : roster_.by_rank()) {
    const Member& member = roster_.at(id);
    if (member.role != Role::router) view.candidates.push_back(row_of(member, routed, self));
  }
  return view;
}

CandidateView Placement::row_of(const Member& member, const Routed& routed,
                                const Self& self) const {
  CandidateView row;
  row.addr = member.addr;
  row.rank = member.rank;
  row.role = member.role;
  row.excluded = unfit(member, said_by(member.id), self);
  row.load = load_of(member.id);
  row.work = work_of(member.id);
  const auto at = std::ranges::find(routed.candidates, member.id, &RouteCandidate::id);
  if (at == routed.candidates.end()) return row;
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
  row.source = source(routed, index);
  row.terms = routed.terms[index];
  row.is_prefill = routed.choice.prefill == index;
  row.is_decode = routed.choice.decode == index;
  return row;
}

WorkView Placement::work_of(NodeId member) const {
  const KnownRate rate = router_.traffic().rate(member);
  WorkView view{rate.tokens_per_second, source_name(rate.source), pull_rate_of(member), {}, {}};
  if (const Traffic* traffic = router_.traffic().find(member)) {
    view.booked = traffic->promised();
    view.hits = traffic->hits;
  }
  return view;
}

std::optional<Load> Placement::load_of(NodeId member) const {
  if (member == roster_.self().id) return own_load_;
  const Said* said = said_by(member);
  return said != nullptr ? said->load : std::nullopt;
}

bool Placement::is_ready(NodeId member) const {
  const Said* said = said_by(member);
  return said != nullptr && said->ready;
}

RoutingView Placement::view(TimePoint now) const {
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
