// What routers promised to nodes: for each request that was sent somewhere, the prompt that the
// prefill node has still to compute and the KV that the decode node has still to hold. Published as
// absolute sums per (router, node): a sum that is lost is told again by the next, and nothing
// drifts.
//
//   make ──► prefill_done ──► finish        each once, in this order; finish alone does both.
//     └───────── expires ──────┘            Who never says so is not waited for longer than stated.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/promise.h"
#include "lib/base/time.h"
#include "lib/routing/chunks.h"

namespace radixmesh {

using BookingId = StrongInt<struct BookingIdTag, std::uint64_t>;
// After all others.
inline constexpr BookingId kLastBooking{~std::uint64_t{0}};

struct Booking {
  std::optional<NodeId> prefill, decode;
  std::uint32_t prefill_tokens = 0;  // to be computed at `prefill`
  std::uint32_t decode_tokens = 0;   // to be held at `decode`
  std::uint32_t hit_tokens = 0;      // that `prefill` was believed to have, or to read in time
  bool reads = false;                // it was to read some of these
  std::optional<NodeId> source;      // ... from there, as long as it may
  std::uint32_t pull_tokens = 0;     // ... so many
  bool alone = false;                // `prefill` had nothing else to compute
  bool prefilled = false;            // computed, or taken as such
  bool told = false;                 // ... as was said
  TimePoint made;
  TimePoint prefill_expires, expires;
};

// This router's own. Every operation O(log bookings).
class Bookings {
 public:
  // Numbers begin at `first`. Where that is the time in microseconds at which this life began, no
  // number of another life is used again.
  explicit Bookings(BookingId first) : next_(first) {}

  // Where there are limits::bookings_max, the one that expires first goes.
  BookingId make(const Booking& booking);
  // What nodes were promised to hold by it, kept as long as it is open. Where all together have
  // more than limits::booked_chunks_max, those of the oldest bookings go: they are most likely
  // computed.
  void note_chunks(BookingId id, std::vector<BookedChunks> chunks);
  // Nothing where there is no such booking, or its prompt is computed already. What is returned is
  // the booking as it was.
  std::optional<Booking> prefill_done(BookingId id);
  std::optional<Booking> finish(BookingId id);

  // How many prompts or whole bookings expired by now, and at which nodes.
  std::size_t expire(TimePoint now, std::set<NodeId>& touched);
  TimePoint next_expiry() const;
  // The node is gone, and with it what it was promised.
  void drop_node(NodeId node);

  std::size_t size() const { return bookings_.size(); }
  // Empty where it has none.
  const std::vector<BookedChunks>& chunks_of(BookingId id) const;
  // The latest booking before this one that has chunks; nothing: there is none.
  std::optional<BookingId> latest_with_chunks(BookingId before) const;
  // Sums by node. Nodes stay, with zeros, so that their last change can be told.
  const std::map<NodeId, Promise>& promises() const { return promises_; }
  // Grows with every change of a sum.
  std::uint64_t version() const { return version_; }

 private:
  using OpenChunks = std::map<BookingId, std::vector<BookedChunks>>;
  void end_prefill(Booking& booking);
  void end_pull(Booking& booking);
  OpenChunks::iterator drop_chunks(OpenChunks::iterator at);
  void erase(std::map<BookingId, Booking>::iterator at);
  static TimePoint due(const Booking& booking);

  std::map<BookingId, Booking> bookings_;
  std::set<std::pair<TimePoint, BookingId>> by_expiry_;
  std::map<NodeId, Promise> promises_;
  OpenChunks chunks_;
  std::size_t chunk_count_ = 0;
  BookingId next_;
  std::uint64_t version_ = 0;
};

}  // namespace radixmesh
