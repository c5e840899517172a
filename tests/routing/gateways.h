// The routers of a run, each with its policy, and what they tell each other.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "tests/routing/events.h"
#include "tests/routing/job.h"
#include "tests/routing/policy.h"

namespace radixmesh::routing {

class Gateways {
 public:
  Gateways(Events& events, double news_delay_s) : events_(events), news_delay_s_(news_delay_s) {}

  void add(std::unique_ptr<Policy> policy) { routers_.push_back({std::move(policy), false, {}}); }
  std::size_t size() const { return routers_.size(); }

  // Nothing: the router keeps it until more is known.
  std::optional<Policy::Choice> route(Job& job, const Query& query) {
    Router& router = routers_[job.router];
    const auto choice = router.policy->route(events_.now_s(), query);
    if (!choice) router.held.push_back(&job);
    tell(job.router);
    return choice;
  }
  void prefill_done(const Job& job) {
    if (!job.leaks) routers_[job.router].policy->prefill_done(events_.now_s(), job.ticket);
    tell(job.router);
  }
  void finish(const Job& job) {
    if (!job.leaks) routers_[job.router].policy->finish(events_.now_s(), job.ticket);
    tell(job.router);
  }
  void hear_load(std::size_t node, const Load& load) {
    for (Router& each : routers_) each.policy->hear_load(events_.now_s(), node, load);
  }
  void node_died(std::size_t node) {
    for (Router& each : routers_) each.policy->node_died(events_.now_s(), node);
  }
  void crash(std::size_t router) {
    routers_[router].policy->gateway_crashed();
    routers_[router].held.clear();
  }
  // Blocks of the requests that routers keep.
  double held_blocks() const {
    double blocks = 0;
    for (const Router& router : routers_) {
      for (const Job* job : router.held) blocks += static_cast<double>(job->request->blocks.size());
    }
    return blocks;
  }
  // Sends what the router kept, in order, until it keeps one again.
  template <class Dispatch>
  void try_held(std::size_t router, Dispatch dispatch) {
    std::deque<Job*> waiting = std::exchange(routers_[router].held, {});
    while (!waiting.empty() && routers_[router].held.empty()) {
      Job* job = waiting.front();
      waiting.pop_front();
      dispatch(*job);
    }
    auto& held = routers_[router].held;
    held.insert(held.end(), waiting.begin(), waiting.end());
  }

 private:
  struct Router {
    std::unique_ptr<Policy> policy;
    bool telling = false;
    std::deque<Job*> held;
  };
  // To all other routers, some time later and not with every change.
  void tell(std::size_t from) {
    Router& router = routers_[from];
    if (routers_.size() == 1 || !router.policy->tells() || router.telling) return;
    if (!router.policy->has_news()) return;
    router.telling = true;
    events_.at(events_.now_s() + news_delay_s_, [this, from] {
      routers_[from].telling = false;
      const RouterNews news = routers_[from].policy->take_news();
      for (std::size_t to = 0; to < routers_.size(); ++to) {
        if (to != from) routers_[to].policy->hear_news(events_.now_s(), from, news);
      }
      tell(from);  // there may be more than one message holds
    });
  }

  Events& events_;
  double news_delay_s_;
  std::vector<Router> routers_;
};

}  // namespace radixmesh::routing
