// A mean of about the last hundred observations.
#pragma once

#include <algorithm>
#include <cstdint>

namespace radixmesh {

class Mean {
 public:
  // What is assumed before anything was seen counts like one observation.
  explicit Mean(double assumed) : value_(assumed) {}

  void note(double observed) {
    ++count_;
    value_ += std::max(kShareMin, 1 / static_cast<double>(count_)) * (observed - value_);
  }
  double value() const { return value_; }

 private:
  static constexpr double kShareMin = 0.01;

  double value_;
  std::uint64_t count_ = 1;
};

}  // namespace radixmesh
