// The long gap of the heartbeat: a token (TICK) goes around the whole ring, in rank order, twice.
//
//      round 1: collect               round 2: confirm
//   A ──► B ──► C ──► D             A ──► B ──► C ──► D     each one compares the list with its own
//   ▲ {A}  {A,B} {A,B,C} │          ▲   the frozen list  │    view: equal, so the ring is verified
//   └────────────────────┘          └────────────────────┘
//
// Round 1 tells only the initiator who was reached; round 2 tells everyone that everyone was, and
// that nobody restarted in between. A set is compared, never a count. Whoever does not take the
// token is skipped, and named in it: there the ring is open. A token dies when its hops are used up
// or when its initiator is not in the view, whatever the ring looks like.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"

namespace radixmesh {

class RingCheck {
 public:
  struct Pace {
    Duration period;  // between tokens of a ring that is verified
    Duration retry;   // ... of one that is not
    Duration hop;     // how long the next node has to take the token
  };
  struct Outgoing {
    NodeId to;
    TickMessage tick;
  };
  using Sends = std::vector<Outgoing>;

  RingCheck(NodeId self, Pace pace, TimePoint now)
      : self_(self), pace_(pace), next_start_(now), last_token_(now) {}

  // The members that are alive or suspect, in rank order, this node among them. A change makes the
  // ring unverified until a token has gone around the new one.
  void set_view(TimePoint now, std::vector<Visit> ring);

  Sends step(TimePoint now);
  Sends on_tick(TimePoint now, TickMessage tick);
  void on_ack(const TickAckMessage& ack);
  TimePoint due() const;

  // The second round of a token that named exactly the present view has passed here.
  bool verified() const { return verified_ == ring_; }
  // Those that did not take the last token.
  const std::vector<NodeId>& open_at() const { return open_at_; }

  struct Counts {
    std::uint64_t started = 0, completed = 0, expired = 0, skipped = 0;
  };
  const Counts& counts() const { return counts_; }
  // Of the last token that this node sent around and got back.
  std::optional<Duration> round_trip() const { return round_trip_; }

 private:
  struct Pending {
    NodeId to;
    TickMessage tick;
    TimePoint deadline;
  };

  bool in_ring(NodeId node) const;
  std::optional<NodeId> after(NodeId node) const;
  bool starts_here(TimePoint now) const;
  void start(TimePoint now, Sends& out);
  void forward(TimePoint now, TickMessage tick, NodeId behind, Sends& out);
  void came_back(TimePoint now, TickMessage tick, Sends& out);
  void confirm(const TickMessage& tick);
  Visit own_visit() const;

  NodeId self_;
  Pace pace_;
  std::vector<Visit> ring_;      // in rank order
  std::vector<Visit> verified_;  // the ring that was verified last
  std::vector<NodeId> open_at_;
  std::vector<Pending> pending_;
  // Per initiator the last token that was taken: none is taken twice.
  struct Seen {
    std::tuple<Epoch, std::uint64_t, std::uint8_t> key;  // with its nonce and round
    TimePoint at;
  };
  std::map<NodeId, Seen> seen_;
  std::uint64_t nonce_ = 0;
  std::uint8_t round_ = 0;  // that this node's own token is in; 0: none is out
  TimePoint started_{}, next_start_, last_token_;
  std::optional<Duration> round_trip_;
  Counts counts_;
};

}  // namespace radixmesh
