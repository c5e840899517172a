#include "tests/sim/scale.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <stdexcept>

#include "lib/base/node_id.h"
#include "tests/sim/network.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHop = 100us, kJitterMax = 5us;
constexpr std::uint32_t kPageSize = 16;
constexpr std::uint32_t kSharedTokens = 32, kOwnTokens = 32;  // of each key
constexpr std::size_t kOpsPerNode = 4;
constexpr Duration kLoadWindow = 200ms, kPartition = 10s, kRelayPause = 20ms;
// Nothing that the mesh has to do by itself takes longer.
constexpr Duration kLimit = 120s;
// After a relay's death ops are on time again when so many in a row were.
constexpr int kOnTimeInARow = 25;
constexpr Duration kOnTime = 5ms;

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1000; }

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::ceil(share * last))];
}

std::string addr_of(std::size_t node) {
  char text[32];
  std::snprintf(text, sizeof text, "node-%04zu", node);
  return text;
}
std::size_t node_of(const std::string& addr) { return std::stoul(addr.substr(5)); }

ReplicaSettings settings_for(const ScaleOptions& options) {
  ReplicaSettings settings;
  settings.page_size = kPageSize;
  settings.topology = options.topology;
  for (std::size_t i = 0; i < options.nodes; ++i) {
    settings.members.push_back({addr_of(i), Role::prefill});
  }
  return settings;
}

struct Op {
  TimePoint published, last_applied;
  std::size_t applied_by = 0;
  std::vector<std::uint16_t> hops;  // per node; its origin has 0
};

class ScaleRun {
 public:
  explicit ScaleRun(const ScaleOptions& options)
      : options_(options), n_(options.nodes), network_(options.seed, settings_for(options)) {
    network_.keeps_log = false;
    network_.faults.delay_fixed = kHop;
    network_.faults.jitter_max = kJitterMax;
    ops_.resize(n_);
    alive_.resize(n_, std::vector<bool>(n_));
    living_in_.resize(n_);
    last_arrival_.resize(n_);
    network_.on_applied = [this](std::size_t node, const OpApplied& event) {
      applied(node, event);
    };
    network_.on_membership = [this](std::size_t node, const MembershipChanged& event) {
      set_alive(node, node_of(event.addr), event.state == MemberState::alive);
    };
  }

  ScaleRow operator()() {
    row_.nodes = n_;
    row_.topology = topology_name(options_.topology);
    const std::clock_t began = std::clock();
    try {
      phase("start", [this] { start(); });
      phase("idle", [this] { idle(); });
      phase("load", [this] { load(); });
      phase("kill", [this] { kill(); });
      phase("partition", [this] { partition(); });
      if (options_.topology == Topology::groups) phase("relay", [this] { kill_relay(); });
      phase("check", [this] { check(); });
    } catch (const std::runtime_error& error) {
      row_.failure = error.what();
    }
    row_.cpu_s = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    return row_;
  }

 private:
  // ---- what happens ----------------------------------------------------------------------------

  void start() {
    const TimePoint began = network_.now();
    for (std::size_t i = 0; i < n_; ++i) network_.start(i);
    std::size_t ready = 0;  // so many from the front: none goes back
    wait("everyone is ready", [&] {
      while (ready < n_ && network_.replica(ready).ready()) ++ready;
      return ready == n_;
    });
    row_.ready_ms = ms(network_.now() - began);
    wait("everyone is alive", [&] { return all_alive(); });
    network_.run_for(1s);
  }

  void idle() {
    const std::uint64_t messages = network_.messages, bytes = network_.bytes;
    network_.run_for(2s);
    const double node_seconds = 2 * static_cast<double>(n_);
    row_.idle_messages_per_node_s =
        static_cast<double>(network_.messages - messages) / node_seconds;
    row_.idle_bytes_per_node_s = static_cast<double>(network_.bytes - bytes) / node_seconds;
  }

  void load() {
    const std::uint64_t messages = network_.messages, bytes = network_.bytes;
    const std::uint64_t op_messages = network_.op_messages, op_bytes = network_.op_bytes;
    insert_at_random(kOpsPerNode, kLoadWindow);
    wait("every op is everywhere", [this] { return under_way_ == 0; });
    row_.ops = kOpsPerNode * n_;
    const auto per_op = [&](std::uint64_t now, std::uint64_t before) {
      return static_cast<double>(now - before) / static_cast<double>(row_.ops);
    };
    row_.messages_per_op = per_op(network_.messages, messages);
    row_.bytes_per_op = per_op(network_.bytes, bytes);
    row_.op_messages_per_op = per_op(network_.op_messages, op_messages);
    row_.op_bytes_per_op = per_op(network_.op_bytes, op_bytes);
    std::vector<double> last_node_ms;
    std::uint64_t hops = 0;
    for (const std::vector<Op>& of_node : ops_) {
      for (const Op& op : of_node) {
        last_node_ms.push_back(ms(op.last_applied - op.published));
        for (const std::uint16_t each : op.hops) {
          hops += each;
          row_.hops_max = std::max<std::uint32_t>(row_.hops_max, each);
        }
      }
    }
    row_.hops_mean = static_cast<double>(hops) / static_cast<double>(row_.ops * (n_ - 1));
    row_.last_node_ms_p50 = quantile(last_node_ms, 0.5);
    row_.last_node_ms_p99 = quantile(last_node_ms, 0.99);
    wait_for_agreement("after the load");
  }

  // A node is killed; while it is away others insert; it comes back empty.
  void kill() {
    const std::size_t victim = network_.random() % n_;
    const TimePoint killed = network_.now();
    crash(victim);
    wait("the killed node is out of all answers", [&] { return living_in_[victim] == 0; });
    row_.killed_out_ms = ms(network_.now() - killed);
    for (std::size_t i = 0; i < n_; ++i) {
      if (i == victim) continue;
      for (const NodeView& view : network_.replica(i).nodes(network_.now())) {
        const bool is_victim = view.addr == addr_of(victim);
        if (is_victim == (view.state == MemberState::alive)) {
          throw std::runtime_error(addr_of(i) + " has " + view.addr + " as " +
                                   std::string(state_name(view.state)));
        }
      }
    }
    for (std::size_t i = victim % 10; i < n_; i += 10) {
      if (network_.running(i)) insert(i);
    }
    network_.run_for(500ms);
    const TimePoint back = network_.now();
    network_.start(victim);
    wait_for_agreement("after a restart");
    row_.restart_heal_ms = ms(network_.now() - back);
    wait("all are alive after a restart",
         [&] { return all_alive() && network_.replica(victim).ready(); });
    row_.restart_whole_ms = ms(network_.now() - back);
  }

  void partition() {
    for (std::size_t i = 0; i < n_; ++i) network_.side.push_back(i < n_ / 2 ? 0 : 1);
    const TimePoint parted = network_.now();
    insert_at_random(1, kLoadWindow);
    network_.run_for(parted + kPartition - network_.now());
    if (agree()) throw std::runtime_error("a partition kept nobody apart");
    network_.side.clear();
    const TimePoint healed = network_.now();
    wait_for_agreement("after a partition");
    row_.partition_heal_ms = ms(network_.now() - healed);
    wait("all are alive after a partition", [this] { return all_alive(); });
    row_.partition_whole_ms = ms(network_.now() - healed);
  }

  // The relay of an origin into a group is killed while the origin publishes.
  void kill_relay() {
    View view;
    for (std::size_t i = 0; i < n_; ++i) {
      view.places.push_back({id_of(i), NodeRank{static_cast<std::uint32_t>(i)}});
    }
    view.members = n_;
    const std::size_t origin = network_.random() % 2;
    // The first that is not in the origin's group is in one that is full, if there are two such.
    std::size_t member = 2;
    while (member < n_ && !relays_into_group_of(view, id_of(member), id_of(origin)).first) {
      ++member;
    }
    if (member == n_) throw std::runtime_error("all are in one group");
    const auto relay_id = relays_into_group_of(view, id_of(member), id_of(origin)).first;
    std::size_t relay = 0;
    while (id_of(relay) != *relay_id) ++relay;
    std::vector<std::size_t> others;
    for (std::size_t i = 0; i < n_; ++i) {
      if (i == relay) continue;
      if (relays_into_group_of(view, id_of(i), id_of(origin)).first == relay_id) {
        others.push_back(i);
      }
    }
    watch(origin, relay, others);
    network_.start(relay);
    wait_for_agreement("after a relay's death");
    wait("all are alive after a relay's death", [this] { return all_alive(); });
  }

  void watch(std::size_t origin, std::size_t relay, const std::vector<std::size_t>& others) {
    const auto publish_one = [&] {
      insert(origin);
      network_.run_for(kRelayPause);
    };
    for (int i = 0; i < 5; ++i) publish_one();
    watched_ = origin;
    longest_gap_ = {};
    std::ranges::fill(last_arrival_, kNever);
    for (std::size_t each : others) last_arrival_[each] = network_.now();
    const std::size_t first = ops_[origin].size();
    crash(relay);
    const TimePoint killed = network_.now();
    int on_time = 0;
    TimePoint last_late = killed;
    while (on_time < kOnTimeInARow) {
      publish_one();
      const Op& op = ops_[origin].back();
      const bool was_on_time = op.applied_by == n_ - 1 && op.last_applied - op.published < kOnTime;
      on_time = was_on_time ? on_time + 1 : 0;
      if (!was_on_time) last_late = network_.now();
      if (network_.now() - killed > kLimit) {
        throw std::runtime_error("nobody took over from a relay that died");
      }
    }
    for (std::size_t i = first; i < ops_[origin].size(); ++i) {
      if (ops_[origin][i].applied_by != n_ - 1) {
        throw std::runtime_error("an op was lost with its relay");
      }
    }
    watched_.reset();
    row_.relay_gap_ms = ms(longest_gap_);
    row_.relay_late_ms = ms(last_late - killed);
  }

  // ---- load and faults -------------------------------------------------------------------------

  void insert(std::size_t node) {
    std::vector<TokenId> key;
    for (std::uint32_t i = 0; i < kSharedTokens; ++i) {
      key.push_back(TokenId{static_cast<std::uint32_t>(ops_[node].size() % 4)});
    }
    for (std::uint32_t i = 0; i < kOwnTokens; ++i) {
      key.push_back(TokenId{static_cast<std::uint32_t>(network_.random() % 100'000)});
    }
    ops_[node].push_back({network_.now(), network_.now(), 0, std::vector<std::uint16_t>(n_)});
    ++under_way_;
    const SlotRuns slots{{Slot{1 + ops_[node].size() * key.size()}, key.size()}};
    const auto result = network_.replica(node).insert(network_.now(), {}, key, slots);
    if (!result) throw std::runtime_error("refused: " + result.error().message);
    network_.perform(node);
  }

  // So many by each node that runs, within the window.
  void insert_at_random(std::size_t each, Duration window) {
    std::vector<std::pair<TimePoint, std::size_t>> inserts;
    for (std::size_t i = 0; i < each * n_; ++i) {
      const auto after = static_cast<std::int64_t>(network_.random()) & 0x7FFF'FFFF;
      inserts.push_back({network_.now() + Duration{after % window.count()}, i % n_});
    }
    std::ranges::sort(inserts);
    for (const auto& [at, node] : inserts) {
      network_.run_for(at - network_.now());
      insert(node);
    }
  }

  void crash(std::size_t node) {
    network_.crash(node);
    ops_[node].clear();
    for (std::size_t i = 0; i < n_; ++i) set_alive(node, i, false);
  }

  // ---- what is seen ----------------------------------------------------------------------------

  void applied(std::size_t node, const OpApplied& event) {
    const std::size_t origin = node_of(event.origin);
    std::vector<Op>& all = ops_[origin];
    if (event.seq.value == 0 || event.seq.value > all.size()) return;  // of a life that ended
    Op& op = all[event.seq.value - 1];
    op.last_applied = network_.now();
    if (++op.applied_by == n_) --under_way_;
    if (node == origin) return;
    const auto from = network_.arrived_from();
    op.hops[node] = static_cast<std::uint16_t>(from ? op.hops[*from] + 1 : 0);
    if (watched_ != origin || last_arrival_[node] == kNever) return;
    longest_gap_ = std::max(longest_gap_, network_.now() - last_arrival_[node]);
    last_arrival_[node] = network_.now();
  }

  void set_alive(std::size_t observer, std::size_t member, bool alive) {
    if (observer == member || alive_[observer][member] == alive) return;
    alive_[observer][member] = alive;
    living_in_[member] += alive ? 1 : -1;
    living_ += alive ? 1 : -1;
  }
  bool all_alive() const { return living_ == static_cast<std::ptrdiff_t>(n_ * (n_ - 1)); }

  // All that run say the same of every origin: its own life and head, and one digest. Cheap as long
  // as it is not so: the one that differed last is looked at first.
  bool agree() {
    const StatusView truth = network_.replica(first_running()).status();
    for (std::size_t i = 0; i < n_; ++i, suspect_ = (suspect_ + 1) % n_) {
      if (!network_.running(suspect_)) continue;
      const StatusView view = network_.replica(suspect_).status();
      if (view.vector.size() != n_) return false;
      const VectorView& own = view.vector.at(view.addr);
      const VectorView& told = truth.vector.at(view.addr);
      if (own.epoch != told.epoch || own.seq != told.seq) return false;
      if (own.seq.value != ops_[suspect_].size()) return false;
      const bool same =
          std::ranges::equal(view.vector, truth.vector, [](const auto& a, const auto& b) {
            return a.first == b.first && a.second.epoch == b.second.epoch &&
                   a.second.seq == b.second.seq && a.second.digest == b.second.digest;
          });
      if (!same) return false;
    }
    return true;
  }
  std::size_t first_running() const {
    std::size_t first = 0;
    while (!network_.running(first)) ++first;
    return first;
  }

  void check() {
    if (!agree()) throw std::runtime_error("vectors or digests differ at the end");
    for (std::size_t i = 0; i < n_; ++i) {
      const StatusView view = network_.replica(i).status();
      for (const char* name : {"digest_mismatches", "ops_refused", "malformed_frames",
                               "snapshots_broken", "origins_degraded"}) {
        if (view.counters.contains(name)) {
          throw std::runtime_error(view.addr + " counted " + name);
        }
      }
    }
  }

  void wait(const std::string& what, const std::function<bool()>& condition) {
    if (network_.run_until(condition, kLimit)) return;
    throw std::runtime_error("not within " + std::to_string(kLimit.count() / 1'000'000) +
                             " s: " + what);
  }
  void wait_for_agreement(const std::string& when) {
    const Duration pause = n_ > 100 ? 5ms : 1ms;
    TimePoint next_look = network_.now();
    wait("vectors and digests are equal " + when, [&] {
      if (network_.now() < next_look) return false;
      next_look = network_.now() + pause;
      return agree();
    });
  }

  void phase(const char* name, const std::function<void()>& act) {
    const std::clock_t began = std::clock();
    const TimePoint from = network_.now();
    const std::uint64_t messages = network_.messages;
    act();
    if (!options_.verbose) return;
    std::fprintf(stderr, "%s %zu: %-9s %8.0f ms of the mesh's time, %9llu messages, %6.1f s\n",
                 row_.topology.c_str(), n_, name, ms(network_.now() - from),
                 static_cast<unsigned long long>(network_.messages - messages),
                 static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC);
  }

  NodeId id_of(std::size_t node) const { return node_id(ReplicaSettings{}.cluster, addr_of(node)); }

  ScaleOptions options_;
  std::size_t n_;
  Network network_;
  ScaleRow row_;
  std::vector<std::vector<Op>> ops_;  // per node, of its present life
  std::size_t under_way_ = 0;         // ops that some node has not applied
  std::vector<std::vector<bool>> alive_;
  std::vector<std::ptrdiff_t> living_in_;  // by how many others a node is thought alive
  std::ptrdiff_t living_ = 0;
  std::size_t suspect_ = 0;
  std::optional<std::size_t> watched_;  // an origin
  std::vector<TimePoint> last_arrival_;
  Duration longest_gap_{};
};

}  // namespace

ScaleRow measure(const ScaleOptions& options) { return ScaleRun(options)(); }

}  // namespace radixmesh::sim
