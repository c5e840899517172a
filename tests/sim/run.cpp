#include "tests/sim/run.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/checker.h"
#include "tests/sim/effect_digest.h"
#include "tests/sim/flood.h"
#include "tests/sim/liar.h"
#include "tests/sim/plan.h"
#include "tests/sim/reads.h"
#include "tests/sim/verbs.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

// Keys grow out of each other, up to this length.
constexpr std::size_t kKeyTokensMax = 2000;
// A healed mesh agrees within this. Long pauses before the end make observers doubt themselves.
constexpr Duration kHealMax = 120s;

const std::string kService = "service:7000";

class Run {
 public:
  explicit Run(std::uint64_t seed)
      : plan_(draw(seed)),
        network_(seed, listed(plan_)),
        checker_(network_, page_size()),
        strangers_(seed),
        flood_(network_, plan_.settings.cluster, seed) {
    checker_.checks_last_copy = plan_.undisturbed;
    if (plan_.names.any()) network_.use_names(seed, plan_.names);
    if (plan_.lies.chance > 0) {
      liar_.emplace(network_, plan_.settings, seed, plan_.lies.liar);
      checker_.believes_lies = true;
    }
    network_.turn_takes = plan_.turn_takes;
    if (plan_.service) begin_service();
    if (!plan_.lease_changes) return;
    network_.adjust = [](std::size_t, ReplicaSettings& settings) {
      if (settings.epoch.value % 2 == 0) settings.gc.lease = 2s;
    };
  }

  RunReport operator()() {
    RunReport report;
    report.drawn = plan_.text;
    misbehave();
    heal();
    report.failure = check_healed(report);
    if (checker_.violation) report.failure = *checker_.violation;
    if (report.failure.empty() && plan_.faults.corruption == 0) report.failure = mismatches();
    summarise(report);
    return report;
  }
  Network& network() { return network_; }

 private:
  std::uint32_t page_size() const { return plan_.settings.page_size; }

  static ReplicaSettings listed(const Plan& plan) {
    ReplicaSettings settings = plan.settings;
    if (plan.service) settings.members.clear();
    return settings;
  }

  void begin_service() {
    for (const MemberSettings& member : plan_.settings.members) {
      network_.add_joiner(member, {kService});
    }
    network_.resolve = [this](std::size_t node, const std::string& seed) {
      std::vector<std::string> found;
      if (seed != kService) return std::vector{seed};
      if (dice_(strangers_) < plan_.service->unknown) return found;
      const bool alone = dice_(strangers_) < plan_.service->alone;
      for (std::size_t i = 0; i < plan_.settings.members.size(); ++i) {
        const bool missing = alone || dice_(strangers_) < plan_.service->missing;
        if (i == node || !missing) found.push_back(network_.addr(i));
      }
      return found;
    };
  }

  // The faulty phase.
  void misbehave() {
    for (std::size_t i = 0; i < network_.size(); ++i) start(i);
    network_.faults = plan_.faults;
    for (int i = 0; i < plan_.steps && !checker_.violation; ++i) {
      step();
      network_.run_for(
          Duration{static_cast<std::int64_t>(network_.random() % plan_.step_max.count())});
      settle_engines();
      if (liar_ && dice_(strangers_) < plan_.lies.chance) liar_->lie();
      if (plan_.flood > 0 && dice_(strangers_) < plan_.flood) flood_.flood();
    }
  }

  // All agree in time, on what the engines did; duplicates are collected; and every verb works.
  std::string check_healed(RunReport& report) {
    const TimePoint healed = network_.now();
    const bool agreed = network_.run_until([this] { return settled(); }, kHealMax);
    report.heal_ms = static_cast<double>((network_.now() - healed).count()) / 1000;
    if (!agreed) return "no agreement in time: " + lag();
    if (std::string wrong = checker_.converged(keys_); !wrong.empty()) return wrong;
    if (plan_.settings.gc.mode != GcMode::off) {
      // Who came back lets nothing go as long as leases of its former life may stand.
      network_.run_until([this] { return all_may_free(); }, kHealMax);
      // A false number of a round stands until its owner is asked.
      if (liar_) network_.run_for(plan_.settings.timers.audit);
      // Pages that were used in the last period may be hot until the one after.
      const bool any_hot = plan_.settings.gc.hot_copies > plan_.settings.gc.keep_copies;
      network_.run_for((any_hot ? 4 : 2) * plan_.settings.gc.period + 1s);
      if (std::string left = checker_.duplicates_left(); !left.empty()) return left;
      if (std::string wrong = agree_again(); !wrong.empty()) return "collecting: " + wrong;
    }
    checker_.believes_lies = false;
    Verbs verbs(network_, checker_, page_size());
    if (std::string wrong = verbs.all_work(kHealMax); !wrong.empty()) return wrong;
    return agree_again();
  }

  std::string agree_again() {
    if (!network_.run_until([this] { return settled(); }, kHealMax)) {
      return "no agreement any more: " + lag();
    }
    return checker_.converged(keys_);
  }

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

  // ---- one step: a fault, or a call of some engine ---------------------------------------------

  void step() {
    auto& random = network_.random;
    const std::size_t node = random() % network_.size();
    if (make_mischief(node)) return;
    if (!network_.running(node)) {
      if (random() % 8 == 0) start(node);
    } else if (network_.replica(node).self().role != Role::router && !starting_.contains(node)) {
      if (plan_.settings.gc.mode != GcMode::off && network_.random() % 3 == 0) {
        last_read_ = any_key();
        reads_.begin(node, last_read_);
      } else {
        engine_call(node);
        network_.perform(node);
        checker_.engine(node).called();
      }
    }
    if (network_.running(node)) checker_.check_masking(node, any_key());
  }

  // True if the dice fell on one of the faults.
  bool make_mischief(std::size_t node) {
    const Mischief& chances = plan_.mischief;
    double dice = std::uniform_real_distribution<>(0, 1)(network_.random);
    const auto falls_on = [&dice](double chance) { return (dice -= chance) < 0; };
    if (falls_on(chances.crash)) {
      network_.running(node) ? crash(node) : start(node);
    } else if (falls_on(chances.cut)) {
      const std::size_t other = network_.random() % network_.size();
      if (!network_.cut.erase({node, other})) network_.cut.insert({node, other});
    } else if (falls_on(chances.partition)) {
      partition();
    } else if (falls_on(chances.pause)) {
      network_.pause(
          node, Duration{static_cast<std::int64_t>(network_.random() % chances.pause_max.count())});
    } else if (falls_on(chances.leave)) {
      leave(node);
    } else if (falls_on(chances.join)) {
      join();
    } else if (falls_on(chances.slow)) {
      network_.set_slowness(node, network_.random() % 2 == 0 ? Duration{0} : Duration{50ms});
    } else if (falls_on(chances.clock_step)) {
      network_.set_clock_step(
          node, Duration{static_cast<std::int64_t>(network_.random() % 10'000'000) - 5'000'000});
    } else {
      return false;
    }
    return true;
  }

  // Into two sides at random; from one of them nothing goes to the other, or both ways.
  void partition() {
    const bool heals = !network_.cut.empty();
    network_.cut.clear();
    if (heals) return;
    const bool both_ways = network_.random() % 2 == 0;
    std::vector<bool> side;
    for (std::size_t i = 0; i < network_.size(); ++i) side.push_back(network_.random() % 2 == 0);
    for (std::size_t i = 0; i < network_.size(); ++i) {
      for (std::size_t j = 0; j < network_.size(); ++j) {
        if (side[i] != side[j] && (side[i] || both_ways)) network_.cut.insert({i, j});
      }
    }
  }

  void join() {
    if (joined_ == plan_.joiners_max) return;
    const Role role = network_.random() % 2 == 0 ? Role::prefill : Role::router;
    const std::string seed = network_.addr(network_.random() % network_.size());
    const std::string first = network_.addr(0);
    const std::string number = std::to_string(joined_++);
    const std::string addr = plan_.names.any() ? "joiner" + number + ":7000" : "joiner:" + number;
    start(network_.add_joiner({addr, role}, {seed, first}));
  }

  void leave(std::size_t node) {
    if (!network_.running(node)) return;
    network_.replica(node).drain(network_.now());
    network_.perform(node);
    network_.run_for(1s);
    if (network_.running(node)) network_.crash(node);
    checker_.restarted(node);
    checker_.engine(node).died();
    reads_.died(node);
    starting_.erase(node);
  }

  void engine_call(std::size_t node) {
    auto& random = network_.random;
    Replica& replica = network_.replica(node);
    Engine& engine = checker_.engine(node);
    const auto kind = random() % 20;
    if (kind < 14) {
      // What is read is often computed elsewhere as well, and so a duplicate.
      const bool again = !last_read_.empty() && random() % 3 == 0;
      engine.insert(replica, network_.now(), again ? last_read_ : any_key());
    } else if (kind < 17) {
      engine.evict(replica, network_.now(), random() % (8 * page_size() + 1));
    } else if (kind < 19) {
      engine.remove(replica, network_.now(), any_key());
    } else if (random() % 10 == 0) {
      engine.reset(replica, network_.now());
    }
  }

  // ---- lives -----------------------------------------------------------------------------------

  // The sidecar dies, and its engine with it, or not.
  void crash(std::size_t node) {
    network_.crash(node);
    checker_.restarted(node);
    reads_.died(node);
    starting_.erase(node);
    const bool engine_lives = plan_.engines_named && network_.random() % 2 == 0;
    engine_lives ? checker_.engine(node).sidecar_died() : checker_.engine(node).died();
  }

  void start(std::size_t node) {
    checker_.restarted(node);
    network_.start(node);
    checker_.started(node);
    if (plan_.engines_free) network_.replica(node).set_engine_frees(network_.now(), true, false);
    if (!plan_.engines_named || network_.replica(node).self().role == Role::router) {
      return checker_.engine(node).began_empty(network_.replica(node), network_.now());
    }
    const Engine& engine = checker_.engine(node);
    network_.replica(node).attach_engine(network_.now(), engine.token(), engine.known());
    network_.perform(node);
    starting_.insert(node);
  }

  // They are one mesh, in which no two have one rank.
  bool is_one_mesh() {
    std::set<std::uint32_t> ranks;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      const StatusView status = network_.replica(i).status();
      if (!ranks.insert(status.rank.value).second) return false;
      if (status.founder != network_.replica(0).status().founder) return false;
    }
    return true;
  }

  // An engine goes on when its sidecar says whether it has taken back what was there.
  void settle_engines() {
    for (std::size_t i = 0; i < network_.size(); ++i) {
      checker_.engine(i).look_after(network_.now());
      if (network_.running(i)) checker_.note_life(i);
    }
    drop_what_is_doubtful();
    reads_.look_after();
    std::erase_if(starting_, [this](std::size_t node) {
      Replica& replica = network_.replica(node);
      if (replica.recovering()) return false;
      const StatusView status = replica.status();
      if (status.counters.contains("states_recovered")) {
        checker_.engine(node).recovered(replica, network_.now());
        ++recovered_;
        if (liar_) doubtful_.insert(node);
      } else {
        checker_.engine(node).began_empty(replica, network_.now());
      }
      return true;
    });
  }

  // Who keeps a node's former state for it may have been told false ops of that: such a node's
  // engine begins anew, as it cannot know.
  void drop_what_is_doubtful() {
    std::erase_if(doubtful_, [this](std::size_t node) {
      if (!network_.running(node)) return true;
      Engine& engine = checker_.engine(node);
      engine.reset(network_.replica(node), network_.now());
      network_.perform(node);
      engine.called();
      const StatusView status = network_.replica(node).status();
      if (status.local_tokens > 0) return false;
      engine.model().clear();
      return true;
    });
  }

  void heal() {
    if (liar_) liar_->stop();
    network_.faults = Faults{};
    network_.heal_names();
    if (plan_.service) plan_.service = Service{};
    network_.cut.clear();
    for (std::size_t i = 0; i < network_.size(); ++i) {
      network_.pause(i, Duration{0});
      network_.set_slowness(i, Duration{0});
      if (!network_.running(i)) start(i);
    }
  }

  // All know each other, are ready, and say the same.
  bool settled() {
    if (network_.now() < next_look_) return false;
    next_look_ = network_.now() + 5ms;
    settle_engines();
    if (!starting_.empty() || !doubtful_.empty() || !reads_.idle() || !checker_.collection_rests())
      return false;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      if (!network_.replica(i).ready()) return false;
      std::size_t alive = 0;
      for (const NodeView& node : network_.replica(i).nodes(network_.now())) {
        if (node.state == MemberState::alive && checker_.has_rank(node.addr, node.rank)) ++alive;
      }
      if (alive != network_.size()) return false;
    }
    return is_one_mesh() && checker_.agrees();
  }

  bool all_may_free() {
    for (std::size_t i = 0; i < network_.size(); ++i) {
      if (network_.replica(i).free_wait(network_.now()) > Duration{0}) return false;
    }
    return true;
  }

  std::string lag() {
    std::string text;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      const GcCountsView gc = network_.replica(i).status().gc;
      text += "\n  node " + std::to_string(i) +
              (network_.replica(i).ready()
                   ? " ready"
                   : " not ready: " + network_.replica(i).status().why_not_ready) +
              ", retiring " + std::to_string(gc.retiring_tokens) + " held " +
              std::to_string(gc.held_pages) + " readers " + std::to_string(gc.readers.size()) +
              (gc.readers.empty() ? "" : " " + gc.readers.begin()->first) +
              (network_.replica(i).status().ring.verified ? ":" : ", ring not verified:");
      for (const NodeView& node : network_.replica(i).nodes(network_.now())) {
        text += " " + node.addr + "=" + std::to_string(node.rank.value) + "," +
                std::string(state_name(node.state)) + "," + std::to_string(node.epoch.value) + "," +
                std::to_string(node.applied.value) + "/" + std::to_string(node.head.value) +
                (node.refusal.empty() ? "" : " (" + node.refusal + ")");
      }
    }
    return text;
  }

  // On an honest network no digest ever differs where the vectors agree.
  std::string mismatches() {
    for (std::size_t i = 0; i < network_.size(); ++i) {
      const auto counters = network_.replica(i).status().counters;
      for (const char* name : {"malformed_frames", "digest_mismatches", "ops_refused",
                               "snapshots_broken", "origins_degraded"}) {
        if (auto found = counters.find(name); found != counters.end()) {
          return "node " + std::to_string(i) + " counted " + name;
        }
        if (liar_) break;  // the others are what false contents come to
      }
    }
    return "";
  }

  void summarise(RunReport& report) {
    report.messages = network_.messages;
    report.recovered = recovered_;
    report.reads_accepted = reads_.accepted;
    report.reads_refused = reads_.refused;
    report.bytes = network_.bytes;
    for (std::size_t i = 0; i < network_.size(); ++i) {
      StatusView view = network_.replica(i).status();
      report.ops += view.ops_applied;
      report.snapshots += view.counters["snapshots_taken"];
      report.replays += view.counters["replays_served"];
      report.collected += view.counters["gc_tokens_collected"];
    }
  }

  Plan plan_;
  Network network_;
  Checker checker_;
  Reads reads_{network_, checker_, plan_.read_max};
  Network::Random strangers_;  // theirs alone: what else is drawn stays as it is without them
  std::uniform_real_distribution<> dice_{0, 1};
  std::optional<Liar> liar_;
  Flood flood_;
  std::vector<std::vector<TokenId>> keys_;
  std::vector<TokenId> last_read_;
  std::set<std::size_t> doubtful_;  // nodes that may have taken back what was a lie
  std::set<std::size_t> starting_;  // nodes whose engine waits for its former state
  std::size_t joined_ = 0;
  std::uint64_t recovered_ = 0;
  TimePoint next_look_{};
};

}  // namespace

RunReport run(const RunOptions& options) {
  Run one(options.seed);
  EffectDigest digest;
  if (options.shown) {
    one.network().on_owed_too = [&](std::size_t node, const std::vector<Effect>& effects) {
      digest.add(one.network().now(), node, effects);
    };
  }
  RunReport report = one();
  if (options.shown) {
    Network& network = one.network();
    for (std::size_t i = 0; i < network.size(); ++i) {
      if (network.running(i)) digest.add(options.shown(network.replica(i), network.now()));
    }
    report.digest = digest.hex();
  }
  if (options.verbose) {
    std::printf("%s\n", report.drawn.c_str());
    for (const std::string& line : one.network().log_lines) std::printf("  %s\n", line.c_str());
  }
  return report;
}

}  // namespace radixmesh::sim
