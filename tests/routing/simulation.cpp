#include "tests/routing/simulation.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <unordered_map>

#include "tests/routing/events.h"
#include "tests/routing/fleet_index.h"
#include "tests/routing/gateways.h"

namespace radixmesh::routing {
namespace {

// A failed node's requests are noticed by who sent them, and sent elsewhere.
constexpr double kRetryS = 1;
// Times the span from the first arrival to the last.
constexpr double kGiveUp = 2;
// Until who gave up a request that it never sent says so, and from an answer to the next request.
constexpr double kCancelS = 2, kThinkS = 1;
constexpr double kSlow = 2;
// From a change at an engine until routers hear of it: sooner than of bookings.
constexpr double kEagerS = 0.005;

class Run {
 public:
  Run(const Workload& workload, const RunSettings& settings)
      : workload_(workload),
        settings_(settings),
        random_(settings.seed),
        lots_(settings.seed * 7919),
        index_(settings.nodes, settings.index_delay_s),
        gateways_(events_, settings.promises_delay_s) {
    FleetView fleet;
    fleet.nodes = settings.nodes;
    fleet.prefill_nodes = static_cast<std::uint32_t>(settings.prefill_share * settings.nodes);
    fleet.prefill_rate = settings.engine.prefill_rate;
    fleet.kv_tokens = static_cast<double>(settings.engine.kv_tokens);
    fleet.pull_rate = settings.pull_rate;
    for (std::uint32_t i = 0; i < settings.routers; ++i) {
      gateways_.add(make_policy(settings.policy, fleet, settings.seed * 1000 + i, settings.core));
    }
    nodes_.resize(settings.nodes);
    for (std::uint32_t i = 0; i < settings.nodes; ++i) {
      EngineSettings engine = settings.engine;
      if (i < settings.slow_share * settings.nodes) engine.prefill_rate /= kSlow;
      engines_.push_back(std::make_unique<Engine>(engine));
      engines_.back()->on_change = [this, i](std::uint32_t block, bool held) {
        index_.changed(events_.now_s(), i, block, held);
      };
    }
  }

  RunOutcome operator()() {
    jobs_ = jobs_of(workload_);
    left_ = jobs_.size();
    for (Job& job : jobs_) {
      job.router = random_() % settings_.routers;
      job.leaks = draw(settings_.leaked_share);
      events_.at(job.arrival_s, [this, &job] {
        job.due = true;
        send(job);
      });
    }
    if (settings_.closed) chain();
    for (std::uint32_t node = 0; node < settings_.nodes && settings_.reports; ++node) {
      // Not all at the same moment.
      report_load(node, settings_.load_interval_s * node / settings_.nodes);
    }
    spread(settings_.deaths, [this] { kill(random_() % settings_.nodes, settings_.detect_s); });
    spread(settings_.restarts, [this] { kill(random_() % settings_.nodes, 0); });
    spread(settings_.crashes, [this] { crash(random_() % settings_.routers); });
    events_.at(workload_.span_s, [this] { note_queues(); });
    // Who is so far behind has collapsed, and will not be waited for.
    while (left_ > 0 && !events_.empty() && events_.now_s() < kGiveUp * workload_.span_s) {
      events_.step();
    }
    return outcome();
  }

 private:
  struct Node {
    bool alive = true, known_alive = true;
    std::uint64_t life = 0;
    double link_free_s = 0;  // into this node
    double pull_in_free_s = 0, pull_out_free_s = 0;
    std::deque<Job*> handed_over;  // that wait for room
  };

  bool draw(double share) { return share > 0 && std::uniform_real_distribution<>()(lots_) < share; }
  template <class Happens>
  void spread(std::uint32_t times, Happens happens) {
    for (std::uint32_t i = 1; i <= times; ++i) {
      events_.at(workload_.span_s * i / (times + 1), happens);
    }
  }

  // ---- arrivals --------------------------------------------------------------------------------

  // Each waits for the latest before it whose whole prompt it continues.
  void chain() {
    std::unordered_map<std::uint32_t, std::size_t> ends;  // last block -> request
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const auto& blocks = jobs_[i].request->blocks;
      for (std::size_t k = blocks.size(); k-- > 0;) {
        const auto found = ends.find(blocks[k]);
        if (found == ends.end()) continue;
        jobs_[i].waits = true;
        jobs_[found->second].next.push_back(i);
        break;
      }
      ends[blocks.back()] = i;
    }
  }
  void send(Job& job) {
    if (job.sent || !job.due || job.waits) return;
    job.sent = true;
    job.arrival_s = events_.now_s();
    dispatch(job);
  }
  // It is answered, or nobody waits for an answer any more.
  void ended(Job& job) {
    for (std::size_t next : std::exchange(job.next, {})) {
      events_.at(events_.now_s() + kThinkS, [this, next] {
        jobs_[next].waits = false;
        send(jobs_[next]);
      });
    }
  }

  // ---- a request's way -------------------------------------------------------------------------

  void dispatch(Job& job) {
    if (job.cancelled) return;
    Query query{*job.request, index_.depths(events_.now_s(), job.request->blocks)};
    for (std::uint32_t node = 0; node < settings_.nodes; ++node) {
      if (!nodes_[node].known_alive) query.depths[node] = -1;
    }
    const auto begin = std::chrono::steady_clock::now();
    const auto choice = gateways_.route(job, query);
    route_time_ += std::chrono::steady_clock::now() - begin;
    ++routed_;
    if (!choice) return;
    job.node = choice->node;
    job.decode = choice->decode;
    job.ticket = choice->ticket;
    if (draw(settings_.cancelled_share)) return cancel(job);
    if (!nodes_[job.node].alive) {
      events_.at(events_.now_s() + kRetryS, [this, &job] { dispatch(job); });
      return;
    }
    job.ready_s = job.pulled_blocks = 0;
    if (choice->source && nodes_[choice->source->node].alive) pull(job, *choice->source);
    engines_[job.node]->submit(&job);
    pump(job.node);
    tell_load_soon(job.node);
  }

  // Each link carries one after the other; it has come when both have carried it.
  void pull(Job& job, const Policy::Choice::Source& source) {
    const auto& blocks = job.request->blocks;
    const std::uint32_t here = engines_[job.node]->cached_blocks(blocks);
    const std::uint32_t there =
        std::min(engines_[source.node]->cached_blocks(blocks), source.blocks);
    if (there <= here) return;
    const auto carry = [&](double& free_s) {
      free_s =
          std::max(events_.now_s(), free_s) + (there - here) * kBlockTokens / settings_.pull_rate;
      return free_s;
    };
    job.ready_s = std::max(carry(nodes_[source.node].pull_out_free_s),
                           carry(nodes_[job.node].pull_in_free_s));
    job.pulled_blocks = there;
    events_.at(job.ready_s, [this, &job, node = job.node, life = nodes_[job.node].life,
                             from = source.node, source_life = nodes_[source.node].life] {
      if (life != nodes_[node].life) return;
      if (source_life != nodes_[from].life) job.pulled_blocks = 0;
      engines_[node]->pulled(job);
      pump(node);
    });
  }

  // It was booked, and is never sent.
  void cancel(Job& job) {
    --left_;
    job.cancelled = true;
    ended(job);
    events_.at(events_.now_s() + kCancelS, [this, &job] { gateways_.finish(job); });
  }

  void pump(std::size_t node) {
    const double done_s = engines_[node]->begin_batch(events_.now_s());
    if (done_s < 0) return;
    events_.at(done_s, [this, node, life = nodes_[node].life] {
      if (life != nodes_[node].life) return;
      for (Job* job : engines_[node]->end_batch(events_.now_s())) computed(*job, node);
      pump(node);
    });
  }

  void computed(Job& job, std::size_t node) {
    if (job.cancelled) {
      engines_[node]->finish(job);
      return;
    }
    gateways_.prefill_done(job);
    try_held(job.router);
    if (job.decode && *job.decode != node) return hand_over(job);
    --left_;
    decode(job, node);
  }

  void decode(Job& job, std::size_t node) {
    events_.at(job.ends_s, [this, &job, node, life = nodes_[node].life] {
      // Batches held it up.
      if (life == nodes_[node].life && job.ends_s > events_.now_s()) return decode(job, node);
      if (life == nodes_[node].life) engines_[node]->finish(job);
      ended(job);
      gateways_.finish(job);
      pump(node);
      take_in(node);
    });
  }

  // Through the decode node's link, one after the other.
  void hand_over(Job& job) {
    job.done_s = -1;
    Node& to = nodes_[*job.decode];
    const auto& blocks = job.request->blocks;
    const double missing =
        static_cast<double>(blocks.size() - engines_[*job.decode]->cached_blocks(blocks));
    to.link_free_s =
        std::max(to.link_free_s, events_.now_s()) + missing * kBlockTokens / settings_.link_rate;
    events_.at(to.link_free_s, [this, &job, life = nodes_[job.node].life] {
      if (life == nodes_[job.node].life) engines_[job.node]->finish(job);
      pump(job.node);
      nodes_[*job.decode].handed_over.push_back(&job);
      take_in(*job.decode);
    });
  }
  void take_in(std::size_t node) {
    auto& waiting = nodes_[node].handed_over;
    while (!waiting.empty() && engines_[node]->adopt(events_.now_s(), waiting.front())) {
      --left_;
      decode(*waiting.front(), node);
      waiting.pop_front();
    }
  }

  // ---- what nodes and gateways do --------------------------------------------------------------

  void tell_load(std::size_t node) {
    if (!nodes_[node].alive) return;
    Load load = engines_[node]->load();
    if (!settings_.tells_queued_tokens) load.queued_tokens.reset();
    gateways_.hear_load(node, load);
  }
  void tell_load_soon(std::size_t node) {
    if (!settings_.reports || !settings_.eager_reports) return;
    events_.at(events_.now_s() + kEagerS, [this, node] { tell_load(node); });
  }
  void report_load(std::uint32_t node, double at_s) {
    events_.at(at_s, [this, node] {
      tell_load(node);
      for (std::size_t router = 0; router < gateways_.size(); ++router) try_held(router);
      report_load(node, events_.now_s() + settings_.load_interval_s);
    });
  }

  void try_held(std::size_t router) {
    gateways_.try_held(router, [this](Job& job) { dispatch(job); });
  }

  // It is back, empty, when it is known to be dead; or at once, and nobody knew.
  void kill(std::size_t node, double detect_s) {
    if (!nodes_[node].alive) return;
    ++nodes_[node].life;
    for (Job* job : engines_[node]->die()) {
      events_.at(events_.now_s() + kRetryS, [this, job] {
        gateways_.finish(*job);
        dispatch(*job);
      });
    }
    if (detect_s == 0) return;
    nodes_[node].alive = false;
    events_.at(events_.now_s() + detect_s, [this, node] {
      nodes_[node].known_alive = false;
      gateways_.node_died(node);
    });
    events_.at(events_.now_s() + 2 * detect_s,
               [this, node] { nodes_[node].alive = nodes_[node].known_alive = true; });
  }

  // Who waited for it has gone, and engines see that.
  void crash(std::size_t router) {
    gateways_.crash(router);
    for (Job& job : jobs_) {
      if (job.router != router || !job.sent || job.cancelled || job.done_s >= 0) continue;
      job.cancelled = job.leaks = true;
      --left_;
      engines_[job.node]->withdraw(&job);
      ended(job);
    }
  }

  void note_queues() {
    // Of what routers keep a part may be hit: as large a part as of the rest.
    double hit = 0, all = 1;
    for (const Job& job : jobs_) {
      if (job.done_s < 0) continue;
      hit += job.hit_blocks;
      all += static_cast<double>(job.request->blocks.size());
    }
    double tokens = gateways_.held_blocks() * kBlockTokens * (1 - hit / all);
    for (const auto& engine : engines_)
      tokens += static_cast<double>(*engine->load().queued_tokens);
    queued_s_ = tokens / settings_.nodes / settings_.engine.prefill_rate;
  }

  RunOutcome outcome() const {
    RunOutcome out = outcome_of(jobs_, engines_, events_.now_s(), settings_.slo_s);
    out.queued_s = queued_s_;
    out.late_share = std::max(0.0, events_.now_s() / workload_.span_s - 1);
    out.route_us = std::chrono::duration<double, std::micro>(route_time_).count() /
                   static_cast<double>(routed_);
    if (workload_.rush_ends_s > 0) {
      out.recovered_s =
          recovery(jobs_, events_.now_s(), workload_.rush_begins_s, workload_.rush_ends_s);
    }
    return out;
  }

  const Workload& workload_;
  RunSettings settings_;
  std::mt19937_64 random_, lots_;
  Events events_;
  FleetIndex index_;
  Gateways gateways_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<Node> nodes_;
  std::vector<Job> jobs_;
  std::uint64_t routed_ = 0;
  std::size_t left_ = 0;
  std::chrono::steady_clock::duration route_time_{};
  double queued_s_ = 0;
};

}  // namespace

RunOutcome run(const Workload& workload, const RunSettings& settings) {
  return Run(workload, settings)();
}

}  // namespace radixmesh::routing
