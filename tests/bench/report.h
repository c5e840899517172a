// What the benches of the sockets print alike: percentiles, and the yardsticks of the machine.
#pragma once

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/bench/yardstick.h"

namespace radixmesh::bench {

using Json = nlohmann::ordered_json;

// A sample of times.
class Durations {
 public:
  void add_us(double us) { us_.push_back(us); }
  void add(Clock::duration duration) {
    add_us(std::chrono::duration<double, std::micro>(duration).count());
  }
  std::size_t count() const { return us_.size(); }
  // 0 where nothing was measured.
  double percentile_us(double part) {
    if (us_.empty()) return 0;
    const auto at = static_cast<std::size_t>(part * static_cast<double>(us_.size() - 1));
    std::nth_element(us_.begin(), us_.begin() + static_cast<std::ptrdiff_t>(at), us_.end());
    return us_[at];
  }
  Json to_json() { return {{"p50_us", percentile_us(0.5)}, {"p99_us", percentile_us(0.99)}}; }

 private:
  std::vector<double> us_;
};

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// A claim of the bench: it ends with exit code 1 where one does not hold.
template <class T>
void expect_equal(const std::string& what, const T& got, const T& expected) {
  if (got == expected) return;
  throw std::runtime_error(what + ": " + Json(got).dump() + ", expected " + Json(expected).dump());
}

inline Json to_json(const Yardsticks& y) {
  return {{"compare_us", y.compare_us},
          {"compare_gb_per_s", y.compare_gb_per_s},
          {"copy_cold_gb_per_s", y.copy_cold_gb_per_s},
          {"copy_warm_gb_per_s", y.copy_warm_gb_per_s},
          {"clock_ns", y.clock_ns}};
}

inline void print_yardsticks(const Json& y) {
  std::printf(
      "memcmp of 32 KiB in cache %.2f us (%.1f GB/s); memcpy of 512 MiB %.1f GB/s cold, %.1f warm; "
      "clock %.0f ns\n",
      y.at("compare_us").get<double>(), y.at("compare_gb_per_s").get<double>(),
      y.at("copy_cold_gb_per_s").get<double>(), y.at("copy_warm_gb_per_s").get<double>(),
      y.at("clock_ns").get<double>());
}

}  // namespace radixmesh::bench
