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

// A booked prompt is taken as computed after three times what it should take, and some seconds.
constexpr double kPrefillPatience = 3;
constexpr Duration kPrefillPatienceMin = std::chrono::seconds(10);

}  // namespace

std::string_view policy_name(RoutingPolicy policy) {
  return policy == RoutingPolicy::cost ? "cost" : "prefix_first";
}
std::string_view reason_name(RedirectReason reason) {
  constexpr std::string_view names[] = {"sooner", "stay", "hop_limit"};
  return names[static_cast<std::size_t>(reason)];
}
Router::Router(const RoutingSettings& settings, std::uint32_t page_size, Epoch life,
               std::uint64_t salt, TimePoint now)
    : settings_(settings),
      page_size_(page_size),
      started_(now),
      traffic_(settings.prefill_rate),
      bookings_(BookingId{life.value}),
      speculation_(settings.speculation, salt),
      salt_(salt) {}

// ---- news --------------------------------------------------------------------------------------

bool Router::note_promises(TimePoint now, NodeId router, Epoch epoch, std::uint64_t version,
                           std::span<const PromiseRow> promises,
                           std::span<const BookedChunks> chunks) {
  std::vector<NodeId> changed;
  if (!others_.note(now, router, epoch, version, chunks_repeat(), promises, changed)) return false;
  refresh_all(now, changed);
  for (const auto& [node, each] : chunks) {
    if (!others_.takes_chunks(router, each.size())) break;
    speculation_.note(now, node, each);
  }
  return true;
}

void Router::disbelieve_promises(TimePoint now, NodeId router, std::uint64_t version) {
  refresh_all(now, others_.disbelieve(router, version));
}

void Router::refresh(TimePoint now, NodeId node) {
  Promise sum = others_.sum_for(node);
  const auto own = bookings_.promises().find(node);
  if (own != bookings_.promises().end()) sum += own->second;
  traffic_.promise(now, node, sum);
}

void Router::refresh_all(TimePoint now, std::span<const NodeId> nodes) {
  for (NodeId node : nodes) refresh(now, node);
}

void Router::refresh(TimePoint now, const Booking& booking) {
  std::set<NodeId> nodes;
  for (const auto& each : {booking.prefill, booking.decode, booking.source}) {
    if (each) nodes.insert(*each);
  }
  for (NodeId each : nodes) refresh(now, each);
}

void Router::forget(TimePoint now, NodeId node) {
  refresh_all(now, others_.drop(node));
  bookings_.drop_node(node);
  speculation_.drop_node(node);
  chunk_news_.drop_node(node);
  traffic_.forget(node);
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
    counts_.expired += bookings_.expire(now, touched);
    for (NodeId node : touched) refresh(now, node);
  }
  for (NodeId id : others_.silent(now)) refresh_all(now, others_.drop(id));
}

TimePoint Router::next_expiry() const {
  return std::min(
      {speculation_.next_expiry(), bookings_.next_expiry(), next_repeat_, others_.next_expiry()});
}

// ---- choices -----------------------------------------------------------------------------------

bool Router::warming_up(TimePoint now) const {
  if (warm_up_over_) return false;
  return counts_.requests < settings_.warm_up_requests || now < started_ + settings_.warm_up;
}

Lots Router::lots() const {
  const auto others = static_cast<double>(others_.count_routing());
  return {others / (others + 1), (salt_ + counts_.requests) * 0x9E3779B97F4A7C15ull};
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
  const KnownRate fleet = traffic_.fleet_rate();
  seen.candidates.reserve(nodes.size());
  for (const RouteNode& node : nodes) {
    seen.candidates.emplace_back(InPlace([&] { return traffic_.candidate(now, node, fleet); }));
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
  ++counts_.requests;
  ++counts_.by_reason[static_cast<std::size_t>(routed.choice.reason)];
  if (settings_.policy == RoutingPolicy::prefix_first) common_.note(query.name, query.tokens);
  traffic_.note_prompt(routed.tokens);
  if (const auto computes = routed.computes()) {
    const std::uint32_t has = std::min(routed.candidates[*computes].depth, routed.tokens);
    traffic_.note_to_compute(routed.tokens - has);
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
  traffic_.note_computed(now, *booking, hit_tokens);
  return true;
}

bool Router::finish(TimePoint now, BookingId id) {
  tell_chunks(now, id);  // so that the time after it begins now
  const auto booking = bookings_.finish(id);
  if (!booking) return false;
  traffic_.note_held(now - booking->made);
  refresh(now, *booking);
  return true;
}

}  // namespace radixmesh
