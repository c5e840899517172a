// How fast this machine compares and copies memory: what a reader needs to set a bench's figures
// beside those of another machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace radixmesh::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Makes the compiler believe that memory is read and written here.
inline void keep(const void* pointer) { asm volatile("" : : "g"(pointer) : "memory"); }

struct Yardsticks {
  double compare_us = 0;          // memcmp of 32 KiB with 32 KiB, both in cache
  double compare_gb_per_s = 0;    // of one side
  double copy_cold_gb_per_s = 0;  // memcpy of 512 MiB to memory that was never touched
  double copy_warm_gb_per_s = 0;
  double clock_ns = 0;  // one reading of the clock; a timed operation includes one
};

inline Yardsticks measure_yardsticks() {
  Yardsticks out;
  constexpr std::size_t kCompare = 32 * 1024, kCopy = std::size_t{512} << 20;
  std::vector<char> a(kCompare, 1), b(kCompare, 1);
  std::vector<double> rounds;
  for (int round = 0; round < 9; ++round) {
    constexpr int kTimes = 2000;
    const auto start = Clock::now();
    int sum = 0;
    for (int i = 0; i < kTimes; ++i) {
      keep(a.data());
      sum += std::memcmp(a.data(), b.data(), kCompare);
    }
    keep(&sum);
    rounds.push_back(seconds_since(start) / kTimes);
  }
  std::ranges::sort(rounds);
  out.compare_us = rounds[rounds.size() / 2] * 1e6;
  out.compare_gb_per_s = kCompare / rounds[rounds.size() / 2] / 1e9;

  auto* from = static_cast<char*>(std::malloc(kCopy));
  auto* to = static_cast<char*>(std::malloc(kCopy));
  if (from != nullptr && to != nullptr) {
    std::memset(from, 1, kCopy);
    for (double* result : {&out.copy_cold_gb_per_s, &out.copy_warm_gb_per_s}) {
      const auto start = Clock::now();
      std::memcpy(to, from, kCopy);
      keep(to);
      *result = kCopy / seconds_since(start) / 1e9;
    }
  }
  std::free(from);
  std::free(to);

  constexpr int kReadings = 100'000;
  const auto start = Clock::now();
  for (int i = 0; i < kReadings; ++i) {
    const auto now = Clock::now();
    keep(&now);
  }
  out.clock_ns = seconds_since(start) / kReadings * 1e9;
  return out;
}

}  // namespace radixmesh::bench
