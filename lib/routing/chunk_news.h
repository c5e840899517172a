// What a router tells the others of the chunks that it booked: each once when it is booked and once
// when its booking ends, and those of open bookings again and again, the latest first, so that who
// missed them knows them some time later.
//
//   tell ──► fresh ──────────────┐
//   repeat ─► open bookings ─────┴─► take, so many at a time: what is fresh first
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "lib/base/booked_chunks.h"
#include "lib/routing/bookings.h"

namespace radixmesh {

class ChunkNews {
 public:
  // What is too much, limits::booked_chunks_max, is told with the next repetition.
  void tell(const std::vector<BookedChunks>& booked);
  // All chunks of open bookings are told again, from the latest on; a repetition that is still on
  // its way goes on, so that the oldest have their turn as well.
  void repeat();
  // Of the node nothing is told any more.
  void drop_node(NodeId node);

  bool empty() const { return fresh_.empty() && !repeat_before_; }
  // At most so many chunks.
  std::vector<BookedChunks> take(const Bookings& bookings, std::size_t chunks_max);

 private:
  std::deque<BookedChunks> fresh_;
  std::size_t fresh_count_ = 0;
  std::optional<BookingId> repeat_before_;  // a repetition is on its way: what comes next
};

}  // namespace radixmesh
