// The connections that others made to one bound socket: who is silent, who says what no member
// would, and who has too many of them is cut. libzmq cuts nobody by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "sidecar/intake.h"

namespace radixmesh {

class Inbound {
 public:
  struct Bounds {
    std::size_t connections_max = 0;  // of this socket, in all
    Intake::Bounds intake;            // of one connection
  };
  using IsMember = std::function<bool(NodeId)>;

  Inbound(Bounds bounds, IsMember is_member) : bounds_(bounds), is_member_(std::move(is_member)) {}

  void accepted(TimePoint now, int descriptor);
  void ended(int descriptor);
  bool knows(int descriptor) const { return connections_.contains(descriptor); }
  // A whole message of so many bytes came over it. `from`: who it claims to be, if it says so.
  void heard(TimePoint now, int descriptor, std::size_t bytes, std::optional<NodeId> from);
  // It subscribed to a topic, or no longer; false where it has too many, or never had that one, and
  // is cut.
  bool subscribed(int descriptor, std::string_view topic, bool begins);
  // Whether it still was there to be cut.
  bool cut(int descriptor);
  // So many came since the last look that the next one should not wait.
  bool crowded() const;
  // Cuts who never said anything, who does not come to an end, and strangers that are too many.
  // O(connections); to be called every limits::connections_looked_at_every.
  void look_after(TimePoint now, const Intake::NothingWaits& nothing_waits);

  std::size_t size() const { return connections_.size(); }
  std::uint64_t cuts() const { return cuts_; }
  // Of them, those that were amid a message without end.
  std::uint64_t endless() const { return endless_; }
  // Of them, those whose descriptor libzmq still holds. It does so for ever where somebody takes
  // another connection's identity, and that one then says something.
  std::size_t hanging() const { return hanging_.size(); }
  // More than half as many as may be connected: the listener is to be made anew.
  bool too_many_hang() const { return 2 * hanging_.size() > bounds_.connections_max; }
  void forget_hanging() { hanging_.clear(); }

 private:
  struct Connection {
    std::string ends;
    TimePoint since, last_heard = TimePoint::min();
    std::optional<NodeId> claims;
    std::set<std::string, std::less<>> topics;
    Intake intake;
  };
  bool is_member(const Connection& connection) const;
  void cut_surplus_of(NodeId node, int but);
  void cut_strangers();

  Bounds bounds_;
  IsMember is_member_;
  std::map<int, Connection> connections_;
  std::set<int> hanging_;
  std::size_t accepted_since_look_ = 0;
  std::uint64_t cuts_ = 0, endless_ = 0;
};

}  // namespace radixmesh
