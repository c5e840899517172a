// When the members are to be looked at: greetings, silence, who is gone, who is absent. One look is
// for all of it, and not with every message; each part says by when it needs the next.
#pragma once

#include <algorithm>

#include "lib/base/time.h"

namespace radixmesh {

class NextLook {
 public:
  explicit NextLook(TimePoint now) : due_(now) {}
  void by(TimePoint due) { due_ = std::min(due_, due); }
  // A look begins; the next is `at_most` later, unless one is needed before.
  void begin(TimePoint now, Duration at_most) { due_ = now + at_most; }
  // Many deadlines fall together: no sooner than that.
  void not_before(TimePoint soonest) { due_ = std::max(due_, soonest); }
  TimePoint due() const { return due_; }

 private:
  TimePoint due_;
};

}  // namespace radixmesh
