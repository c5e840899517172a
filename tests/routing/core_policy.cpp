#include "tests/routing/core_policy.h"

#include <algorithm>

#include "lib/base/limits.h"

namespace radixmesh::routing {
namespace {

constexpr std::uint32_t kPageSize = 16;

TimePoint at(double seconds) {
  return TimePoint{} + Duration{static_cast<std::int64_t>(seconds * 1e6) + 1};
}
// Identities are hashes; these only have to differ.
NodeId node_id_of(std::size_t node) { return NodeId{node * 0x9E3779B97F4A7C15ull + 7}; }
NodeId router_id_of(std::size_t router) { return NodeId{~node_id_of(router).value}; }

}  // namespace

CorePolicy::CorePolicy(const FleetView& fleet, std::uint64_t seed, const RoutingSettings& settings)
    : Policy(fleet, seed), router_(settings, kPageSize, Epoch{1}, seed, at(0)) {}

std::optional<Policy::Choice> CorePolicy::route(double now_s, const Query& query) {
  tokens_.clear();
  for (std::uint32_t block : query.request.blocks) {
    tokens_.insert(tokens_.end(), kBlockTokens, TokenId{block});
  }
  std::vector<RouteNode> nodes;
  for (std::size_t node = 0; node < query.depths.size(); ++node) {
    if (query.depths[node] < 0) continue;
    const Role splits = node < fleet_.prefill_nodes ? Role::prefill : Role::decode;
    nodes.push_back({node_id_of(node), NodeRank{static_cast<std::uint32_t>(node)},
                     fleet_.prefill_nodes > 0 ? splits : Role::unified,
                     static_cast<std::uint32_t>(query.depths[node]) * kBlockTokens, false,
                     fleet_.pull_rate});
  }
  static const CacheNamespace kDefault;
  router_.note_pull_rates(at(now_s), nodes);
  const Routed routed = router_.route(at(now_s), {kDefault, tokens_}, nodes, true);
  Choice choice;
  choice.node = routed.candidates[*routed.choice.prefill].rank.value;
  if (fleet_.prefill_nodes > 0) choice.decode = routed.candidates[*routed.choice.decode].rank.value;
  choice.ticket = routed.booking->value;
  if (const auto pull = routed.pull(routed.choice.prefill)) {
    const RouteCandidate& source = routed.candidates[pull->source];
    choice.source = {source.rank.value, source.indexed / kBlockTokens};
  }
  return choice;
}

void CorePolicy::prefill_done(double now_s, std::uint64_t ticket) {
  router_.prefill_done(at(now_s), BookingId{ticket}, std::nullopt);
}
void CorePolicy::finish(double now_s, std::uint64_t ticket) {
  router_.finish(at(now_s), BookingId{ticket});
}
void CorePolicy::hear_load(double now_s, std::size_t node, const Load& load) {
  router_.report_load(at(now_s), node_id_of(node), load);
}
void CorePolicy::node_died(double now_s, std::size_t node) {
  router_.forget(at(now_s), node_id_of(node));
}

bool CorePolicy::has_news() const {
  return router_.promises_version() != told_ || router_.has_chunk_news();
}

RouterNews CorePolicy::take_news() {
  told_ = router_.promises_version();
  RouterNews news{++beat_, {}, {router_.promises().begin(), router_.promises().end()}, {}};
  news.chunks = router_.take_chunk_news(limits::booked_chunks_per_message_max);
  return news;
}

void CorePolicy::hear_news(double now_s, std::size_t router, const RouterNews& news) {
  router_.note_promises(at(now_s), router_id_of(router), Epoch{1}, news.version, news.rows,
                        news.chunks);
}

}  // namespace radixmesh::routing
