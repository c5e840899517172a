// A simulated mesh whose nodes have names, for tests that tell a story: "p0" is a prefill node,
// "d0" a decode node, "u0" a unified one, "r0" a router; the name is the address too. Tokens are
// letters.
#pragma once

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/network.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh::sim {

inline Role role_of_name(std::string_view name) {
  switch (name.empty() ? '?' : name[0]) {
    case 'p':
      return Role::prefill;
    case 'd':
      return Role::decode;
    case 'u':
      return Role::unified;
    case 'r':
      return Role::router;
    default:
      throw std::invalid_argument("no role begins like the name " + std::string(name));
  }
}

class NamedMesh {
 public:
  // In rank order. Nothing runs yet.
  explicit NamedMesh(const std::vector<std::string>& names, ReplicaSettings common = {})
      : names_(names), network_(1, with_members(names, std::move(common))) {}

  Network& network() { return network_; }
  const std::vector<std::string>& names() const { return names_; }

  std::size_t index(std::string_view name) const {
    const auto at = std::ranges::find(names_, name);
    if (at == names_.end()) throw std::invalid_argument("no node " + std::string(name));
    return static_cast<std::size_t>(at - names_.begin());
  }
  bool running(std::string_view name) const { return network_.running(index(name)); }
  Replica& at(std::string_view name) {
    if (!running(name)) throw std::invalid_argument(std::string(name) + " does not run");
    return network_.replica(index(name));
  }
  std::uint64_t counter(std::string_view name, std::string_view counter) {
    const StatusView view = at(name).status();
    const auto found = view.counters.find(counter);
    return found == view.counters.end() ? 0 : found->second;
  }

  void start(std::string_view name) { network_.start(index(name)); }
  void start_all() {
    for (const std::string& name : names_) start(name);
  }
  // A node that is in nobody's lists asks another one to be let in.
  void join(const std::string& name, const std::string& seed) {
    names_.push_back(name);
    network_.start(network_.add_joiner({name, role_of_name(name)}, {seed}));
  }
  void drain(std::string_view name) {
    at(name).drain(now());
    network_.perform(index(name));
  }
  void attach_engine(std::string_view name, std::string_view token) {
    at(name).attach_engine(now(), token);
    network_.perform(index(name));
  }
  void crash(std::string_view name) { network_.crash(index(name)); }
  void run(Duration duration) { network_.run_for(duration); }

  // The engine's verbs, with one slot per letter from `slot` on.
  InsertResult insert(std::string_view name, std::string_view letters, std::uint64_t slot) {
    const auto tokens = tokens_of(letters);
    return done(name, at(name).insert(now(), {}, tokens, {{Slot{slot}, tokens.size()}}));
  }
  SlotRuns evict(std::string_view name, std::uint64_t tokens) {
    return done(name, at(name).evict(now(), tokens)).freed;
  }
  SlotRuns remove(std::string_view name, std::string_view letters) {
    return done(name, at(name).remove(now(), {}, tokens_of(letters)));
  }
  SlotRuns reset(std::string_view name) { return done(name, at(name).reset(now())); }
  // What is here is locked, and with `remote` what another node has referred to. Waits for that.
  Acquired acquire(std::string_view name, std::string_view letters, bool remote = false) {
    return acquire(name, tokens_of(letters), remote);
  }
  Acquired acquire(std::string_view name, std::span<const TokenId> tokens, bool remote) {
    const TimePoint until = now() + std::chrono::seconds(2);
    while (true) {
      auto acquired = done(name, at(name).acquire(now(), {}, tokens, remote));
      if (!acquired.wait) return acquired;
      const auto answered = [&] { return !at(name).waits(now(), *acquired.wait); };
      if (!network_.run_until(answered, until - now())) remote = false;
    }
  }
  void release(std::string_view name, const Acquired& acquired) {
    at(name).release(now(), acquired.path, acquired.reference);
    network_.perform(index(name));
  }
  bool is_valid(std::string_view name, const Acquired& acquired) {
    return at(name).is_valid(now(), acquired.reference);
  }
  // The node's engine frees what it is told to free. It says so at once, or never.
  void frees(std::string_view name, bool acknowledges = true) {
    const std::size_t node = index(name);
    at(name).set_engine_frees(now(), true, false);
    acknowledges_.resize(std::max(acknowledges_.size(), node + 1));
    acknowledges_[node] = acknowledges;
    network_.on_gc_free = [this](std::size_t who, const GcFree& event) {
      told_[who].append(event.slots);
      if (who < acknowledges_.size() && acknowledges_[who]) {
        network_.replica(who).acknowledge_free(event.number);
      }
    };
    network_.perform(node);
  }
  // What it was told to free since this was last asked, in ascending order.
  SlotRuns told_to_free(std::string_view name) {
    std::vector<SlotRun> runs = std::exchange(told_[index(name)], {}).runs();
    std::ranges::sort(runs, {}, &SlotRun::start);
    SlotRuns slots;
    for (const SlotRun& run : runs) slots.append(run);
    return slots;
  }
  MatchView match(std::string_view name, std::string_view letters) {
    return at(name).match_prefix({}, tokens_of(letters));
  }
  RouteView route(std::string_view name, std::string_view letters, bool book = false) {
    return done(name, at(name).route(now(), {}, tokens_of(letters), book));
  }
  TimePoint now() const { return network_.now(); }

  // All that run have the same vector and digests.
  bool agrees() {
    std::vector<StatusView> views;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (network_.running(i)) views.push_back(network_.replica(i).status());
    }
    return std::ranges::all_of(views, [&](const StatusView& view) {
      return std::ranges::equal(view.vector, views[0].vector, [](const auto& a, const auto& b) {
        return a.first == b.first && a.second.epoch == b.second.epoch &&
               a.second.seq == b.second.seq && a.second.digest == b.second.digest;
      });
    });
  }

 private:
  static ReplicaSettings with_members(const std::vector<std::string>& names,
                                      ReplicaSettings common) {
    for (const std::string& name : names) common.members.push_back({name, role_of_name(name)});
    return common;
  }
  template <class T>
  T done(std::string_view name, Replica::Result<T> result) {
    network_.perform(index(name));
    if (!result) throw std::runtime_error("refused: " + result.error().message);
    return std::move(*result);
  }

  std::vector<std::string> names_;
  Network network_;
  std::vector<bool> acknowledges_;
  std::map<std::size_t, SlotRuns> told_;
};

}  // namespace radixmesh::sim
