// When to ask for what is missing of one origin: after a moment in which reordered frames may still
// come, then again with growing pauses, and soon where something came of it. One question is out
// at a time, so that repair never floods a network that is in trouble already.
#pragma once

#include <algorithm>

#include "lib/base/time.h"

namespace radixmesh {

class RepairTimer {
 public:
  struct Pace {
    Duration grace, pause_min, pause_max;
  };

  bool armed() const { return due_ != kNever; }
  TimePoint due() const { return due_; }
  // How many times in a row nothing came of asking: tells whom to ask next.
  std::uint32_t attempts() const { return attempts_; }

  // Something is missing. Does nothing if that was known.
  void arm(TimePoint now, const Pace& pace) {
    if (!armed()) due_ = now + pace.grace;
  }
  void asked(TimePoint now, const Pace& pace) {
    const auto doublings = std::min<std::uint32_t>(attempts_, 16);
    due_ = now + std::min<Duration>(pace.pause_max, pace.pause_min * (1 << doublings));
    ++attempts_;
  }
  // Something came: more of the same answer may be under way, so the next question waits for it a
  // moment, but not longer.
  void progressed(TimePoint now, const Pace& pace) {
    attempts_ = 0;
    if (armed()) due_ = now + pace.grace;
  }
  void disarm() {
    due_ = kNever;
    attempts_ = 0;
  }

 private:
  TimePoint due_ = kNever;
  std::uint32_t attempts_ = 0;
};

}  // namespace radixmesh
