// What will happen, in the order of its time; at the same time, in the order in which it was said.
#pragma once

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
  // Lets the next one happen; there must be one.
  void step() {
    Event event = std::move(const_cast<Event&>(queue_.top()));
    queue_.pop();
    now_s_ = event.at_s;
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
