#include "tests/routing/policy.h"

#include <utility>

namespace radixmesh::routing {

// With those that do the other thing as if they were not there.
Query Policy::only(const Query& query, bool prefill) const {
  Query out = query;
  for (std::size_t node = 0; node < out.depths.size(); ++node) {
    if ((node < fleet_.prefill_nodes) != prefill) out.depths[node] = -1;
  }
  return out;
}

// Who decodes elsewhere chooses that node apart, in the same way.
std::optional<Policy::Choice> Policy::route(double now_s, const Query& query) {
  const bool splits = fleet_.prefill_nodes > 0;
  const Query computing = splits ? only(query, true) : query;
  if (!may_send(computing)) return std::nullopt;
  Choice choice;
  choice.node = choose(now_s, computing);
  if (splits) choice.decode = choose(now_s, only(query, false));
  const std::size_t node = choice.node, decode = choice.decode.value_or(node);
  const auto tokens = static_cast<std::uint32_t>(query.tokens());
  const auto missing = static_cast<std::uint32_t>(query.missing(node));
  own_[node].requests += 1;
  own_[node].prefills += 1;
  own_[node].prefill_tokens += missing;
  if (decode != node) own_[decode].requests += 1;
  own_[decode].decode_tokens += tokens;
  loads_[node].sent_since += 1;
  ++version_;
  choice.ticket = next_ticket_++;
  sent_[choice.ticket] = {node, decode, missing, tokens};
  return choice;
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
  const Sent& sent = found->second;
  own_[sent.node].requests -= 1;
  if (sent.decode != sent.node) own_[sent.decode].requests -= 1;
  own_[sent.decode].decode_tokens -= sent.tokens;
  sent_.erase(found);
}

void Policy::hear_load(double, std::size_t node, const Load& load) { loads_[node] = {load, 0}; }

void Policy::node_died(double, std::size_t node) {
  loads_[node] = {};
  own_[node] = {};
  others_[node] = {};
  std::erase_if(sent_, [&](const auto& each) {
    return each.second.node == node || each.second.decode == node;
  });
  ++version_;
}

void Policy::gateway_crashed() {
  own_.assign(fleet_.nodes, {});
  sent_.clear();
  ++version_;
}

void Policy::hear_news(double, std::size_t router, const RouterNews& news) {
  Promises before = std::exchange(by_router_[router], news.promises);
  before.resize(others_.size());
  for (std::size_t node = 0; node < others_.size(); ++node) {
    if (before[node] == news.promises[node]) continue;
    others_[node] = {};
    for (const auto& [id, each] : by_router_) others_[node] += each[node];
  }
}

}  // namespace radixmesh::routing
