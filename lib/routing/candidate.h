// What a routing policy looks at, and what it says: nodes that may be chosen, with what is known of
// each, and the choice with its reason.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/role.h"

namespace radixmesh {

// A node that may be chosen: ready, alive, not leaving, and no router.
struct RouteCandidate {
  NodeId id;
  NodeRank rank;
  Role role = Role::prefill;
  std::uint32_t depth = 0;        // tokens of the query that it has, or is to have
  std::uint32_t indexed = 0;      // ... that it has by the index
  bool keeps_duplicates = false;  // what it has as well as another stays there
  std::uint32_t requests = 0;     // that it has to do with: reported or booked
  std::uint32_t prefills = 0;     // of these, those whose prompt is not computed yet
  double queued_tokens = 0;       // of prompts, before this one
  double decode_tokens = 0;       // of KV that its running requests read with every step
  double prefill_rate = 1;        // tokens/s
  double busy = 0;                // the share of the last minute that its new prompts take
  // Tokens of KV, 0: its engine does not say; those that requests have, or what is queued will
  // have; and how long a request has its own.
  double kv_total = 0, kv_taken = 0, kv_held_s = 0;
  // Tokens/s of KV that its engine reads from another or gives to one, each; 0: it does neither.
  // And those that are still to come to it, and to go from it.
  double pull_rate = 0;
  double pull_in_tokens = 0, pull_out_tokens = 0;

  bool tells_kv() const { return kv_total > 0; }
  double kv_free() const { return std::max(0.0, kv_total - kv_taken); }
};

// Whether so little is missing at a decode node that it computes that itself. A unified node is
// named as both anyway.
inline bool decodes_alone(const RouteCandidate& candidate, std::uint32_t tokens,
                          std::uint32_t decode_only_tokens) {
  const std::uint32_t missing = tokens > candidate.depth ? tokens - candidate.depth : 0;
  return candidate.role == Role::decode && missing < decode_only_tokens;
}

enum class RouteReason : std::uint8_t {
  prefix,       // nobody has more of the prompt than the chosen prefill node
  load,         // somebody has more of it, or there are equals: this one is done sooner
  hash,         // nothing else decided: the hash of the first pages did
  decode_only,  // so little is missing at the decode node that it computes that itself
  warm_up,      // hashed, so that not all go to one node
  nobody,       // there is no candidate
};
inline constexpr std::size_t kRouteReasons = 6;
constexpr std::string_view reason_name(RouteReason reason) {
  constexpr std::string_view names[kRouteReasons] = {"prefix",      "load",    "hash",
                                                     "decode_only", "warm_up", "nobody"};
  return names[static_cast<std::size_t>(reason)];
}

// Indices into the candidates. A unified node is named as both.
struct RouteChoice {
  std::optional<std::size_t> prefill, decode;
  RouteReason reason = RouteReason::nobody;
  std::uint32_t near_equals = 0;  // others that were about as good: a lot was drawn among them
};

}  // namespace radixmesh
