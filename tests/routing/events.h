// What will happen, in the order of its time; at the same time, in the order in which it was said.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace radixmesh::routing {

class Events {
 public:
  double now_s() const { return now_s_; }
  void at(double at_s, std::function<void()> happen) {
    queue_.push({at_s, next_order_++, std::move(happen)});
  }
  // When the next one is due; there must be one.
  double next_s() const { return queue_.top().at_s; }
  // Lets it happen, when it is due or at `now_s`, if that is later.
  void step(double now_s = 0) {
    Event event = std::move(const_cast<Event&>(queue_.top()));
    queue_.pop();
    now_s_ = std::max(now_s, event.at_s);
    event.happen();
  }
  bool empty() const { return queue_.empty(); }

 private:
  struct Event {
    double at_s = 0;
    std::uint64_t order = 0;
    std::function<void()> happen;
    bool operator>(const Event& other) const {
      return at_s != other.at_s ? at_s > other.at_s : order > other.order;
    }
  };
  std::priority_queue<Event, std::vector<Event>, std::greater<>> queue_;
  std::uint64_t next_order_ = 0;
  double now_s_ = 0;
};

}  // namespace radixmesh::routing
