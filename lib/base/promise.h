// What one router promised one node, or several did, in sum.
#pragma once

#include <cstdint>

#include "lib/base/limits.h"

namespace radixmesh {

struct Promise {
  std::uint32_t requests = 0;        // not finished
  std::uint32_t prefills = 0;        // prompts not computed yet
  std::uint64_t prefill_tokens = 0;  // of these, what is to be computed
  std::uint64_t decode_tokens = 0;   // of KV to be held
  // Of KV that the prompts which are not computed yet read from other nodes: to come to this one,
  // and to go from it.
  std::uint64_t pull_in_tokens = 0, pull_out_tokens = 0;

  Promise& operator+=(const Promise& other) {
    requests += other.requests;
    prefills += other.prefills;
    prefill_tokens += other.prefill_tokens;
    decode_tokens += other.decode_tokens;
    pull_in_tokens += other.pull_in_tokens;
    pull_out_tokens += other.pull_out_tokens;
    return *this;
  }
  // So that no sum of as many as there may be routers overflows, and none stands for more work than
  // bookings can.
  bool within_bounds() const {
    const std::uint64_t each_max = limits::request_tokens_max;
    return requests <= limits::bookings_max && prefills <= requests &&
           prefill_tokens <= prefills * each_max && decode_tokens <= requests * each_max &&
           pull_in_tokens <= prefills * each_max &&
           pull_out_tokens <= limits::bookings_max * each_max;
  }
  bool is_zero() const { return requests == 0 && prefills == 0 && pull_out_tokens == 0; }
  friend bool operator==(const Promise&, const Promise&) = default;
};

}  // namespace radixmesh
