// The routing policy `prefix_first`: for each role the deepest match; on a tie the least load, then
// the lowest rank. Where nobody has anything, consistent hashing of the prompt's first pages, so
// that requests with a common beginning meet on one node and a node more or less moves only its
// share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/role.h"
#include "lib/oplog/message.h"

namespace radixmesh {

// A node that may be chosen: alive, and no router.
struct RouteCandidate {
  NodeId id;
  NodeRank rank;
  Role role = Role::prefill;
  std::uint32_t depth = 0;  // tokens of the query that it has
  std::optional<Load> load;
};

enum class RouteReason : std::uint8_t {
  prefix,  // some chosen node has a part of the prompt
  hash,    // nobody has any of it
  nobody,  // there is no candidate
};
constexpr std::string_view reason_name(RouteReason reason) {
  switch (reason) {
    case RouteReason::prefix:
      return "prefix";
    case RouteReason::hash:
      return "hash";
    case RouteReason::nobody:
      return "nobody";
  }
  return "?";
}

// Indices into the candidates. A unified node may be both.
struct RouteChoice {
  std::optional<std::size_t> prefill, decode;
  RouteReason reason = RouteReason::nobody;
};

// The beginning of a prompt that the hash sees: at most this many tokens, in whole pages.
inline constexpr std::uint32_t kHashTokensMax = 500;

// A hash of the first whole pages; where there is none, of the first tokens.
std::uint64_t first_pages_hash(const CacheNamespace& name, std::span<const TokenId> tokens,
                               std::uint32_t page_size);

// O(candidates). A pure function: the same picture gives the same choice on every node.
RouteChoice prefix_first(const std::vector<RouteCandidate>& candidates, std::uint64_t first_pages);

}  // namespace radixmesh
