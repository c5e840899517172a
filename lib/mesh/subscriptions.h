// Who listens to whom: subscriptions as the topology names them, markers from which on nothing is
// missed, and what is passed on.
//
//   view ──► wanted upstreams ──► SubscribeTo ──► marker: from here on nothing of it is missed
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "lib/base/timers.h"
#include "lib/mesh/next_look.h"
#include "lib/oplog/effects.h"
#include "lib/oplog/outbox.h"
#include "lib/oplog/streams.h"

namespace radixmesh {

class Subscriptions {
 public:
  Subscriptions(const Timers& timers, Roster& roster, const Streams& streams, NextLook& look,
                Outbox& out)
      : timers_(timers), roster_(roster), streams_(streams), look_(look), out_(out) {}

  // ---- subscriptions ---------------------------------------------------------------------------

  // Something about the view changed since the links were brought in line with it.
  bool is_outdated() const { return stitched_version_ != roster_.version(); }
  // Brings them in line with the topology, where they are not and it is time: new ones first, then
  // those no longer needed go. Needs a fresh view.
  void restitch_if_due(TimePoint now);
  // A marker may be lost like any frame, or the subscription before it. The links are looked at as
  // well: one may have fallen silent.
  void ask_for_markers(TimePoint now);
  TimePoint due() const;
  void on_marker(TimePoint now, NodeId from);
  // It was heard publishing.
  void note_published(TimePoint now, NodeId from) { last_published_[from] = now; }
  // TimePoint::min(): it never was.
  TimePoint last_published(NodeId id) const;
  bool is_subscribed(NodeId id) const { return subscribed_.contains(id); }
  // Every upstream that lives has sent its marker.
  bool all_marked() const;
  void forget(NodeId id);

  // ---- passing on ------------------------------------------------------------------------------

  // Only what is accepted for the first time comes here, so no arrangement of links can loop.
  void relay(TimePoint now, const Envelope& envelope, std::string_view frame);
  // A standby sees by an origin's HEADs what was published. Where it had to ask for that again and
  // again, the first relay does not bring it.
  void take_over_if_lagging(TimePoint now, NodeId id);

 private:
  void restitch(TimePoint now);
  std::vector<Upstream> wanted(TimePoint now) const;
  void subscribe(TimePoint now, const Upstream& upstream);
  bool stands_in(TimePoint now, NodeId origin) const;

  const Timers& timers_;
  Roster& roster_;
  const Streams& streams_;
  NextLook& look_;
  Outbox& out_;
  std::map<NodeId, SubscribeTo> subscribed_;  // by upstream, as it was asked for
  std::set<NodeId> marked_;                   // upstreams whose marker arrived
  std::optional<std::uint32_t> group_;        // to whose relayed lane this node listens
  std::map<NodeId, TimePoint> last_published_;
  std::map<NodeId, TimePoint> stands_in_until_;  // by origin: this standby passes it on
  std::uint64_t stitched_version_ = 0;           // of the roster
  TimePoint next_restitch_ = TimePoint::min(), next_marker_ask_ = kNever;
};

}  // namespace radixmesh
