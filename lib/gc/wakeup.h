// That something happened which a round of collecting may wait for: a reader said more or is gone,
// a lock ended.
#pragma once

#include <utility>

namespace radixmesh {

class Wakeup {
 public:
  void set() { is_set_ = true; }
  bool is_set() const { return is_set_; }
  bool take() { return std::exchange(is_set_, false); }

 private:
  bool is_set_ = false;
};

}  // namespace radixmesh
