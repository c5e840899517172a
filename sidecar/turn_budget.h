// How much one turn of the loop takes in: so that neither a peer nor all of them together make it
// long. What is left waits in its socket, and where that is full, at the sender.
#pragma once

#include <cstddef>

#include "lib/base/limits.h"
#include "lib/base/time.h"
#include "sidecar/clock.h"

namespace radixmesh {

class TurnBudget {
 public:
  explicit TurnBudget(TimePoint now) : until_(now + limits::turn_input_max) {}

  void took(std::size_t bytes) { bytes_ += bytes; }
  bool exhausted() const {
    return bytes_ >= limits::turn_input_bytes_max || steady_now() >= until_;
  }

 private:
  TimePoint until_;
  std::size_t bytes_ = 0;
};

}  // namespace radixmesh
