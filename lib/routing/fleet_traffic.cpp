#include "lib/routing/fleet_traffic.h"

#include <algorithm>

namespace radixmesh {
namespace {

// Rates that differ by less than a third are taken as equal: what was seen of a node depends on
// what it was given to do, and small differences would send work to whoever looks fastest.
constexpr double kRatesDiffer = 4.0 / 3;
// Before any prompt was seen, and any booking ended.
constexpr double kPromptTokens = 1000, kHeldS = 10;
// Of smaller prompts it is the fixed part of a batch's time that is seen, and not the rate.
constexpr std::uint32_t kLearnTokensMin = 1000;
// More requests at a node than this are as good as this many.
constexpr double kCountMax = 1e9;

}  // namespace

std::string_view source_name(RateSource source) {
  constexpr std::string_view names[] = {"reported", "learned", "fleet", "configured"};
  return names[static_cast<std::size_t>(source)];
}

FleetTraffic::FleetTraffic(double prefill_rate)
    : prefill_rate_(prefill_rate),
      prompt_tokens_(kPromptTokens),
      tokens_to_compute_(kPromptTokens),
      held_s_(kHeldS) {}

// ---- news --------------------------------------------------------------------------------------

void FleetTraffic::report(TimePoint now, NodeId node, const Load& load) {
  nodes_[node].report(now, load, {prompt_tokens_.value(), tokens_to_compute_.value()});
}

void FleetTraffic::note_pull_rates(TimePoint now, std::span<const RouteNode> nodes) {
  for (const RouteNode& node : nodes) {
    if (node.pull_rate <= 0) continue;
    Traffic& traffic = nodes_[node.id];
    if (traffic.pull_in.rate() == node.pull_rate) continue;
    traffic.pull_in.set_rate(now, node.pull_rate);
    traffic.pull_out.set_rate(now, node.pull_rate);
  }
}

void FleetTraffic::promise(TimePoint now, NodeId node, const Promise& sum) {
  if (sum.is_zero() && !nodes_.contains(node)) return;
  Traffic& traffic = nodes_[node];
  traffic.promise(now, sum, rate_of(&traffic, fleet_rate()).tokens_per_second);
}

void FleetTraffic::note_computed(TimePoint now, const Booking& booking,
                                 std::optional<std::uint32_t> hit_tokens) {
  const auto found = nodes_.find(*booking.prefill);
  if (found == nodes_.end()) return;  // the node is gone
  const std::uint32_t tokens = booking.hit_tokens + booking.prefill_tokens;
  std::uint32_t computed = booking.prefill_tokens;
  if (hit_tokens) {
    const std::uint32_t hits = std::min(tokens, *hit_tokens);
    computed = tokens - hits;
    ++found->second.hits.reports;
    found->second.hits.predicted_tokens += booking.hit_tokens;
    found->second.hits.actual_tokens += hits;
  }
  if (booking.alone && !booking.reads && computed >= kLearnTokensMin) {
    found->second.meter.note(computed, now - booking.made);
    fleet_.note(computed, now - booking.made);
  }
}

// ---- look-ups ----------------------------------------------------------------------------------

const Traffic* FleetTraffic::find(NodeId node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

KnownRate FleetTraffic::fleet_rate() const {
  if (fleet_.known()) return {fleet_.rate(), RateSource::fleet};
  return {prefill_rate_, RateSource::configured};
}

KnownRate FleetTraffic::rate_of(const Traffic* traffic, const KnownRate& fleet) const {
  if (traffic == nullptr) return fleet;
  if (traffic->load() && traffic->load()->prefill_rate) {
    return {static_cast<double>(*traffic->load()->prefill_rate), RateSource::reported};
  }
  if (!traffic->meter.tells_apart()) return fleet;
  const double ratio = traffic->meter.rate() / fleet.tokens_per_second;
  if (ratio < kRatesDiffer && ratio > 1 / kRatesDiffer) return fleet;
  return {traffic->meter.rate(), RateSource::learned};
}

RouteCandidate FleetTraffic::candidate(TimePoint now, const RouteNode& node,
                                       const KnownRate& fleet) const {
  static const Traffic kNone;
  const Traffic* found = find(node.id);
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

}  // namespace radixmesh
