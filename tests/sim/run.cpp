#include "tests/sim/run.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/checker.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

// Keys grow out of each other, up to this length.
constexpr std::size_t kKeyTokensMax = 2000;

// All that a seed decides.
struct Plan {
  ReplicaSettings settings;
  Faults faults;
  int steps = 0;
  double crash_chance = 0, cut_chance = 0;
  std::uint32_t alphabet = 2, length_max = 40;
  std::string text;
};

template <class T>
T pick(Network::Random& random, std::initializer_list<T> values) {
  return values.begin()[random() % values.size()];
}

Plan draw(std::uint64_t seed) {
  Network::Random random(seed * 0x9E3779B97F4A7C15ull + 1);
  Plan plan;
  ReplicaSettings& settings = plan.settings;
  settings.page_size = pick<std::uint32_t>(random, {1, 1, 2, 4, 16});
  settings.topology = pick(random, {Topology::mesh, Topology::ring});
  const std::size_t prefill = 1 + random() % 3, decode = random() % 3, routers = random() % 3;
  const auto add = [&](std::size_t count, Role role) {
    for (std::size_t i = 0; i < count; ++i) {
      settings.members.push_back({std::string(role_name(role)) + ":" + std::to_string(i), role});
    }
  };
  add(prefill, Role::prefill);
  add(decode, Role::decode);
  add(random() % 2, Role::unified);
  add(routers, Role::router);
  settings.keep_remote_slots = random() % 4 != 0;
  settings.max_radix_cache_size = pick<std::uint64_t>(random, {0, 0, 200, 1000});
  settings.own_log_bytes_max = pick<std::size_t>(random, {1000, 20'000, 1'000'000});
  settings.other_log_bytes_max = pick<std::size_t>(random, {1000, 20'000, 1'000'000});
  plan.faults.loss = pick(random, {0.0, 0.01, 0.1, 0.3});
  plan.faults.duplication = pick(random, {0.0, 0.05, 0.3});
  plan.faults.reordering = pick(random, {0.0, 0.05, 0.5});
  plan.faults.burst = pick(random, {0.0, 0.0, 0.01});
  plan.steps = 100 + static_cast<int>(random() % 400);
  plan.crash_chance = pick(random, {0.0, 0.005, 0.03});
  plan.cut_chance = pick(random, {0.0, 0.005, 0.02});
  plan.alphabet = pick<std::uint32_t>(random, {2, 2, 5, 1000});
  plan.length_max = pick<std::uint32_t>(random, {8, 40, 300});
  char text[400];
  std::snprintf(text, sizeof text,
                "seed=%llu nodes=%zu page_size=%u topology=%s loss=%.2f duplication=%.2f "
                "reordering=%.2f burst=%.2f crash=%.3f cut=%.3f steps=%d cache=%llu log=%zu",
                static_cast<unsigned long long>(seed), settings.members.size(), settings.page_size,
                std::string(topology_name(settings.topology)).c_str(), plan.faults.loss,
                plan.faults.duplication, plan.faults.reordering, plan.faults.burst,
                plan.crash_chance, plan.cut_chance, plan.steps,
                static_cast<unsigned long long>(settings.max_radix_cache_size),
                settings.own_log_bytes_max);
  plan.text = text;
  return plan;
}

class Run {
 public:
  explicit Run(std::uint64_t seed)
      : plan_(draw(seed)), network_(seed, plan_.settings), checker_(network_, page_size()) {}

  RunReport operator()() {
    RunReport report;
    report.drawn = plan_.text;
    for (std::size_t i = 0; i < network_.size(); ++i) network_.start(i);
    network_.faults = plan_.faults;
    for (int i = 0; i < plan_.steps && !checker_.violation; ++i) {
      step();
      network_.run_for(Duration{static_cast<std::int64_t>(network_.random() % 30'000)});
    }
    heal();
    const TimePoint healed = network_.now();
    const bool agreed = network_.run_until([this] { return settled(); }, 60s);
    report.heal_ms = static_cast<double>((network_.now() - healed).count()) / 1000;
    report.failure = agreed ? checker_.converged(keys_) : "no agreement within 60 s: " + lag();
    if (checker_.violation) report.failure = *checker_.violation;
    if (report.failure.empty()) report.failure = mismatches();
    summarise(report);
    return report;
  }
  const std::vector<std::string>& log() const { return network_.log_lines; }

 private:
  std::uint32_t page_size() const { return plan_.settings.page_size; }

  std::vector<TokenId> any_key() {
    auto& random = network_.random;
    std::vector<TokenId> key;
    if (!keys_.empty() && random() % 3 != 0) {  // grow out of one that was used before
      key = keys_[random() % keys_.size()];
      key.resize(random() % std::min<std::size_t>(key.size() + 1, kKeyTokensMax));
    }
    const std::size_t length = key.size() + random() % plan_.length_max * page_size() / 2 + 1;
    while (key.size() < length) {
      key.push_back(TokenId{static_cast<std::uint32_t>(random() % plan_.alphabet)});
    }
    if (keys_.size() < 60) keys_.push_back(key);
    return key;
  }

  void step() {
    auto& random = network_.random;
    const std::size_t node = random() % network_.size();
    const double dice = std::uniform_real_distribution<>(0, 1)(random);
    if (dice < plan_.crash_chance) {
      network_.running(node) ? crash(node) : start(node);
    } else if (dice < plan_.crash_chance + plan_.cut_chance) {
      const std::size_t other = random() % network_.size();
      if (!network_.cut.erase({node, other})) network_.cut.insert({node, other});
    } else if (!network_.running(node)) {
      if (random() % 8 == 0) start(node);
    } else if (network_.replica(node).self().role != Role::router) {
      engine_call(node);
      network_.perform(node);
    }
  }

  void engine_call(std::size_t node) {
    auto& random = network_.random;
    Replica& replica = network_.replica(node);
    NodeModel& model = checker_.model(node);
    const auto kind = random() % 20;
    if (kind < 14) {
      const std::vector<TokenId> key = any_key();
      const SlotRuns slots{{Slot{model.next_slot}, key.size()}};
      const auto result = replica.insert(network_.now(), {}, key, slots);
      model.freed(result->freed);
      model.insert(key, result->prefix_len + result->stored);
      model.next_slot += key.size() + 1;
    } else if (kind < 17) {
      model.freed(*replica.evict(network_.now(), random() % (8 * page_size() + 1)));
    } else if (kind < 19) {
      model.freed(*replica.remove(network_.now(), {}, any_key()));
    } else if (random() % 10 == 0) {
      model.freed(*replica.reset(network_.now()));
    }
  }

  void crash(std::size_t node) {
    network_.crash(node);
    checker_.restarted(node);
  }
  void start(std::size_t node) {
    checker_.restarted(node);
    network_.start(node);
  }
  void heal() {
    network_.faults = Faults{};
    network_.cut.clear();
    for (std::size_t i = 0; i < network_.size(); ++i) {
      if (!network_.running(i)) start(i);
    }
  }

  // All know each other, are ready, and say the same.
  bool settled() {
    if (network_.now() < next_look_) return false;
    next_look_ = network_.now() + 5ms;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      if (!network_.replica(i).ready()) return false;
      for (const NodeView& node : network_.replica(i).nodes(network_.now())) {
        if (node.state != MemberState::alive) return false;
      }
    }
    return checker_.agrees();
  }

  std::string lag() {
    std::string text;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      text += "\n  node " + std::to_string(i) +
              (network_.replica(i).ready() ? " ready:" : " not ready:");
      for (const NodeView& node : network_.replica(i).nodes(network_.now())) {
        text += " " + node.addr + "=" + std::string(state_name(node.state)) + "," +
                std::to_string(node.epoch.value) + "," + std::to_string(node.applied.value) + "/" +
                std::to_string(node.head.value);
      }
    }
    return text;
  }

  // On an honest network no digest ever differs where the vectors agree.
  std::string mismatches() {
    for (std::size_t i = 0; i < network_.size(); ++i) {
      const auto counters = network_.replica(i).status().counters;
      for (const char* name : {"digest_mismatches", "ops_refused", "malformed_frames",
                               "snapshots_broken", "origins_degraded"}) {
        if (auto found = counters.find(name); found != counters.end()) {
          return "node " + std::to_string(i) + " counted " + name;
        }
      }
    }
    return "";
  }

  void summarise(RunReport& report) {
    report.messages = network_.messages;
    report.bytes = network_.bytes;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      StatusView view = network_.replica(i).status();
      report.ops += view.ops_applied;
      report.snapshots += view.counters["snapshots_taken"];
      report.replays += view.counters["replays_served"];
    }
  }

  Plan plan_;
  Network network_;
  Checker checker_;
  std::vector<std::vector<TokenId>> keys_;
  TimePoint next_look_{};
};

}  // namespace

RunReport run(const RunOptions& options) {
  Run one(options.seed);
  RunReport report = one();
  if (options.verbose) {
    std::printf("%s\n", report.drawn.c_str());
    for (const std::string& line : one.log()) std::printf("  %s\n", line.c_str());
  }
  return report;
}

}  // namespace radixmesh::sim
