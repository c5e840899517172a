// How long the turns of the loop take: the longest since the start, and in the last minute.
#pragma once

#include <time.h>

#include <algorithm>
#include <optional>

#include "lib/base/limits.h"
#include "lib/base/time.h"
#include "sidecar/clock.h"

namespace radixmesh {

class TurnClock {
 public:
  struct Turn {
    Duration took{};
    // Of this, on a processor, to a millisecond: the rest it was not run, or waited.
    Duration computed{};
  };
  void begin() {
    began_ = steady_now();
    // Asking costs a system call, and turns may follow each other by the microsecond.
    if (began_ < ask_computed_at_) return;
    ask_computed_at_ = began_ + kComputedTo;
    computed_before_ = thread_time();
  }
  // Says so if the turn was a long one.
  std::optional<Turn> end() {
    const TimePoint now = steady_now();
    const Duration took = now - began_;
    if (now - minute_ >= std::chrono::minutes(1)) {
      last_minute_ = this_minute_;
      this_minute_ = {};
      minute_ = now;
    }
    longest_ = std::max(longest_, took);
    this_minute_ = std::max(this_minute_, took);
    if (took < limits::turn_long) return std::nullopt;
    return Turn{took, std::min(took, thread_time() - computed_before_)};
  }
  Duration longest() const { return longest_; }
  // Of one to two minutes, so that what has just passed is never forgotten.
  Duration longest_lately() const { return std::max(last_minute_, this_minute_); }

 private:
  static constexpr Duration kComputedTo = std::chrono::milliseconds(1);

  static Duration thread_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return Duration{std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000};
  }

  TimePoint began_{}, minute_{}, ask_computed_at_ = TimePoint::min();
  Duration computed_before_{}, longest_{}, last_minute_{}, this_minute_{};
};

}  // namespace radixmesh
