#include "lib/routing/chunk_news.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

void ChunkNews::tell(const std::vector<BookedChunks>& booked) {
  for (const BookedChunks& each : booked) {
    fresh_count_ += each.second.size();
    fresh_.push_back(each);
  }
  while (fresh_count_ > limits::booked_chunks_max) {
    fresh_count_ -= fresh_.front().second.size();
    fresh_.pop_front();
  }
}

void ChunkNews::repeat() {
  if (!repeat_before_) repeat_before_ = kLastBooking;
}

void ChunkNews::drop_node(NodeId node) {
  std::erase_if(fresh_, [&](const BookedChunks& each) {
    if (each.first == node) fresh_count_ -= each.second.size();
    return each.first == node;
  });
}

std::vector<BookedChunks> ChunkNews::take(const Bookings& bookings, std::size_t chunks_max) {
  std::vector<BookedChunks> out;
  while (!fresh_.empty() && fresh_.front().second.size() <= chunks_max) {
    chunks_max -= fresh_.front().second.size();
    fresh_count_ -= fresh_.front().second.size();
    out.push_back(std::move(fresh_.front()));
    fresh_.pop_front();
  }
  while (fresh_.empty() && repeat_before_) {
    const auto id = bookings.latest_with_chunks(*repeat_before_);
    std::size_t count = 0;
    if (id) {
      for (const BookedChunks& each : bookings.chunks_of(*id)) count += each.second.size();
    }
    if (id && count > chunks_max) break;
    repeat_before_ = id;
    if (!id) break;
    chunks_max -= count;
    std::ranges::copy(bookings.chunks_of(*id), std::back_inserter(out));
  }
  return out;
}

}  // namespace radixmesh
