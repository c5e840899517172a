// Time as the core knows it: told from outside, never read. CoreClock has no now(), so code in lib/
// that tries to read the clock does not compile.
#pragma once

#include <chrono>
#include <cstdint>

namespace radixmesh {

struct CoreClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<CoreClock>;
  static constexpr bool is_steady = true;
};

// A steady point in time; the origin is of the shell's choice. Microseconds.
using TimePoint = CoreClock::time_point;
using Duration = CoreClock::duration;

constexpr TimePoint kNever = TimePoint::max();

}  // namespace radixmesh
