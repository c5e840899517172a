#include "tests/routing/policy.h"

namespace radixmesh::routing {

Policy::Choice Policy::route(double now_s, const Query& query) {
  const std::size_t node = choose(now_s, query);
  const auto tokens = static_cast<std::uint32_t>(query.tokens());
  const auto missing = static_cast<std::uint32_t>(query.missing(node));
  own_[node].requests += 1;
  own_[node].prefills += 1;
  own_[node].prefill_tokens += missing;
  own_[node].decode_tokens += tokens;
  loads_[node].sent_since += 1;
  ++version_;
  sent_[next_ticket_] = {node, missing, tokens};
  return {node, next_ticket_++};
}

void Policy::prefill_done(double, std::uint64_t ticket) {
  const auto found = sent_.find(ticket);
  if (found == sent_.end() || std::exchange(found->second.prefilled, true)) return;
  own_[found->second.node].prefills -= 1;
  own_[found->second.node].prefill_tokens -= found->second.prefill_tokens;
  ++version_;
}

void Policy::finish(double now_s, std::uint64_t ticket) {
  const auto found = sent_.find(ticket);
  if (found == sent_.end()) return;
  prefill_done(now_s, ticket);
  own_[found->second.node].requests -= 1;
  own_[found->second.node].decode_tokens -= found->second.tokens;
  sent_.erase(found);
}

void Policy::hear_load(double, std::size_t node, const Load& load) { loads_[node] = {load, 0}; }

void Policy::node_died(double, std::size_t node) {
  loads_[node] = {};
  own_[node] = {};
  others_[node] = {};
  std::erase_if(sent_, [&](const auto& each) { return each.second.node == node; });
  ++version_;
}

void Policy::hear_news(double, std::size_t router, const RouterNews& news) {
  by_router_[router] = news.promises;
  for (std::size_t node = 0; node < others_.size(); ++node) {
    others_[node] = {};
    for (const auto& [id, each] : by_router_) others_[node] += each[node];
  }
}

}  // namespace radixmesh::routing
