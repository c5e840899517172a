// How much one turn of the loop takes in: so that neither a peer nor all of them together make it
// long. What is left waits in its socket, and where that is full, at the sender.
#pragma once

#include <cstddef>
#include <utility>

#include "lib/base/limits.h"
#include "lib/base/time.h"
#include "sidecar/clock.h"

namespace radixmesh {

class TurnBudget {
 public:
  explicit TurnBudget(TimePoint now) : until_(now + limits::turn_input_max) {}

  void took(std::size_t bytes) {
    bytes_ += bytes;
    took_more_ = true;
  }
  bool exhausted() {
    // What takes time is what was taken in; many sockets have nothing.
    if (std::exchange(took_more_, false)) late_ = steady_now() >= until_;
    return late_ || bytes_ >= limits::turn_input_bytes_max;
  }

 private:
  TimePoint until_;
  std::size_t bytes_ = 0;
  bool took_more_ = false, late_ = false;
};

}  // namespace radixmesh
