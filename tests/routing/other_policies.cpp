// What others do. Each has what its original has: its own bookkeeping of what it sent, the loads
// that nodes report, and the index; one whose routers tell each other, that as well.
#include <algorithm>
#include <functional>
#include <stdexcept>

#include "tests/routing/core_policy.h"
#include "tests/routing/policy.h"

namespace radixmesh::routing {
namespace {

class RoundRobin final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    do {
      next_ = (next_ + 1) % query.depths.size();
    } while (query.depths[next_] < 0);
    return next_;
  }
  std::size_t next_ = 0;
};

class LeastLoaded final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    return least(query, [&](std::size_t node) { return reported_requests(node); });
  }
};

// By rendezvous of the second block: the first is the same for whole tenants.
class PrefixHash final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    const auto& blocks = query.request.blocks;
    const std::uint64_t seen = blocks[std::min<std::size_t>(1, blocks.size() - 1)];
    return least(query, [&](std::size_t node) {
      std::uint64_t z = (seen << 20 | node) * 0x9E3779B97F4A7C15ull;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      return static_cast<double>((z ^ (z >> 27)) >> 12);
    });
  }
};

class LongestMatch final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    return least(query, [&](std::size_t node) {
      return -1e6 * query.depths[node] + reported_requests(node);
    });
  }
};

// SMG: balanced, the longest match if it covers 30 % of the prompt, else the least loaded; the
// least loaded where (max - min) > 64 and max > 1.5 min. Load is what this router has under way.
class SmgCacheAware final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    double low = 1e18, high = 0;
    int deepest = 0;
    for (std::size_t node = 0; node < query.depths.size(); ++node) {
      if (query.depths[node] < 0) continue;
      low = std::min(low, own_requests(node));
      high = std::max(high, own_requests(node));
      deepest = std::max(deepest, query.depths[node]);
    }
    const bool imbalanced = high - low > 64 && high > 1.5 * low;
    const bool covers = deepest >= 0.3 * static_cast<double>(query.request.blocks.size());
    return least(query, [&](std::size_t node) {
      if (imbalanced || !covers) return own_requests(node);
      return -1e6 * query.depths[node] + own_requests(node);
    });
  }
};

// llm-d's weights 2 : 1 : 1 of prefix share, free KV and shortness of the queue among all.
class LlmdWeighted final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    double low = 1e18, high = 0;
    for (std::size_t node = 0; node < query.depths.size(); ++node) {
      if (query.depths[node] < 0) continue;
      low = std::min(low, reported_waiting(node));
      high = std::max(high, reported_waiting(node));
    }
    return least(query, [&](std::size_t node) {
      const double prefix = query.depths[node] / static_cast<double>(query.request.blocks.size());
      const double free = 1 - static_cast<double>(load(node).kv_used) / fleet_.kv_tokens;
      const double queue = high > low ? (high - reported_waiting(node)) / (high - low) : 1;
      return -(2 * prefix + free + queue);
    });
  }
};

// llm-d's gate: among those that have at least 80 % of the prompt, unless the best of them is more
// than 5 s behind the best of all; then, and where there are none, the best of all.
class AffinityGate final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    const auto predicted_s = [&](std::size_t node) {
      return (reported_queue(node) + query.missing(node)) / fleet_.prefill_rate;
    };
    const auto sticks = [&](std::size_t node) {
      return query.depths[node] >= 0.8 * static_cast<double>(query.request.blocks.size());
    };
    const std::size_t best = least(query, predicted_s);
    const std::size_t sticky = least(
        query, [&](std::size_t node) { return predicted_s(node) + (sticks(node) ? 0 : 1e9); });
    return sticks(sticky) && predicted_s(sticky) <= predicted_s(best) + 5 ? sticky : best;
  }
};

// Dynamo, in blocks: max((A + isl) / bs - overlap, 0) + D; A and D of all routers, which tell each
// other what they have under way.
class DynamoCost final : public Policy {
  using Policy::Policy;
  bool tells() const override { return true; }
  std::size_t choose(double, const Query& query) override {
    return least(query, [&](std::size_t node) {
      const double blocks = (prefill_tokens(node) + query.tokens()) / kBlockTokens;
      return std::max(blocks - query.depths[node], 0.0) + decode_tokens(node) / kBlockTokens;
    });
  }
};

template <class P>
std::unique_ptr<Policy> make(const FleetView& fleet, std::uint64_t seed) {
  return std::make_unique<P>(fleet, seed);
}

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Policy>(const FleetView&, std::uint64_t)> make;
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"cost",
       [](const FleetView& fleet, std::uint64_t seed) {
         return std::make_unique<CorePolicy>(fleet, seed, RoutingPolicy::cost);
       }},
      {"prefix_first",
       [](const FleetView& fleet, std::uint64_t seed) {
         return std::make_unique<CorePolicy>(fleet, seed, RoutingPolicy::prefix_first);
       }},
      {"round_robin", make<RoundRobin>},
      {"least_loaded", make<LeastLoaded>},
      {"prefix_hash", make<PrefixHash>},
      {"longest_match", make<LongestMatch>},
      {"smg_cache_aware", make<SmgCacheAware>},
      {"llmd_2_1_1", make<LlmdWeighted>},
      {"llmd_affinity_gate", make<AffinityGate>},
      {"dynamo_cost", make<DynamoCost>},
  };
  return all;
}

}  // namespace

const std::vector<std::string>& policy_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Kind& each : kinds()) out.push_back(each.name);
    return out;
  }();
  return names;
}

std::unique_ptr<Policy> make_policy(std::string_view name, const FleetView& fleet,
                                    std::uint64_t seed) {
  for (const Kind& each : kinds()) {
    if (each.name == name) return each.make(fleet, seed);
  }
  throw std::runtime_error("no policy: " + std::string(name));
}

}  // namespace radixmesh::routing
