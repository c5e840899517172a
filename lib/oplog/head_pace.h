// When this node's next HEAD is due: now and then while nothing happens, soon after something did,
// and at once where others should not wait for it.
#pragma once

#include <algorithm>
#include <utility>

#include "lib/base/time.h"

namespace radixmesh {

class HeadPace {
 public:
  // Between two HEADs while something happens, and while nothing does.
  HeadPace(Duration dirty, Duration idle, TimePoint now) : dirty_(dirty), idle_(idle), next_(now) {}

  // There is something to tell.
  void changed() { has_changed_ = true; }
  void by(TimePoint due) { next_ = std::min(next_, due); }
  // No sooner than so long after the last.
  void after_last(Duration pause) { by(last_ + pause); }

  bool is_due(TimePoint now) {
    if (std::exchange(has_changed_, false)) by(now + dirty_);
    return now >= next_;
  }
  void told(TimePoint now) {
    last_ = now;
    next_ = now + idle_;
  }
  TimePoint next() const { return next_; }

 private:
  Duration dirty_, idle_;
  TimePoint next_, last_ = TimePoint::min();
  bool has_changed_ = false;
};

}  // namespace radixmesh
