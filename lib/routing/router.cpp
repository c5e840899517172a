#include "lib/routing/router.h"

#include <algorithm>
#include <limits>
#include <set>

#include "lib/base/in_place.h"
#include "lib/base/limits.h"
#include "lib/routing/first_pages.h"
#include "lib/routing/least_cost.h"
#include "lib/routing/prefix_first.h"

namespace radixmesh {
namespace {

// A router that was not heard for so long has no promises any more; it tells them every second.
constexpr Duration kPromisesLive = std::chrono::seconds(10);
// Rates that differ by less than a third are taken as equal: what was seen of a node depends on
// what it was given to do, and small differences would send work to whoever looks fastest.
constexpr double kRatesDiffer = 4.0 / 3;
// Before any prompt was seen, and any booking ended.
constexpr double kPromptTokens = 1000, kHeldS = 10;
// A booked prompt is taken as computed after three times what it should take, and some seconds.
constexpr double kPrefillPatience = 3;
// Of smaller prompts it is the fixed part of a batch's time that is seen, and not the rate.
constexpr std::uint32_t kLearnTokensMin = 1000;
// More requests at a node than this are as good as this many.
constexpr double kCountMax = 1e9;
constexpr Duration kPrefillPatienceMin = std::chrono::seconds(10);

}  // namespace

std::string_view policy_name(RoutingPolicy policy) {
  return policy == RoutingPolicy::cost ? "cost" : "prefix_first";
}
std::string_view reason_name(RedirectReason reason) {
  constexpr std::string_view names[] = {"sooner", "stay", "hop_limit"};
  return names[static_cast<std::size_t>(reason)];
}
std::string_view source_name(RateSource source) {
  constexpr std::string_view names[] = {"reported", "learned", "fleet", "configured"};
  return names[static_cast<std::size_t>(source)];
}

Router::Router(const RoutingSettings& settings, std::uint32_t page_size, Epoch life,
               std::uint64_t salt, TimePoint now)
    : settings_(settings),
      page_size_(page_size),
      started_(now),
      bookings_(BookingId{life.value}),
      speculation_(settings.speculation, salt),
      salt_(salt),
      prompt_tokens_(kPromptTokens),
      tokens_to_compute_(kPromptTokens),
      held_s_(kHeldS) {}

// ---- news --------------------------------------------------------------------------------------

void Router::note_pull_rates(TimePoint now, std::span<const RouteNode> nodes) {
  for (const RouteNode& node : nodes) {
    if (node.pull_rate <= 0) continue;
    Traffic& traffic = traffic_[node.id];
    if (traffic.pull_in.rate() == node.pull_rate) continue;
    traffic.pull_in.set_rate(now, node.pull_rate);
    traffic.pull_out.set_rate(now, node.pull_rate);
  }
}

void Router::report_load(TimePoint now, NodeId node, const Load& load) {
  traffic_[node].report(now, load, {prompt_tokens_.value(), tokens_to_compute_.value()});
}

bool Router::note_promises(TimePoint now, NodeId router, Epoch epoch, std::uint64_t version,
                           std::span<const PromiseRow> promises,
                           std::span<const BookedChunks> chunks) {
  OtherRouter& other = others_[router];
  if (std::tuple(epoch, version) <= std::tuple(other.epoch, other.version)) return false;
  other.heard = now;
  other.epoch = epoch;
  other.version = version;
  std::vector<PromiseRow> before(promises.begin(), promises.end());
  if (!std::ranges::is_sorted(before, {}, &PromiseRow::first)) {
    std::ranges::stable_sort(before, {}, &PromiseRow::first);
  }
  const auto of_one_node = [](const PromiseRow& a, const PromiseRow& b) {
    return a.first == b.first;
  };
  before.erase(std::unique(before.begin(), before.end(), of_one_node), before.end());
  before.swap(other.promises);
  other.has_promises = !std::ranges::all_of(other.promises, &Promise::is_zero, &PromiseRow::second);
  refresh_changed(now, before, other.promises);
  note_chunks(now, other, chunks);
  return true;
}

const Promise* Router::OtherRouter::promise(NodeId node) const {
  const auto found = std::ranges::lower_bound(promises, node, {}, &PromiseRow::first);
  return found != promises.end() && found->first == node ? &found->second : nullptr;
}

// Both by node.
void Router::refresh_changed(TimePoint now, std::span<const PromiseRow> before,
                             std::span<const PromiseRow> after) {
  auto old = before.begin();
  for (const PromiseRow& each : after) {
    for (; old != before.end() && old->first < each.first; ++old) refresh(now, old->first);
    const bool is_known = old != before.end() && old->first == each.first;
    if (!is_known || old->second != each.second) refresh(now, each.first);
    if (is_known) ++old;
  }
  for (; old != before.end(); ++old) refresh(now, old->first);
}

void Router::note_chunks(TimePoint now, OtherRouter& router, std::span<const BookedChunks> chunks) {
  if (now >= router.chunks_since + chunks_repeat()) {
    router.chunks_since = now;
    router.chunks = 0;
  }
  for (const auto& [node, each] : chunks) {
    router.chunks += each.size();
    if (router.chunks > limits::booked_chunks_heard_max) return;
    speculation_.note(now, node, each);
  }
}

std::uint64_t Router::promises_heard(NodeId router) const {
  const auto found = others_.find(router);
  return found == others_.end() ? 0 : found->second.version;
}

void Router::disbelieve_promises(TimePoint now, NodeId router, std::uint64_t version) {
  OtherRouter& other = others_[router];
  other.version = version;
  other.has_promises = false;
  for (const auto& [node, promise] : std::exchange(other.promises, {})) refresh(now, node);
}

void Router::refresh(TimePoint now, NodeId node) {
  Promise sum;
  const auto own = bookings_.promises().find(node);
  if (own != bookings_.promises().end()) sum = own->second;
  for (const auto& [id, other] : others_) {
    if (const Promise* promised = other.promise(node)) sum += *promised;
  }
  // Who is forgotten does not come back by what is over.
  if (sum.is_zero() && !traffic_.contains(node)) return;
  Traffic& traffic = traffic_[node];
  traffic.promise(now, sum, rate_of(&traffic, fleet_rate()).tokens_per_second);
}

void Router::refresh(TimePoint now, const Booking& booking) {
  std::set<NodeId> nodes;
  for (const auto& each : {booking.prefill, booking.decode, booking.source}) {
    if (each) nodes.insert(*each);
  }
  for (NodeId each : nodes) refresh(now, each);
}

void Router::drop_promises_of(TimePoint now, NodeId router) {
  const auto found = others_.find(router);
  if (found == others_.end()) return;
  const std::vector<PromiseRow> gone = std::move(found->second.promises);
  others_.erase(found);
  for (const auto& [node, promise] : gone) refresh(now, node);
}

void Router::forget(TimePoint now, NodeId node) {
  drop_promises_of(now, node);
  bookings_.drop_node(node);
  speculation_.drop_node(node);
  chunk_news_.drop_node(node);
  traffic_.erase(node);
  refresh_promised(now);
}

// A booking that is gone was a promise to its other nodes as well.
void Router::refresh_promised(TimePoint now) {
  for (const auto& [node, promise] : bookings_.promises()) refresh(now, node);
}

void Router::expire(TimePoint now) {
  speculation_.expire(now);
  if (next_repeat_ <= now) repeat_chunks(now);
  if (bookings_.next_expiry() <= now) {
    std::set<NodeId> touched;
    expired_ += bookings_.expire(now, touched);
    for (NodeId node : touched) refresh(now, node);
  }
  std::vector<NodeId> silent;
  for (const auto& [id, other] : others_) {
    if (other.heard + kPromisesLive <= now) silent.push_back(id);
  }
  for (NodeId id : silent) drop_promises_of(now, id);
}

TimePoint Router::next_expiry() const {
  TimePoint due = std::min({speculation_.next_expiry(), bookings_.next_expiry(), next_repeat_});
  for (const auto& [id, other] : others_) due = std::min(due, other.heard + kPromisesLive);
  return due;
}

// ---- rates -------------------------------------------------------------------------------------

const Traffic* Router::traffic(NodeId node) const {
  const auto found = traffic_.find(node);
  return found == traffic_.end() ? nullptr : &found->second;
}

KnownRate Router::fleet_rate() const {
  if (fleet_.known()) return {fleet_.rate(), RateSource::fleet};
  return {settings_.prefill_rate, RateSource::configured};
}

KnownRate Router::rate_of(const Traffic* traffic, const KnownRate& fleet) const {
  if (traffic == nullptr) return fleet;
  if (traffic->load() && traffic->load()->prefill_rate) {
    return {static_cast<double>(*traffic->load()->prefill_rate), RateSource::reported};
  }
  if (!traffic->meter.tells_apart()) return fleet;
  const double ratio = traffic->meter.rate() / fleet.tokens_per_second;
  if (ratio < kRatesDiffer && ratio > 1 / kRatesDiffer) return fleet;
  return {traffic->meter.rate(), RateSource::learned};
}

KnownRate Router::rate(NodeId node) const { return rate_of(traffic(node), fleet_rate()); }

// ---- choices -----------------------------------------------------------------------------------

RouteCandidate Router::candidate(TimePoint now, const RouteNode& node,
                                 const KnownRate& fleet) const {
  static const Traffic kNone;
  const Traffic* found = traffic(node.id);
  const Traffic& known = found == nullptr ? kNone : *found;
  const double rate = rate_of(found, fleet).tokens_per_second;
  const double queued = known.queued_tokens(now, rate);
  const bool pulls = node.pull_rate > 0, tells_kv = known.load() && known.load()->kv_total > 0;
  const double pull_in = pulls ? known.pull_in.left(now) : 0;
  const auto count = [](double number) {
    return static_cast<std::uint32_t>(std::min(number, kCountMax) + 0.5);
  };
  // All of it is named here: so nothing is cleared first.
  return {
      .id = node.id,
      .rank = node.rank,
      .role = node.role,
      .depth = node.depth,
      .indexed = node.depth,
      .keeps_duplicates = node.keeps_duplicates,
      .requests = count(known.requests(now)),
      .prefills = count(known.prefills(now)),
      .queued_tokens = queued,
      .decode_tokens = known.decode_tokens(),
      .prefill_rate = rate,
      .busy = known.busy(now),
      .kv_total = tells_kv ? static_cast<double>(known.load()->kv_total) : 0,
      .kv_taken = tells_kv ? static_cast<double>(known.load()->kv_used) + queued + pull_in : 0,
      .kv_held_s = held_s_.value(),
      .pull_rate = node.pull_rate,
      .pull_in_tokens = pull_in,
      .pull_out_tokens = pulls ? known.pull_out.left(now) : 0,
  };
}

bool Router::warming_up(TimePoint now) const {
  if (warm_up_over_) return false;
  return requests_ < settings_.warm_up_requests || now < started_ + settings_.warm_up;
}

Lots Router::lots() const {
  const auto routes = [](const auto& each) { return each.second.has_promises; };
  const auto others = static_cast<double>(std::ranges::count_if(others_, routes));
  return {others / (others + 1), (salt_ + requests_) * 0x9E3779B97F4A7C15ull};
}

RouteChoice Router::choose(TimePoint now, const RouteQuery& query, const Routed& seen,
                           Lots lots) const {
  const bool by_prefix = settings_.policy == RoutingPolicy::prefix_first;
  const std::uint32_t common = by_prefix ? common_.of(query.name, query.tokens) : 0;
  // Where that is most of it, they are to meet all the same, as far as there is room.
  const auto own = query.tokens.subspan(2 * common < query.tokens.size() ? common : 0);
  const std::uint64_t hash = first_pages_hash(query.name, own, page_size_);
  if (warming_up(now)) {
    RouteChoice choice{hash_choice(seen.candidates, serves_prefill, hash),
                       hash_choice(seen.candidates, serves_decode, hash)};
    if (choice.prefill || choice.decode) choice.reason = RouteReason::warm_up;
    return choice;
  }
  if (by_prefix) {
    return prefix_first(seen.candidates, seen.tokens, common, hash,
                        settings_.weights.decode_only_tokens);
  }
  return least_cost(seen.candidates, seen.terms, seen.tokens, hash, settings_.weights, lots);
}

Routed Router::look(TimePoint now, const RouteQuery& query,
                    std::span<const RouteNode> nodes) const {
  Routed seen;
  seen.tokens = static_cast<std::uint32_t>(query.tokens.size());
  const KnownRate fleet = fleet_rate();
  seen.candidates.reserve(nodes.size());
  for (const RouteNode& node : nodes) {
    seen.candidates.emplace_back(InPlace([&] { return candidate(now, node, fleet); }));
  }
  if (settings_.speculation > Duration{0}) seen.chunks = chunks_of(query.name, query.tokens);
  std::uint32_t least = seen.tokens;  // what all have need not be looked for
  for (const RouteNode& node : nodes) least = std::min(least, node.depth);
  speculation_.match(seen.chunks, [&](NodeId node, std::uint32_t end) {
    if (end <= least) return;
    const auto at = std::ranges::find(seen.candidates, node, &RouteCandidate::id);
    if (at != seen.candidates.end()) at->depth = std::max(at->depth, end / page_size_ * page_size_);
  });
  const Lots lots = this->lots();
  seen.terms = cost_terms(seen.candidates, seen.tokens, settings_.weights, lots);
  seen.choice = choose(now, query, seen, lots);
  return seen;
}

Routed Router::route(TimePoint now, const RouteQuery& query, std::span<const RouteNode> nodes,
                     bool book) {
  expire(now);
  Routed routed = look(now, query, nodes);
  ++requests_;
  ++routed_[static_cast<std::size_t>(routed.choice.reason)];
  if (settings_.policy == RoutingPolicy::prefix_first) common_.note(query.name, query.tokens);
  prompt_tokens_.note(routed.tokens);
  if (const auto computes = routed.computes()) {
    const std::uint32_t has = std::min(routed.candidates[*computes].depth, routed.tokens);
    tokens_to_compute_.note(routed.tokens - has);
  }
  if (book) routed.booking = this->book(now, routed);
  return routed;
}

std::optional<BookingId> Router::book(TimePoint now, const Routed& routed) {
  const RouteChoice& choice = routed.choice;
  const auto computes = routed.computes();
  if (!computes) return std::nullopt;
  const RouteCandidate& node = routed.candidates[*computes];
  const CostTerms& terms = routed.terms[*computes];
  Booking booking;
  booking.prefill = node.id;
  booking.hit_tokens = std::min(node.depth, routed.tokens);
  if (const auto pull = routed.pull(computes)) {
    booking.source = routed.candidates[pull->source].id;
    booking.pull_tokens = pull->tokens;
    booking.reads = true;
    booking.hit_tokens += pull->tokens;
  }
  booking.prefill_tokens = routed.tokens - booking.hit_tokens;
  if (choice.decode) {
    booking.decode = routed.candidates[*choice.decode].id;
    booking.decode_tokens = routed.tokens;
  }
  booking.made = now;
  booking.alone = node.prefills == 0;
  booking.expires = now + settings_.booking_expires;
  const double patience_s = kPrefillPatience * (terms.wait + terms.pull + terms.compute);
  booking.prefill_expires = now + kPrefillPatienceMin +
                            Duration{static_cast<std::int64_t>(std::min(patience_s, 1e6) * 1e6)};
  const bool is_full = bookings_.size() >= limits::bookings_max;
  const BookingId id = bookings_.make(booking);
  if (is_full) refresh_promised(now);  // another one had to go
  refresh(now, booking);
  book_chunks(now, id, routed);
  return id;
}

// Of what they have by the index all routers know.
void Router::book_chunks(TimePoint now, BookingId id, const Routed& routed) {
  if (settings_.speculation == Duration{0}) return;
  std::vector<BookedChunks> booked;
  for (const auto& at : {routed.choice.prefill, routed.choice.decode}) {
    if (!at) continue;
    const RouteCandidate& node = routed.candidates[*at];
    if (!booked.empty() && booked.back().first == node.id) continue;
    std::vector<ChunkHash> chunks;
    for (const Chunk& each : routed.chunks) {
      if (each.end > node.indexed) chunks.push_back(each.hash);
    }
    if (!chunks.empty()) booked.emplace_back(node.id, std::move(chunks));
  }
  bookings_.note_chunks(id, std::move(booked));
  tell_chunks(now, id);
  if (next_repeat_ == kNever) next_repeat_ = now + chunks_repeat();
}

void Router::tell_chunks(TimePoint now, BookingId id) {
  for (const auto& [node, chunks] : bookings_.chunks_of(id)) speculation_.note(now, node, chunks);
  chunk_news_.tell(bookings_.chunks_of(id));
}

void Router::repeat_chunks(TimePoint now) {
  auto id = bookings_.latest_with_chunks(kLastBooking);
  next_repeat_ = id ? now + chunks_repeat() : kNever;
  if (id) chunk_news_.repeat();
  for (; id; id = bookings_.latest_with_chunks(*id)) {
    for (const auto& [node, chunks] : bookings_.chunks_of(*id)) {
      speculation_.note(now, node, chunks);
    }
  }
}

bool Router::prefill_done(TimePoint now, BookingId id, std::optional<std::uint32_t> hit_tokens) {
  const auto booking = bookings_.prefill_done(id);
  if (!booking) return false;
  refresh(now, *booking);
  const auto found = traffic_.find(*booking->prefill);
  if (found == traffic_.end()) return true;  // the node is gone
  const std::uint32_t tokens = booking->hit_tokens + booking->prefill_tokens;
  std::uint32_t computed = booking->prefill_tokens;
  if (hit_tokens) {
    const std::uint32_t hits = std::min(tokens, *hit_tokens);
    computed = tokens - hits;
    ++found->second.hits.reports;
    found->second.hits.predicted_tokens += booking->hit_tokens;
    found->second.hits.actual_tokens += hits;
  }
  if (booking->alone && !booking->reads && computed >= kLearnTokensMin) {
    found->second.meter.note(computed, now - booking->made);
    fleet_.note(computed, now - booking->made);
  }
  return true;
}

bool Router::finish(TimePoint now, BookingId id) {
  tell_chunks(now, id);  // so that the time after it begins now
  const auto booking = bookings_.finish(id);
  if (!booking) return false;
  held_s_.note(static_cast<double>((now - booking->made).count()) / 1e6);
  refresh(now, *booking);
  return true;
}

}  // namespace radixmesh
