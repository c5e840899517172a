// The clocks that the core is told.
#pragma once

#include <time.h>

#include <chrono>

#include "lib/base/ids.h"
#include "lib/base/time.h"

namespace radixmesh {

// CLOCK_BOOTTIME goes on while the machine is suspended: silence during that time is silence.
inline TimePoint steady_now() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return TimePoint{Duration{std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000}};
}

// The start of this life in microseconds since 1970.
inline Epoch epoch_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return Epoch{static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(since).count())};
}

}  // namespace radixmesh
