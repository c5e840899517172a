// Slots of consecutive tokens, kept as runs: [10,11,12,40,41] is {10,3},{40,2}.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/ids.h"

namespace radixmesh {

// `count` consecutive slots from `start` on; the count is at least 1.
struct SlotRun {
  Slot start;
  std::uint64_t count = 0;
  friend bool operator==(const SlotRun&, const SlotRun&) = default;
};

// A sequence of slots, one per token. Neighbouring runs are joined on append, so equal sequences
// are equal values. All costs are in runs, not in slots.
class SlotRuns {
 public:
  SlotRuns() = default;
  SlotRuns(std::initializer_list<SlotRun> runs) {
    for (const SlotRun& run : runs) append(run);
  }

  // The number of slots. O(runs).
  std::uint64_t size() const {
    std::uint64_t total = 0;
    for (const SlotRun& run : runs_) total += run.count;
    return total;
  }
  bool empty() const { return runs_.empty(); }
  const std::vector<SlotRun>& runs() const { return runs_; }

  void append(SlotRun run) {
    if (run.count == 0) return;
    if (!runs_.empty() && runs_.back().start.value + runs_.back().count == run.start.value) {
      runs_.back().count += run.count;
    } else {
      runs_.push_back(run);
    }
  }
  void append(const SlotRuns& more) {
    if (runs_.empty() && runs_.capacity() == 0) {
      runs_ = more.runs_;
      return;
    }
    for (const SlotRun& run : more.runs_) append(run);
  }

  // As append(), and holds no more memory than it must after; for what is kept.
  void join(const SlotRuns& more) {
    runs_.reserve(runs_.size() + more.runs_.size());
    append(more);
    runs_.shrink_to_fit();
  }

  // Appends the slots [begin, end) of `from`; needs end <= from.size().
  void append_part(const SlotRuns& from, std::uint64_t begin, std::uint64_t end) {
    std::uint64_t at = 0;
    for (const SlotRun& run : from.runs_) {
      if (at >= end) return;
      const std::uint64_t low = std::max(begin, at), high = std::min(end, at + run.count);
      if (low < high) append(SlotRun{Slot{run.start.value + (low - at)}, high - low});
      at += run.count;
    }
    CHECK_THAT(at >= end || begin >= end, at, end);
  }
  SlotRuns part(std::uint64_t begin, std::uint64_t end) const {
    SlotRuns out;
    out.append_part(*this, begin, end);
    out.runs_.shrink_to_fit();
    return out;
  }

  // Keeps the first `count` slots and returns the rest.
  SlotRuns split_off(std::uint64_t count) {
    SlotRuns rest = part(count, size());
    *this = part(0, count);
    return rest;
  }

  std::size_t heap_bytes() const { return runs_.capacity() * sizeof(SlotRun); }
  friend bool operator==(const SlotRuns&, const SlotRuns&) = default;

 private:
  std::vector<SlotRun> runs_;
};

}  // namespace radixmesh
