#include "tests/bench/real_fleet.h"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>
#include <unordered_map>

#include "tests/routing/events.h"
#include "tests/routing/job.h"

namespace radixmesh::bench {
namespace {

using routing::Job;
using routing::kBlockTokens;
using routing::Workload;

double share_of(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

// An engine beside its sidecar: what it caches is told as it is cached and evicted.
class Node {
 public:
  Node(const routing::EngineSettings& settings, const std::string& socket,
       const std::unordered_map<std::uint32_t, std::uint32_t>& parents)
      : engine(std::make_unique<routing::Engine>(settings)), client_(socket), parents_(&parents) {
    const auto slots = static_cast<std::uint32_t>(settings.kv_tokens / kBlockTokens);
    for (std::uint32_t i = slots; i-- > 0;) free_.push_back(i);
    engine->on_change = [this](std::uint32_t block, bool held) {
      if (held) return void(slot_of(block));
      const auto found = slots_.find(block);
      if (found == slots_.end()) return;
      free_.push_back(found->second);
      slots_.erase(found);
      client_.remove(prefix_of(block));
      ++evicted;
    };
  }

  void tell_insert(const Job& job, const std::vector<TokenId>& tokens) {
    SlotRuns slots;
    for (std::uint32_t block : job.request->blocks) {
      slots.append({Slot{slot_of(block) * kBlockTokens}, kBlockTokens});
    }
    if (!client_.insert(tokens, slots).freed.empty()) {
      throw std::runtime_error("the sidecar evicted by itself");
    }
  }
  void tell_load() {
    const Load load = engine->load();
    client_.report_load(load.running, load.waiting, load.kv_used, load.kv_total,
                        load.queued_tokens);
  }

  std::unique_ptr<routing::Engine> engine;
  std::uint64_t evicted = 0;

 private:
  std::uint32_t slot_of(std::uint32_t block) {
    const auto [at, is_new] = slots_.try_emplace(block, 0);
    if (is_new) {
      at->second = free_.back();
      free_.pop_back();
    }
    return at->second;
  }
  std::vector<TokenId> prefix_of(std::uint32_t block) const {
    std::vector<std::uint32_t> blocks = {block};
    for (auto at = parents_->find(block); at != parents_->end(); at = parents_->find(at->second)) {
      blocks.push_back(at->second);
    }
    std::vector<TokenId> tokens;
    for (auto each = blocks.rbegin(); each != blocks.rend(); ++each) {
      tokens.insert(tokens.end(), kBlockTokens, TokenId{*each});
    }
    return tokens;
  }

  ipc::Client client_;
  const std::unordered_map<std::uint32_t, std::uint32_t>* parents_;
  std::unordered_map<std::uint32_t, std::uint32_t> slots_;  // block -> which of the engine's
  std::vector<std::uint32_t> free_;
};

class RealRun {
 public:
  RealRun(const Workload& workload, const Sidecars& sidecars, const RealFleetOptions& options)
      : workload_(workload), options_(options) {
    for (const routing::Request& each : workload.requests) {
      for (std::size_t i = 1; i < each.blocks.size(); ++i) {
        parents_.emplace(each.blocks[i], each.blocks[i - 1]);
      }
    }
    for (std::size_t i = 0; i < sidecars.size(); ++i) {
      if (i >= sidecars.engines()) {
        routers_.push_back(std::make_unique<ipc::Client>(sidecars.socket(i)));
        continue;
      }
      by_addr_.emplace(sidecars.addr(i), i);
      nodes_.push_back(std::make_unique<Node>(options.engine, sidecars.socket(i), parents_));
    }
  }

  RealOutcome operator()() {
    jobs_ = jobs_of(workload_);
    left_ = jobs_.size();
    for (Job& job : jobs_) {
      job.router = next_router_++ % routers_.size();
      events_.at(job.arrival_s, [this, &job] { dispatch(job); });
    }
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
      const double share = static_cast<double>(node) / static_cast<double>(nodes_.size());
      report_load(node, options_.load_interval_s * share);
    }
    const auto begin = Clock::now();
    while (left_ > 0) {
      const auto due = begin + std::chrono::duration<double>(events_.next_s());
      std::this_thread::sleep_until(due);  // tidy: backoff
      const double now_s = seconds_since(begin);
      lags_.push_back(now_s - events_.next_s());
      events_.step(now_s);
    }
    return outcome();
  }

 private:
  std::vector<TokenId> tokens_of(const Job& job) const {
    std::vector<TokenId> tokens;
    tokens.reserve(job.request->blocks.size() * kBlockTokens);
    for (std::uint32_t block : job.request->blocks) {
      tokens.insert(tokens.end(), kBlockTokens, TokenId{block});
    }
    return tokens;
  }

  void dispatch(Job& job) {
    job.sent = true;
    const std::vector<TokenId> tokens = tokens_of(job);
    const auto begin = Clock::now();
    const ipc::RouteResult route = routers_[job.router]->route(tokens);
    route_us_.push_back(seconds_since(begin) * 1e6);
    if (!route.prefill || !route.booking) throw std::runtime_error("`route` names nobody");
    predicted_ += route.prefill->depth;
    job.node = by_addr_.at(route.prefill->addr);
    job.ticket = *route.booking;
    nodes_[job.node]->engine->submit(&job);
    pump(job.node);
  }

  void pump(std::size_t node) {
    const double done_s = nodes_[node]->engine->begin_batch(events_.now_s());
    if (done_s < 0) return;
    events_.at(done_s, [this, node] {
      for (Job* job : nodes_[node]->engine->end_batch(events_.now_s())) computed(*job);
      pump(node);
    });
  }

  void computed(Job& job) {
    nodes_[job.node]->tell_insert(job, tokens_of(job));
    routers_[job.router]->prefill_done(job.ticket, std::uint64_t{job.hit_blocks} * kBlockTokens);
    decode(job);
  }

  void decode(Job& job) {
    events_.at(job.ends_s, [this, &job] {
      if (job.ends_s > events_.now_s()) return decode(job);  // batches held it up
      --left_;
      nodes_[job.node]->engine->finish(job);
      routers_[job.router]->finish(job.ticket);
      pump(job.node);
    });
  }

  void report_load(std::size_t node, double at_s) {
    events_.at(at_s, [this, node, at_s] {
      nodes_[node]->tell_load();
      report_load(node, at_s + options_.load_interval_s);
    });
  }

  RealOutcome outcome() {
    RealOutcome out;
    std::vector<std::unique_ptr<routing::Engine>> engines;
    for (auto& node : nodes_) {
      out.evicted_blocks += node->evicted;
      engines.push_back(std::move(node->engine));
    }
    out.run = outcome_of(jobs_, engines, events_.now_s(), options_.slo_s);
    out.predicted_hit_rate = predicted_ / static_cast<double>(workload_.input_tokens);
    out.lag_max_s = std::ranges::max(lags_);
    out.lag_p99_s = share_of(lags_, 0.99);
    out.route_p50_us = share_of(route_us_, 0.5);
    out.route_p99_us = share_of(route_us_, 0.99);
    return out;
  }

  const Workload& workload_;
  RealFleetOptions options_;
  std::unordered_map<std::uint32_t, std::uint32_t> parents_;  // of a block, the one before it
  std::map<std::string, std::size_t> by_addr_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<ipc::Client>> routers_;
  std::vector<Job> jobs_;
  routing::Events events_;
  std::size_t left_ = 0, next_router_ = 0;
  double predicted_ = 0;
  std::vector<double> lags_, route_us_;
};

}  // namespace

RealOutcome run_for_real(const Workload& workload, const Sidecars& sidecars,
                         const RealFleetOptions& options) {
  return RealRun(workload, sidecars, options)();
}

}  // namespace radixmesh::bench
