#include "tests/routing/simulation.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <queue>
#include <random>
#include <unordered_set>

#include "tests/routing/policy.h"

namespace radixmesh::routing {
namespace {

// A failed node's requests are noticed by who sent them, and sent elsewhere.
constexpr double kRetryS = 1;
// Times the span from the first arrival to the last.
constexpr double kGiveUp = 2;

struct Event {
  double at_s = 0;
  std::uint64_t order = 0;
  std::function<void()> happen;
  bool operator>(const Event& other) const {
    return at_s != other.at_s ? at_s > other.at_s : order > other.order;
  }
};

// What routers see of one engine's cache, some time later.
struct IndexedNode {
  struct Change {
    double at_s;
    std::uint32_t block;
    bool held;
  };
  std::deque<Change> coming;
  std::unordered_set<std::uint32_t> held;

  int depth(double now_s, const std::vector<std::uint32_t>& blocks) {
    while (!coming.empty() && coming.front().at_s <= now_s) {
      coming.front().held ? void(held.insert(coming.front().block))
                          : void(held.erase(coming.front().block));
      coming.pop_front();
    }
    int depth = 0;
    for (std::uint32_t block : blocks) {
      if (!held.contains(block)) break;
      ++depth;
    }
    return depth;
  }
};

class Run {
 public:
  Run(const Workload& workload, const RunSettings& settings)
      : workload_(workload), settings_(settings), random_(settings.seed) {
    const FleetView fleet{settings.nodes, settings.engine.prefill_rate,
                          static_cast<double>(settings.engine.kv_tokens)};
    for (std::uint32_t i = 0; i < settings.routers; ++i) {
      routers_.push_back(make_policy(settings.policy, fleet, settings.seed * 1000 + i));
    }
    telling_.resize(settings.routers);
    index_.resize(settings.nodes);
    known_alive_.assign(settings.nodes, true);
    alive_.assign(settings.nodes, true);
    life_.assign(settings.nodes, 0);
    for (std::uint32_t i = 0; i < settings.nodes; ++i) {
      engines_.push_back(std::make_unique<Engine>(settings.engine));
      engines_.back()->on_change = [this, i](std::uint32_t block, bool held) {
        index_[i].coming.push_back({now_s_ + settings_.index_delay_s, block, held});
      };
    }
  }

  RunResult operator()() {
    jobs_.resize(workload_.requests.size());
    left_ = jobs_.size();
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      Job& job = jobs_[i];
      job.request = &workload_.requests[i];
      job.arrival_s = job.request->arrival_s;
      job.router = random_() % settings_.routers;
      at(job.arrival_s, [this, &job] { dispatch(job); });
    }
    for (std::uint32_t node = 0; node < settings_.nodes; ++node) {
      // Not all at the same moment.
      report_load(node, settings_.load_interval_s * node / settings_.nodes);
    }
    for (std::uint32_t i = 1; i <= settings_.deaths; ++i) {
      const std::size_t victim = random_() % settings_.nodes;
      at(workload_.span_s * i / (settings_.deaths + 1), [this, victim] { kill(victim); });
    }
    // Who is so far behind has collapsed, and will not be waited for.
    while (left_ > 0 && now_s_ < kGiveUp * workload_.span_s) {
      Event event = std::move(const_cast<Event&>(events_.top()));
      events_.pop();
      now_s_ = event.at_s;
      event.happen();
    }
    return result();
  }

 private:
  void at(double at_s, std::function<void()> happen) {
    events_.push({at_s, next_order_++, std::move(happen)});
  }

  void dispatch(Job& job) {
    Query query{*job.request, {}};
    for (std::uint32_t node = 0; node < settings_.nodes; ++node) {
      query.depths.push_back(known_alive_[node] ? index_[node].depth(now_s_, job.request->blocks)
                                                : -1);
    }
    const auto begin = std::chrono::steady_clock::now();
    const Policy::Choice choice = routers_[job.router]->route(now_s_, query);
    route_time_ += std::chrono::steady_clock::now() - begin;
    ++routed_;
    job.node = choice.node;
    job.ticket = choice.ticket;
    tell(job.router);
    if (!alive_[job.node]) {
      at(now_s_ + kRetryS, [this, &job] { dispatch(job); });
      return;
    }
    engines_[job.node]->submit(&job);
    pump(job.node);
  }

  void pump(std::size_t node) {
    const double done_s = engines_[node]->begin_batch(now_s_);
    if (done_s < 0) return;
    at(done_s, [this, node, life = life_[node]] {
      if (life != life_[node]) return;
      for (const Engine::Started& started : engines_[node]->end_batch(now_s_)) {
        Job& job = *started.job;
        --left_;
        hit_blocks_ += job.hit_blocks;
        routers_[job.router]->prefill_done(now_s_, job.ticket);
        tell(job.router);
        at(started.ends_s, [this, &job, node, life] {
          if (life == life_[node]) engines_[node]->finish(job);
          routers_[job.router]->finish(now_s_, job.ticket);
          tell(job.router);
          pump(node);
        });
      }
      pump(node);
    });
  }

  void report_load(std::uint32_t node, double at_s) {
    at(at_s, [this, node] {
      if (alive_[node]) {
        const Load load = engines_[node]->load();
        for (auto& router : routers_) router->hear_load(now_s_, node, load);
      }
      report_load(node, now_s_ + settings_.load_interval_s);
    });
  }

  // To all other routers, some time later and not with every change.
  void tell(std::size_t router) {
    if (routers_.size() == 1 || !routers_[router]->tells() || telling_[router]) return;
    if (!routers_[router]->has_news()) return;
    telling_[router] = true;
    at(now_s_ + settings_.promises_delay_s, [this, router] {
      telling_[router] = false;
      const RouterNews news = routers_[router]->take_news();
      for (std::size_t other = 0; other < routers_.size(); ++other) {
        if (other != router) routers_[other]->hear_news(now_s_, router, news);
      }
      tell(router);  // there may be more than one message holds
    });
  }

  // It is back, empty, when it is known to be dead.
  void kill(std::size_t node) {
    if (!alive_[node]) return;
    alive_[node] = false;
    ++life_[node];
    for (Job* job : engines_[node]->die()) {
      at(now_s_ + kRetryS, [this, job] { dispatch(*job); });
    }
    at(now_s_ + settings_.detect_s, [this, node] {
      known_alive_[node] = false;
      for (auto& router : routers_) router->node_died(now_s_, node);
    });
    at(now_s_ + 2 * settings_.detect_s, [this, node] { alive_[node] = known_alive_[node] = true; });
  }

  RunResult result() const {
    RunResult out;
    out.requests = jobs_.size();
    out.hit_rate = static_cast<double>(hit_blocks_) * kBlockTokens /
                   static_cast<double>(workload_.input_tokens);
    std::vector<double> ttft;
    double good = 0;
    for (const Job& job : jobs_) {
      ttft.push_back((job.done_s >= 0 ? job.done_s : now_s_) - job.arrival_s);
      out.ttft_mean_s += ttft.back() / static_cast<double>(jobs_.size());
      good += ttft.back() <= settings_.slo_s ? 1 : 0;
    }
    std::ranges::sort(ttft);
    out.ttft_p50_s = ttft[ttft.size() / 2];
    out.ttft_p99_s = ttft[ttft.size() * 99 / 100];
    out.goodput_share = good / static_cast<double>(jobs_.size());
    double busy = 0, busiest = 0;
    for (const auto& engine : engines_) {
      busy += engine->busy_s();
      busiest = std::max(busiest, engine->busy_s());
    }
    out.imbalance = busiest * settings_.nodes / busy;
    out.utilisation = busy / settings_.nodes / now_s_;
    out.late_share = std::max(0.0, now_s_ / workload_.span_s - 1);
    out.route_us = std::chrono::duration<double, std::micro>(route_time_).count() /
                   static_cast<double>(routed_);
    return out;
  }

  const Workload& workload_;
  RunSettings settings_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Policy>> routers_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<IndexedNode> index_;
  std::vector<bool> known_alive_, alive_, telling_;
  std::vector<std::uint64_t> life_;
  std::vector<Job> jobs_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t next_order_ = 0, routed_ = 0, hit_blocks_ = 0;
  std::size_t left_ = 0;
  std::chrono::steady_clock::duration route_time_{};
  double now_s_ = 0;
};

}  // namespace

RunResult run(const Workload& workload, const RunSettings& settings) {
  return Run(workload, settings)();
}

}  // namespace radixmesh::routing
