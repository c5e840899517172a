// A router of the simulated fleet: what it hears, and whom it chooses. One object per router.
//
// Compared are the project's own core (core_policy.h) and what others do, written anew from their
// published descriptions; the formulas stand beside each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/booked_chunks.h"
#include "lib/base/promise.h"
#include "lib/oplog/message.h"
#include "lib/routing/settings.h"
#include "tests/routing/workload.h"

namespace radixmesh::routing {

struct FleetView {
  std::uint32_t nodes = 0;
  std::uint32_t prefill_nodes = 0;  // the first; the others decode. 0: all do both
  double prefill_rate = 0;          // tokens/s
  double kv_tokens = 0;             // of a node
  double pull_rate = 0;             // tokens/s of KV that a node reads from others, or gives
};

// A request with how many of its blocks each node has by the index; -1: the node is not alive.
struct Query {
  const Request& request;
  std::vector<int> depths;
  double tokens() const { return static_cast<double>(request.blocks.size()) * kBlockTokens; }
  double missing(std::size_t node) const { return tokens() - depths[node] * double{kBlockTokens}; }
};

// Promises by node, in sum.
using Promises = std::vector<Promise>;

// What a router tells the others.
struct RouterNews {
  std::uint64_t version = 0;
  Promises promises;
  // Of the project's own instead of these.
  std::vector<std::pair<NodeId, Promise>> rows;
  std::vector<BookedChunks> chunks;
};

class Policy {
 public:
  Policy(const FleetView& fleet, std::uint64_t seed)
      : fleet_(fleet),
        own_(fleet.nodes),
        others_(fleet.nodes),
        loads_(fleet.nodes),
        random_(seed) {}
  virtual ~Policy() = default;

  // Chooses a node, and remembers what it sent there under the returned ticket. Nothing: it keeps
  // the request for now.
  struct Choice {
    std::size_t node = 0;
    std::optional<std::size_t> decode;  // where the others decode
    std::uint64_t ticket = 0;
    struct Source {
      std::size_t node = 0;
      std::uint32_t blocks = 0;  // up to there
    };
    std::optional<Source> source;  // of KV that is not computed
  };
  virtual std::optional<Choice> route(double now_s, const Query& query);
  virtual void prefill_done(double now_s, std::uint64_t ticket);
  virtual void finish(double now_s, std::uint64_t ticket);
  virtual void hear_load(double now_s, std::size_t node, const Load& load);
  virtual void node_died(double now_s, std::size_t node);
  // Its process begins anew, and what it sent is nobody's.
  virtual void gateway_crashed();
  // What it would tell the other routers, if its kind does.
  virtual bool tells() const { return false; }
  virtual bool has_news() const { return version_ != told_; }
  virtual RouterNews take_news() { return {told_ = version_, own_, {}, {}}; }
  virtual void hear_news(double now_s, std::size_t router, const RouterNews& news);

 protected:
  virtual std::size_t choose(double now_s, const Query& query) = 0;
  // Whether it sends to one of these now.
  virtual bool may_send(const Query&) const { return true; }

  // Requests, prompt tokens and KV that this router, and those that it hears, sent and that are not
  // done; and what the node reported, with what this router sent since.
  double requests(std::size_t node) const { return own_[node].requests + others_[node].requests; }
  double own_requests(std::size_t node) const { return own_[node].requests; }
  double own_prefills(std::size_t node) const { return own_[node].prefills; }
  double own_prefill_tokens(std::size_t node) const {
    return static_cast<double>(own_[node].prefill_tokens);
  }
  double prefill_tokens(std::size_t node) const {
    return static_cast<double>(own_[node].prefill_tokens + others_[node].prefill_tokens);
  }
  double others_decode_tokens(std::size_t node) const {
    return static_cast<double>(others_[node].decode_tokens);
  }
  double reported_requests(std::size_t node) const {
    return 0.0 + loads_[node].load.running + loads_[node].load.waiting + loads_[node].sent_since;
  }
  double reported_waiting(std::size_t node) const {
    return 0.0 + loads_[node].load.waiting + loads_[node].sent_since;
  }
  const Load& load(std::size_t node) const { return loads_[node].load; }
  template <class Cost>
  std::size_t least(const Query& query, Cost&& cost);  // of those alive; equals by lot

  FleetView fleet_;

 private:
  struct Sent {
    std::size_t node = 0, decode = 0;
    std::uint32_t prefill_tokens = 0, tokens = 0;
    bool prefilled = false;
  };
  struct Reported {
    Load load;
    double sent_since = 0;
  };
  Query only(const Query& query, bool prefill) const;

  Promises own_, others_;
  std::unordered_map<std::size_t, Promises> by_router_;
  std::vector<Reported> loads_;
  std::unordered_map<std::uint64_t, Sent> sent_;
  std::uint64_t next_ticket_ = 1, version_ = 0, told_ = 0;
  std::mt19937_64 random_;
};

// The names of all policies, the project's own first.
const std::vector<std::string>& policy_names();
// Throws std::runtime_error for a name that is none.
// `core`: of the project's own.
std::unique_ptr<Policy> make_policy(std::string_view name, const FleetView& fleet,
                                    std::uint64_t seed, const RoutingSettings& core);

template <class Cost>
std::size_t Policy::least(const Query& query, Cost&& cost) {
  std::size_t best = query.depths.size(), equals = 0;
  double best_cost = 0;
  for (std::size_t node = 0; node < query.depths.size(); ++node) {
    if (query.depths[node] < 0) continue;
    const double each = cost(node);
    if (best == query.depths.size() || each < best_cost) {
      best = node;
      best_cost = each;
      equals = 1;
    } else if (each == best_cost && random_() % ++equals == 0) {
      best = node;
    }
  }
  return best;
}

}  // namespace radixmesh::routing
