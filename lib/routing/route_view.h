// What is shown of routing: the answers to route, redirect and explain, with addresses instead of
// internal numbers, and what is known of each node's work.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/promise.h"
#include "lib/base/role.h"
#include "lib/oplog/message.h"
#include "lib/routing/cost_terms.h"
#include "lib/routing/hit_record.h"

namespace radixmesh {

struct TargetView {
  std::string addr;
  NodeRank rank;
  std::uint32_t depth = 0;
};
// From where the node that computes should read KV, instead of computing so many tokens.
struct SourceView {
  std::string addr;
  std::uint32_t depth = 0;   // tokens of the query that it has
  std::uint32_t tokens = 0;  // of these, the last so many
};
struct RouteView {
  std::optional<TargetView> prefill, decode;
  std::optional<SourceView> source;
  std::string_view reason;
  std::optional<std::uint64_t> booking;
};
struct RedirectView {
  std::optional<TargetView> target;  // nothing: stay
  std::optional<SourceView> source;
  std::string_view reason;
};

// What this node knows of another's work, beside the load that its engine reports.
struct WorkView {
  double prefill_rate = 0;  // tokens/s
  std::string_view rate_source;
  std::uint64_t pull_rate = 0;  // tokens/s of KV to it from other nodes, and from it; 0: none
  Promise booked;               // by all routers
  HitRecord hits;               // of this router's bookings
};
struct CandidateView {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  std::string_view excluded;  // why it may not be chosen; empty if it may
  std::uint32_t depth = 0, indexed_depth = 0;
  std::optional<Load> load;
  WorkView work;
  std::uint32_t requests = 0;
  double queued_tokens = 0, decode_tokens = 0, busy = 0;
  std::optional<double> kv_free;
  double pull_in_tokens = 0, pull_out_tokens = 0;
  std::optional<SourceView> source;
  CostTerms terms;
  bool is_prefill = false, is_decode = false;  // the choice
};
struct ExplainView {
  std::uint32_t tokens = 0;
  std::string_view policy, reason;
  std::uint32_t near_equals = 0;
  std::optional<TargetView> prefill, decode;
  std::optional<SourceView> source;
  std::vector<CandidateView> candidates;
};
// What this node did as a router.
struct RoutingView {
  std::map<std::string, std::uint64_t> routed;  // by reason
  std::uint64_t bookings = 0, bookings_expired = 0, speculative_chunks = 0;
  bool warming_up = false;
};

}  // namespace radixmesh
