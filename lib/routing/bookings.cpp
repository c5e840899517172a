#include "lib/routing/bookings.h"

#include <algorithm>
#include <iterator>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

std::size_t count_of(const std::vector<BookedChunks>& chunks) {
  std::size_t count = 0;
  for (const auto& [node, each] : chunks) count += each.size();
  return count;
}

}  // namespace

TimePoint Bookings::due(const Booking& booking) {
  return booking.prefilled ? booking.expires : std::min(booking.prefill_expires, booking.expires);
}

BookingId Bookings::make(const Booking& booking) {
  if (bookings_.size() >= limits::bookings_max) {
    erase(bookings_.find(by_expiry_.begin()->second));
  }
  const BookingId id = next_;
  next_ = BookingId{next_.value + 1};
  Booking& made = bookings_.emplace(id, booking).first->second;
  made.prefilled = !booking.prefill;
  by_expiry_.emplace(due(made), id);
  if (booking.prefill) {
    Promise& promise = promises_[*booking.prefill];
    ++promise.prefills;
    promise.prefill_tokens += booking.prefill_tokens;
    if (booking.prefill != booking.decode) ++promise.requests;
    promise.pull_in_tokens += booking.pull_tokens;
    if (booking.source) promises_[*booking.source].pull_out_tokens += booking.pull_tokens;
  }
  if (booking.decode) {
    Promise& promise = promises_[*booking.decode];
    ++promise.requests;
    promise.decode_tokens += booking.decode_tokens;
  }
  ++version_;
  return id;
}

void Bookings::note_chunks(BookingId id, std::vector<BookedChunks> chunks) {
  const std::size_t count = count_of(chunks);
  if (count == 0 || !bookings_.contains(id)) return;
  chunk_count_ += count;
  chunks_[id] = std::move(chunks);
  while (chunk_count_ > limits::booked_chunks_max) drop_chunks(chunks_.begin());
}

Bookings::OpenChunks::iterator Bookings::drop_chunks(OpenChunks::iterator at) {
  chunk_count_ -= count_of(at->second);
  return chunks_.erase(at);
}

const std::vector<BookedChunks>& Bookings::chunks_of(BookingId id) const {
  static const std::vector<BookedChunks> kNone;
  const auto found = chunks_.find(id);
  return found == chunks_.end() ? kNone : found->second;
}

std::optional<BookingId> Bookings::latest_with_chunks(BookingId before) const {
  const auto next = chunks_.lower_bound(before);
  if (next == chunks_.begin()) return std::nullopt;
  return std::prev(next)->first;
}

// The prefill node has nothing more to do with it, unless it decodes as well.
void Bookings::end_prefill(Booking& booking) {
  if (booking.prefilled) return;
  booking.prefilled = true;
  Promise& promise = promises_[*booking.prefill];
  --promise.prefills;
  promise.prefill_tokens -= booking.prefill_tokens;
  if (booking.prefill != booking.decode) --promise.requests;
  end_pull(booking);
  ++version_;
}

void Bookings::end_pull(Booking& booking) {
  if (!booking.source) return;
  promises_[*booking.prefill].pull_in_tokens -= booking.pull_tokens;
  promises_[*booking.source].pull_out_tokens -= booking.pull_tokens;
  booking.source.reset();
}

void Bookings::erase(std::map<BookingId, Booking>::iterator at) {
  Booking& booking = at->second;
  by_expiry_.erase({due(booking), at->first});
  end_prefill(booking);
  if (booking.decode) {
    Promise& promise = promises_[*booking.decode];
    --promise.requests;
    promise.decode_tokens -= booking.decode_tokens;
  }
  ++version_;
  const auto chunks = chunks_.find(at->first);
  if (chunks != chunks_.end()) drop_chunks(chunks);
  bookings_.erase(at);
}

std::optional<Booking> Bookings::prefill_done(BookingId id) {
  const auto found = bookings_.find(id);
  if (found == bookings_.end() || !found->second.prefill || found->second.told) {
    return std::nullopt;
  }
  const Booking before = found->second;
  found->second.told = true;
  by_expiry_.erase({due(before), id});
  end_prefill(found->second);
  by_expiry_.emplace(due(found->second), id);
  return before;
}

std::optional<Booking> Bookings::finish(BookingId id) {
  const auto found = bookings_.find(id);
  if (found == bookings_.end()) return std::nullopt;
  const Booking before = found->second;
  prefill_done(id);
  erase(bookings_.find(id));
  return before;
}

std::size_t Bookings::expire(TimePoint now, std::set<NodeId>& touched) {
  std::size_t expired = 0;
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    const auto at = bookings_.find(by_expiry_.begin()->second);
    ++expired;
    for (const auto& node : {at->second.prefill, at->second.decode, at->second.source}) {
      if (node) touched.insert(*node);
    }
    if (at->second.prefilled || at->second.expires <= now) {
      erase(at);
      continue;
    }
    by_expiry_.erase(by_expiry_.begin());
    end_prefill(at->second);
    by_expiry_.emplace(due(at->second), at->first);
  }
  return expired;
}

TimePoint Bookings::next_expiry() const {
  return by_expiry_.empty() ? kNever : by_expiry_.begin()->first;
}

void Bookings::drop_node(NodeId node) {
  for (auto at = bookings_.begin(); at != bookings_.end();) {
    const auto each = at++;
    Booking& booking = each->second;
    if (booking.source == node) {
      // What was to come from there is computed after all, and nobody knows how long that takes.
      end_pull(booking);
      by_expiry_.erase({due(booking), each->first});
      booking.prefill_expires = booking.expires;
      by_expiry_.emplace(due(booking), each->first);
      booking.prefill_tokens += booking.pull_tokens;
      booking.hit_tokens -= booking.pull_tokens;
      promises_[*booking.prefill].prefill_tokens += std::exchange(booking.pull_tokens, 0);
      ++version_;
    }
    // Where only the prompt was computed there, the rest goes on.
    if ((booking.prefill == node && !booking.prefilled) || booking.decode == node) erase(each);
  }
  for (auto at = chunks_.begin(); at != chunks_.end();) {
    const std::size_t before = count_of(at->second);
    std::erase_if(at->second, [&](const BookedChunks& each) { return each.first == node; });
    chunk_count_ -= before - count_of(at->second);
    at = at->second.empty() ? chunks_.erase(at) : std::next(at);
  }
  if (promises_.erase(node) > 0) ++version_;
}

}  // namespace radixmesh
