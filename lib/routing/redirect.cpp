// Router: whether a request that is queued at a node should go to another one.
#include <xxhash.h>

#include <algorithm>
#include <limits>

#include "lib/routing/router.h"

namespace radixmesh {

// The nodes as they were if the request were not queued at `at`. It, and what it is to read, may be
// booked there: that is a reason neither to send it on nor to keep it.
std::vector<RouteCandidate> Router::without_request(const Routed& seen, std::size_t at) const {
  std::vector<RouteCandidate> without = seen.candidates;
  RouteCandidate& node = without[at];
  node.depth = node.indexed;
  const double lacks = seen.tokens - std::min(seen.tokens, node.depth);
  node.prefills -= std::min(node.prefills, 1u);
  node.requests -= std::min(node.requests, 1u);
  node.busy = std::max(0.0, node.busy - Traffic::busy_with(lacks / node.prefill_rate));
  node.decode_tokens -= std::min<double>(seen.tokens, node.decode_tokens);
  node.kv_taken -= std::min(lacks, node.kv_taken);
  const double reads = std::min(lacks, node.pull_in_tokens);
  node.pull_in_tokens -= reads;
  for (RouteCandidate& each : without) {
    each.pull_out_tokens = std::max(0.0, each.pull_out_tokens - reads);
  }
  const double compute = cost_terms(without, seen.tokens, settings_.weights, lots())[at].compute;
  node.queued_tokens = std::max(0.0, node.queued_tokens - compute * node.prefill_rate);
  return without;
}

// Of the nodes that serve the role the one at which it costs the least, if that is less than here.
std::optional<std::size_t> Router::sooner_at(const Routed& seen, NodeId here, Role role,
                                             std::span<const NodeId> visited) const {
  const auto cost = [&](std::size_t at) {
    const CostTerms& of = seen.terms[at];
    if (role == Role::decode) return of.as_decode();
    return role == Role::unified ? of.as_both() : of.as_prefill();
  };
  std::optional<std::size_t> to;
  // A node that may not be chosen, as it leaves, is to get rid of what it has.
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < seen.candidates.size(); ++i) {
    if (seen.candidates[i].id == here) best = cost(i) - settings_.redirect_cost;
  }
  for (std::size_t i = 0; i < seen.candidates.size(); ++i) {
    const RouteCandidate& each = seen.candidates[i];
    const bool serves = each.role == role || each.role == Role::unified;
    if (each.id == here || !serves || std::ranges::count(visited, each.id) > 0) continue;
    if (cost(i) >= best) continue;
    best = cost(i);
    to = i;
  }
  return to;
}

// So that those that are asked for next do not all go to the same place.
void Router::note_move(TimePoint now, const RouteQuery& query, const Routed& seen, NodeId here,
                       std::size_t to) {
  const auto bytes = std::as_bytes(query.tokens);
  const std::uint64_t prompt = XXH3_64bits_withSeed(bytes.data(), bytes.size(), salt_);
  if (!moves_.note(now, prompt, Traffic::kMovedLives)) return;
  const auto lacks = [&](const RouteCandidate& at) {
    return static_cast<double>(seen.tokens - std::min(seen.tokens, at.depth));
  };
  const RouteCandidate& comes = seen.candidates[to];
  traffic_.move(now, comes.id, lacks(comes), 1);
  const auto leaves = std::ranges::find(seen.candidates, here, &RouteCandidate::id);
  if (leaves != seen.candidates.end()) traffic_.move(now, here, -lacks(*leaves), -1);
}

Redirected Router::redirect(TimePoint now, const RouteQuery& query,
                            std::span<const RouteNode> nodes, NodeId here, Role role,
                            std::span<const NodeId> visited) {
  Redirected out;
  out.seen = look(now, query, nodes);
  Routed& seen = out.seen;
  const auto self = std::ranges::find(seen.candidates, here, &RouteCandidate::id);
  if (self != seen.candidates.end()) {
    if (visited.size() >= settings_.redirect_hops_max) {
      out.reason = RedirectReason::hop_limit;
      return out;
    }
    seen.candidates =
        without_request(seen, static_cast<std::size_t>(self - seen.candidates.begin()));
    seen.terms = cost_terms(seen.candidates, seen.tokens, settings_.weights, lots());
  }
  out.to = sooner_at(seen, here, role, visited);
  if (out.to) {
    out.reason = RedirectReason::sooner;
    note_move(now, query, seen, here, *out.to);
  }
  return out;
}

}  // namespace radixmesh
