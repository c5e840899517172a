// A fleet of nodes with what the index says of them, and a router that is asked about it.
#pragma once

#include <initializer_list>
#include <vector>

#include "lib/base/limits.h"
#include "lib/routing/router.h"

namespace radixmesh {

inline constexpr std::uint32_t kPage = 16;
inline constexpr TimePoint kStart{std::chrono::hours(1)};
inline constexpr Epoch kLife{5000};
inline constexpr Role P = Role::prefill, D = Role::decode, U = Role::unified;

inline std::vector<TokenId> tokens_from(std::uint32_t first, std::size_t count) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i) {
    tokens[i] = TokenId{first + static_cast<std::uint32_t>(i)};
  }
  return tokens;
}

inline Load load_of(std::uint32_t waiting, std::uint64_t queued_tokens) {
  return {waiting, waiting, queued_tokens, 0, 0, std::nullopt, 0};
}

struct Fleet {
  explicit Fleet(std::initializer_list<Role> roles) {
    for (Role role : roles) {
      const auto rank = static_cast<std::uint32_t>(nodes.size());
      nodes.push_back({NodeId{1000 + rank}, NodeRank{rank}, role, 0});
    }
  }
  Fleet& with_depths(std::vector<std::uint32_t> depths) {
    for (std::size_t i = 0; i < depths.size(); ++i) nodes[i].depth = depths[i];
    return *this;
  }
  NodeId id(std::size_t node) const { return nodes[node].id; }
  std::vector<RouteNode> nodes;
};

struct TestRouter : Router {
  explicit TestRouter(RoutingSettings settings = {}) : Router(settings, kPage, kLife, 0, kStart) {}
  TimePoint now = kStart;

  Routed ask(const Fleet& fleet, const std::vector<TokenId>& tokens, bool book = false) {
    return route(now, {CacheNamespace{}, tokens}, fleet.nodes, book);
  }
  void tell(TestRouter& other, NodeId self) {
    const std::vector<PromiseRow> rows(promises().begin(), promises().end());
    const auto chunks = take_chunk_news(limits::booked_chunks_per_message_max);
    other.note_promises(now, self, Epoch{1}, ++told, rows, chunks);
  }
  std::uint64_t told = 0;
};

}  // namespace radixmesh
