// What others do. Each has what its original has: its own bookkeeping of what it sent, the loads
// that nodes report, and the index; one whose routers tell each other, that as well.
#include <tsl/robin_map.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <unordered_map>

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

// SMG's prefix_hash: by the prompt's beginning, here the second block, as the first is the same for
// whole tenants. Of those whose load is at most so much of the mean the one that draws the highest.
template <int LoadPercent>
class PrefixHash final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    const auto& blocks = query.request.blocks;
    const std::uint64_t seen = blocks[std::min<std::size_t>(1, blocks.size() - 1)];
    double sum = 1, alive = 0;
    for (std::size_t node = 0; node < query.depths.size(); ++node) {
      if (query.depths[node] < 0) continue;
      sum += own_requests(node);
      ++alive;
    }
    return least(query, [&](std::size_t node) {
      const bool full = 100 * own_requests(node) >= LoadPercent * sum / alive;
      std::uint64_t z = (seen << 20 | node) * 0x9E3779B97F4A7C15ull;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      return static_cast<double>((z ^ (z >> 27)) >> 12) + (full ? 1e18 : 0);
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

// SMG's cache_aware. Load is what this router has under way; where max - min and max / min are
// large, the least loaded. Otherwise the longest match: with KV events of any length, and without
// if it covers so much of the prompt (its tree is approximate; here it is exact), else the least
// loaded. The command line's defaults are 30 %, 64 and 1.5, those of the library 50 %, 32 and 1.1.
template <int CoversPercent, int More, int TimesPercent>
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
    const bool imbalanced = high - low > More && 100 * high > TimesPercent * low;
    const bool covers =
        100 * deepest >= CoversPercent * static_cast<double>(query.request.blocks.size());
    return least(query, [&](std::size_t node) {
      if (imbalanced || !covers) return own_requests(node);
      return -1e6 * query.depths[node] + own_requests(node);
    });
  }
};

// llm-d's weighted sum of prefix share, free KV and shortness of the queue among all: 2 : 1 : 1 in
// the sample of its precise index, 3 : 2 : 2 in its chart.
template <int Prefix, int Free, int Queue>
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
      return -(Prefix * prefix + Free * free + Queue * queue);
    });
  }
};

// llm-d's gate: among those that have at least 80 % of the prompt, unless the first token comes
// there more than so many seconds later than elsewhere. What it goes by are the uncached tokens
// that this router has in flight, until their first token; it reads no reports.
template <int PenaltyS>
class AffinityGate final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    const auto in_flight_s = [&](std::size_t node) {
      return own_prefill_tokens(node) / fleet_.prefill_rate;
    };
    const auto sticks = [&](std::size_t node) {
      return query.depths[node] >= 0.8 * static_cast<double>(query.request.blocks.size());
    };
    double sticky_s = 1e18, other_s = 1e18;
    for (std::size_t node = 0; node < query.depths.size(); ++node) {
      if (query.depths[node] < 0) continue;
      double& best_s = sticks(node) ? sticky_s : other_s;
      best_s = std::min(best_s, in_flight_s(node));
    }
    const bool stays = sticky_s < 1e18 && sticky_s - std::min(other_s, sticky_s) <= PenaltyS;
    return least(query, [&](std::size_t node) {
      if (stays && !sticks(node)) return 1e18;
      return in_flight_s(node) + query.missing(node) / fleet_.prefill_rate;
    });
  }
};

// Dynamo, in blocks: weight x max((A + isl) / bs - overlap, 0) + D, where D are the distinct blocks
// of the requests that a node has under way, and those that this one adds. Its routers tell each
// other.
template <int WeightPercent>
class DynamoCost final : public Policy {
 public:
  DynamoCost(const FleetView& fleet, std::uint64_t seed)
      : Policy(fleet, seed), active_(fleet.nodes) {}
  bool tells() const override { return true; }

  std::optional<Choice> route(double now_s, const Query& query) override {
    const auto made = Policy::route(now_s, query);
    const std::size_t holds = made->decode.value_or(made->node);
    for (std::uint32_t block : query.request.blocks) ++active_[holds][block];
    under_way_[made->ticket] = {holds, &query.request};
    return made;
  }
  void finish(double now_s, std::uint64_t ticket) override {
    Policy::finish(now_s, ticket);
    const auto found = under_way_.find(ticket);
    if (found == under_way_.end()) return;
    const auto [node, request] = found->second;
    for (std::uint32_t block : request->blocks) {
      const auto at = active_[node].find(block);
      if (at != active_[node].end() && --at.value() == 0) active_[node].erase(at);
    }
    under_way_.erase(found);
  }
  void node_died(double now_s, std::size_t node) override {
    Policy::node_died(now_s, node);
    active_[node].clear();
    std::erase_if(under_way_, [&](const auto& each) { return each.second.first == node; });
  }
  RouterNews take_news() override {
    RouterNews news = Policy::take_news();
    for (std::size_t node = 0; node < active_.size(); ++node) {
      news.promises[node].decode_tokens = active_[node].size() * kBlockTokens;
    }
    return news;
  }
  void gateway_crashed() override {
    Policy::gateway_crashed();
    active_.assign(fleet_.nodes, {});
    under_way_.clear();
  }

 private:
  std::size_t choose(double, const Query& query) override {
    return least(query, [&](std::size_t node) {
      const double blocks = (prefill_tokens(node) + query.tokens()) / kBlockTokens;
      double decode =
          static_cast<double>(active_[node].size()) + others_decode_tokens(node) / kBlockTokens;
      for (std::uint32_t block : query.request.blocks) {
        decode += active_[node].contains(block) ? 0 : 1;
      }
      return WeightPercent / 100.0 * std::max(blocks - query.depths[node], 0.0) + decode;
    });
  }

  std::vector<tsl::robin_map<std::uint32_t, std::uint32_t>> active_;
  std::unordered_map<std::uint64_t, std::pair<std::size_t, const Request*>> under_way_;
};

// LMetric: what the node would have to compute by then, times the requests that it would have.
class LMetric final : public Policy {
  using Policy::Policy;
  std::size_t choose(double, const Query& query) override {
    return least(query, [&](std::size_t node) {
      return (own_prefill_tokens(node) + query.missing(node)) * (reported_requests(node) + 1);
    });
  }
};

// Of two that are drawn, the one that has less to do.
class TwoChoices final : public Policy {
 public:
  TwoChoices(const FleetView& fleet, std::uint64_t seed) : Policy(fleet, seed), drawn_(seed) {}

 private:
  std::size_t choose(double, const Query& query) override {
    const std::size_t one = draw(query), other = draw(query);
    return reported_requests(one) <= reported_requests(other) ? one : other;
  }
  std::size_t draw(const Query& query) {
    std::size_t node = 0;
    do {
      node = drawn_() % query.depths.size();
    } while (query.depths[node] < 0);
    return node;
  }
  std::mt19937_64 drawn_;
};

// Selective pushing: a request stays at its router until there is a node at which none waits; of
// those it goes to the one that has most of it.
class SelectivePushing final : public Policy {
  using Policy::Policy;
  bool is_free(std::size_t node) const {
    return load(node).waiting == 0 && own_prefills(node) == 0;
  }
  bool may_send(const Query& query) const override {
    for (std::size_t node = 0; node < query.depths.size(); ++node) {
      if (query.depths[node] >= 0 && is_free(node)) return true;
    }
    return false;
  }
  std::size_t choose(double, const Query& query) override {
    return least(query, [&](std::size_t node) {
      return -1e6 * query.depths[node] + reported_requests(node) + (is_free(node) ? 0 : 1e12);
    });
  }
};

template <class P>
std::unique_ptr<Policy> make(const FleetView& fleet, std::uint64_t seed, const RoutingSettings&) {
  return std::make_unique<P>(fleet, seed);
}
template <RoutingPolicy Which>
std::unique_ptr<Policy> make_core(const FleetView& fleet, std::uint64_t seed,
                                  const RoutingSettings& core) {
  RoutingSettings settings = core;
  settings.policy = Which;
  return std::make_unique<CorePolicy>(fleet, seed, settings);
}

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Policy>(const FleetView&, std::uint64_t, const RoutingSettings&)>
      make;
};
// Where one has a parameter, its source's defaults and two values beside.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"cost", make_core<RoutingPolicy::cost>},
      {"prefix_first", make_core<RoutingPolicy::prefix_first>},
      {"round_robin", make<RoundRobin>},
      {"least_loaded", make<LeastLoaded>},
      {"two_choices", make<TwoChoices>},
      {"prefix_hash", make<PrefixHash<125>>},
      {"prefix_hash_2", make<PrefixHash<200>>},
      {"prefix_hash_unbound", make<PrefixHash<1'000'000>>},
      {"longest_match", make<LongestMatch>},
      {"smg_cache_aware", make<SmgCacheAware<30, 64, 150>>},
      {"smg_library", make<SmgCacheAware<50, 32, 110>>},
      {"smg_events", make<SmgCacheAware<0, 64, 150>>},
      {"llmd_2_1_1", make<LlmdWeighted<2, 1, 1>>},
      {"llmd_3_2_2", make<LlmdWeighted<3, 2, 2>>},
      {"llmd_1_1_1", make<LlmdWeighted<1, 1, 1>>},
      {"llmd_gate_5", make<AffinityGate<5>>},
      {"llmd_gate_18", make<AffinityGate<18>>},
      {"llmd_gate_2", make<AffinityGate<2>>},
      {"dynamo", make<DynamoCost<100>>},
      {"dynamo_half", make<DynamoCost<50>>},
      {"dynamo_2", make<DynamoCost<200>>},
      {"lmetric", make<LMetric>},
      {"selective_pushing", make<SelectivePushing>},
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
                                    std::uint64_t seed, const RoutingSettings& core) {
  for (const Kind& each : kinds()) {
    if (each.name == name) return each.make(fleet, seed, core);
  }
  throw std::runtime_error("no policy: " + std::string(name));
}

}  // namespace radixmesh::routing
