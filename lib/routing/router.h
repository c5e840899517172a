// Router: where a prompt should run, and what every node can know about that. The routing core of
// one node: tests/routing drives this very class with simulated engines.
//
//   engines' loads ──► Traffic, one per node ──┐
//   all routers' promises ──► ┘                ├─► policy (prefix_first or cost) ─► Routed
//   depths of the index, and Speculation ──────┘                                      │
//                       Bookings, Speculation ◄───────────── if it is booked ─────────┘
//
// A pure state machine like the replica, which owns it, tells it the news and publishes its
// promises. The same calls with the same times give the same answers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"
#include "lib/routing/bookings.h"
#include "lib/routing/candidate.h"
#include "lib/routing/chunk_news.h"
#include "lib/routing/common_beginning.h"
#include "lib/routing/cost.h"
#include "lib/routing/fleet_traffic.h"
#include "lib/routing/least_cost.h"
#include "lib/routing/moves.h"
#include "lib/routing/other_routers.h"
#include "lib/routing/pulling.h"
#include "lib/routing/settings.h"
#include "lib/routing/speculation.h"

namespace radixmesh {

struct RouteQuery {
  const CacheNamespace& name;
  std::span<const TokenId> tokens;
};

// A choice with all that led to it. `candidates` and `terms` are in the order of the nodes that
// were given.
struct Routed {
  RouteChoice choice;
  std::vector<RouteCandidate> candidates;
  std::vector<CostTerms> terms;
  std::uint32_t tokens = 0;  // of the query
  std::vector<Chunk> chunks;
  std::optional<BookingId> booking;

  // Where no prefill node is named, the decode node computes what is missing.
  std::optional<std::size_t> computes() const {
    return choice.prefill ? choice.prefill : choice.decode;
  }
  // What the node that computes should read from another.
  std::optional<Pull> pull(std::optional<std::size_t> at) const {
    return at ? terms[*at].reads : std::nullopt;
  }
};

// Whether a request should be sent on, and to whom.
enum class RedirectReason : std::uint8_t {
  sooner,     // there it is done sooner, what it takes to get there included
  stay,       // nowhere is it
  hop_limit,  // it was sent on often enough
};
std::string_view reason_name(RedirectReason reason);
struct Redirected {
  std::optional<std::size_t> to;  // nothing: stay
  RedirectReason reason = RedirectReason::stay;
  Routed seen;
};

// Between two repetitions of what was told of open bookings, or half as long as speculation lives:
// so long after a loss all routers agree. Longer where a router has more chunks open than it tells
// in that time.
inline constexpr Duration kChunksRepeat = std::chrono::seconds(2),
                          kChunksRepeatMin = std::chrono::milliseconds(100);

class Router {
 public:
  // `life` tells the bookings of this life from those of others; `salt` is known to nobody else.
  Router(const RoutingSettings& settings, std::uint32_t page_size, Epoch life, std::uint64_t salt,
         TimePoint now);

  // ---- news ------------------------------------------------------------------------------------

  void report_load(TimePoint now, NodeId node, const Load& load) {
    traffic_.report(now, node, load);
  }
  // Another router's promises, all of them: what is not among them is none. And chunks that it
  // booked: some of them, and again those that it told before. False, and nothing happens, where
  // they are not newer than what is known.
  using PromiseRow = OtherRouters::PromiseRow;
  bool note_promises(TimePoint now, NodeId router, Epoch epoch, std::uint64_t version,
                     std::span<const PromiseRow> promises,
                     std::span<const BookedChunks> chunks = {});
  // The version of what that router said last; and that it never said so, but at the most this
  // version: nothing of it counts until it says more.
  std::uint64_t promises_heard(NodeId router) const { return others_.heard(router); }
  void disbelieve_promises(TimePoint now, NodeId router, std::uint64_t version);
  // What they say of their links; before anything is asked.
  void note_pull_rates(TimePoint now, std::span<const RouteNode> nodes) {
    traffic_.note_pull_rates(now, nodes);
  }
  // A node is dead, has left, or begins a new life: nothing that was promised to it, by it or
  // routed to it counts any more.
  void forget(TimePoint now, NodeId node);

  // ---- choices ---------------------------------------------------------------------------------

  // Changes nothing. O(tokens) for their chunks, O(nodes) for the rest.
  Routed look(TimePoint now, const RouteQuery& query, std::span<const RouteNode> nodes) const;
  // The same, and counts; with `book` the nodes chosen are promised the work, and count as holding
  // the prompt.
  Routed route(TimePoint now, const RouteQuery& query, std::span<const RouteNode> nodes, bool book);
  // Whether a request that `here` has queued should go to another node that serves `role`, which is
  // here's. `visited` are those that had it before. One that goes counts as gone from here, and
  // come there, until engines report. In redirect.cpp.
  Redirected redirect(TimePoint now, const RouteQuery& query, std::span<const RouteNode> nodes,
                      NodeId here, Role role, std::span<const NodeId> visited);
  // The prompt was computed; `hit_tokens`, if the engine tells, of it were cached. False where no
  // such booking is open.
  bool prefill_done(TimePoint now, BookingId id, std::optional<std::uint32_t> hit_tokens);
  bool finish(TimePoint now, BookingId id);
  void finish_warm_up() { warm_up_over_ = true; }
  bool warming_up(TimePoint now) const;

  void expire(TimePoint now);
  TimePoint next_expiry() const;

  // ---- what is told and shown ------------------------------------------------------------------

  const std::map<NodeId, Promise>& promises() const { return bookings_.promises(); }
  std::uint64_t promises_version() const { return bookings_.version(); }
  // Chunks that the other routers are to be told, at most so many.
  std::vector<BookedChunks> take_chunk_news(std::size_t chunks_max) {
    return chunk_news_.take(bookings_, chunks_max);
  }
  bool has_chunk_news() const { return !chunk_news_.empty(); }
  const FleetTraffic& traffic() const { return traffic_; }
  std::uint64_t routed(RouteReason reason) const {
    return counts_.by_reason[static_cast<std::size_t>(reason)];
  }
  std::size_t bookings() const { return bookings_.size(); }
  std::uint64_t bookings_expired() const { return counts_.expired; }
  std::size_t speculative_chunks() const { return speculation_.chunks(); }

 private:
  struct Counts {
    std::array<std::uint64_t, kRouteReasons> by_reason{};
    std::uint64_t requests = 0, expired = 0;  // bookings
  };

  Lots lots() const;
  RouteChoice choose(TimePoint now, const RouteQuery& query, const Routed& seen, Lots lots) const;
  std::optional<BookingId> book(TimePoint now, const Routed& routed);
  void refresh(TimePoint now, NodeId node);
  void refresh(TimePoint now, const Booking& booking);
  void refresh_all(TimePoint now, std::span<const NodeId> nodes);
  void refresh_promised(TimePoint now);
  std::vector<RouteCandidate> without_request(const Routed& seen, std::size_t at) const;
  std::optional<std::size_t> sooner_at(const Routed& seen, NodeId here, Role role,
                                       std::span<const NodeId> visited) const;
  void note_move(TimePoint now, const RouteQuery& query, const Routed& seen, NodeId here,
                 std::size_t to);
  void book_chunks(TimePoint now, BookingId id, const Routed& routed);
  void tell_chunks(TimePoint now, BookingId id);
  void repeat_chunks(TimePoint now);
  Duration chunks_repeat() const {
    return std::clamp(settings_.speculation / 2, kChunksRepeatMin, kChunksRepeat);
  }

  RoutingSettings settings_;
  std::uint32_t page_size_;
  TimePoint started_;
  bool warm_up_over_ = false;
  FleetTraffic traffic_;
  Bookings bookings_;
  OtherRouters others_;
  Speculation speculation_;
  std::uint64_t salt_;
  CommonBeginning common_;  // for prefix_first
  ChunkNews chunk_news_;
  TimePoint next_repeat_ = kNever;
  Moves moves_;
  Counts counts_;
};

}  // namespace radixmesh
