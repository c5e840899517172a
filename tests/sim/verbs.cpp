#include "tests/sim/verbs.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTryAgain = 200ms;

std::string fails(const char* verb, std::size_t node) {
  return std::string(verb) + " does not work at node " + std::to_string(node);
}

}  // namespace

bool Verbs::soon(std::size_t node, const std::function<void(Engine&, Replica&)>& verb,
                 const std::function<bool()>& done) {
  TimePoint next{};
  const auto tried = [&] {
    if (network_.now() < next) return false;
    next = network_.now() + kTryAgain;
    verb(checker_.engine(node), network_.replica(node));
    network_.perform(node);
    checker_.engine(node).called();
    return done();
  };
  return network_.run_until(tried, within_);
}

// What is there is found, here and from the next node, and let go of again.
std::string Verbs::acquire_at(std::size_t node, const std::vector<TokenId>& key) {
  for (const std::size_t reader : {node, (node + 1) % network_.size()}) {
    const auto read = [&](Engine&, Replica& replica) {
      const auto acquired = replica.acquire(network_.now(), {}, key, true);
      if (acquired && !acquired->wait) {
        replica.release(network_.now(), acquired->path, acquired->reference);
      }
    };
    const auto found = [&] {
      const auto depths = network_.replica(reader).match_prefix({}, key, false).depths;
      const auto at = depths.find(network_.addr(node));
      return at != depths.end() && at->second == key.size();
    };
    if (!soon(reader, read, found)) return fails("acquire", reader);
  }
  return "";
}

std::string Verbs::route_at(std::size_t node, const std::vector<TokenId>& key) {
  bool chosen = false;
  const auto route = [&](Engine&, Replica& replica) {
    const auto routed = replica.route(network_.now(), {}, key, true);
    chosen = routed && routed->prefill;
    if (routed && routed->booking) replica.finish_booking(network_.now(), *routed->booking);
  };
  return soon(node, route, [&] { return chosen; }) ? "" : fails("route", node);
}

std::string Verbs::work_at(std::size_t node) {
  // Of no other key's tokens.
  const std::vector<TokenId> key(2 * page_size_, TokenId{static_cast<std::uint32_t>(5000 + node)});
  if (std::string wrong = route_at(node, key); !wrong.empty()) return wrong;
  if (network_.replica(node).self().role == Role::router) return "";
  const NodeModel& model = checker_.engine(node).model();
  const auto is_there = [&] { return model.depth(key) == key.size(); };
  const auto is_gone = [&] { return model.depth(key) == 0; };
  const auto insert = [&](Engine& engine, Replica& replica) {
    if (!is_there()) engine.insert(replica, network_.now(), key);
  };
  const auto remove = [&](Engine& engine, Replica& replica) {
    engine.remove(replica, network_.now(), key);
  };
  const auto evict = [&](Engine& engine, Replica& replica) {
    engine.evict(replica, network_.now(), replica.status().local_tokens);
  };
  const auto reset = [&](Engine& engine, Replica& replica) {
    engine.reset(replica, network_.now());
  };
  if (!soon(node, insert, is_there)) return fails("insert", node);
  if (std::string wrong = acquire_at(node, key); !wrong.empty()) return wrong;
  // The page that it ends with goes.
  if (!soon(node, remove, [&] { return !is_there(); })) return fails("delete", node);
  if (!soon(node, insert, is_there)) return fails("insert after delete", node);
  if (!soon(node, evict, is_gone)) return fails("evict", node);
  if (!soon(node, insert, is_there)) return fails("insert after evict", node);
  if (!soon(node, reset, [&] { return model.is_empty(); })) return fails("reset", node);
  return "";
}

std::string Verbs::all_work(Duration within) {
  within_ = within;
  for (std::size_t node = 0; node < network_.size(); ++node) {
    if (std::string wrong = work_at(node); !wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace radixmesh::sim
