// What is known of the work of each node, and at which rate it does it: its loads as its engine
// reports them, what all routers promised it, and how long prompts took that were booked here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/routing/bookings.h"
#include "lib/routing/candidate.h"
#include "lib/routing/mean.h"
#include "lib/routing/traffic.h"

namespace radixmesh {

// A node that may be chosen, and how much of the query it has by the index.
struct RouteNode {
  NodeId id;
  NodeRank rank;
  Role role = Role::prefill;
  std::uint32_t depth = 0;
  bool keeps_duplicates = false;
  double pull_rate = 0;  // tokens/s of KV to it, and from it
};

// How a node's rate is known.
enum class RateSource : std::uint8_t { reported, learned, fleet, configured };
std::string_view source_name(RateSource source);
struct KnownRate {
  double tokens_per_second = 0;
  RateSource source = RateSource::configured;
};

class FleetTraffic {
 public:
  // The rate of a node of which nothing is known, in prompt tokens/s.
  explicit FleetTraffic(double prefill_rate);

  // ---- news ------------------------------------------------------------------------------------

  void report(TimePoint now, NodeId node, const Load& load);
  // What they say of their links; before anything is asked.
  void note_pull_rates(TimePoint now, std::span<const RouteNode> nodes);
  // The sum of what all routers promise it. Who is forgotten does not come back by what is over.
  void promise(TimePoint now, NodeId node, const Promise& sum);
  void forget(NodeId node) { nodes_.erase(node); }
  // A prompt of so many tokens was routed; so many of one are to be computed by who was chosen.
  void note_prompt(std::uint32_t tokens) { prompt_tokens_.note(tokens); }
  void note_to_compute(std::uint32_t tokens) { tokens_to_compute_.note(tokens); }
  // The prompt of a booking was computed; `hit_tokens`, if the engine tells, of it were cached.
  void note_computed(TimePoint now, const Booking& booking,
                     std::optional<std::uint32_t> hit_tokens);
  // A booked request has ended.
  void note_held(Duration held) { held_s_.note(static_cast<double>(held.count()) / 1e6); }
  // Prompts were told to go there, or with negative numbers to leave.
  void move(TimePoint now, NodeId node, double tokens, double prompts) {
    nodes_[node].move(now, tokens, prompts);
  }

  // ---- look-ups --------------------------------------------------------------------------------

  // Null where nothing is known of it.
  const Traffic* find(NodeId node) const;
  KnownRate rate(NodeId node) const { return rate_of(find(node), fleet_rate()); }
  KnownRate fleet_rate() const;
  // What counts for a choice. `fleet`: fleet_rate(), which is the same for all.
  RouteCandidate candidate(TimePoint now, const RouteNode& node, const KnownRate& fleet) const;

 private:
  KnownRate rate_of(const Traffic* traffic, const KnownRate& fleet) const;

  double prefill_rate_;
  std::map<NodeId, Traffic> nodes_;
  RateMeter fleet_;
  Mean prompt_tokens_, tokens_to_compute_;  // of a prompt
  Mean held_s_;                             // from a booking to its end
};

}  // namespace radixmesh
