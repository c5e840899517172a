// The connections that others made to one bound socket: who is silent, who says what no member
// would, and who has too many of them is cut. libzmq cuts nobody by itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "lib/base/ids.h"
#include "lib/base/time.h"

namespace radixmesh {

class Inbound {
 public:
  // `connections_max`: of this socket, in all.
  explicit Inbound(std::size_t connections_max) : connections_max_(connections_max) {}

  void accepted(TimePoint now, int descriptor);
  void ended(int descriptor);
  bool knows(int descriptor) const { return connections_.contains(descriptor); }
  // A message came over it. `from`: who it claims to be, if it says so, and whether that is a
  // member.
  void heard(TimePoint now, int descriptor, std::optional<NodeId> from, bool is_member);
  // It subscribed to a topic, or no longer; false where it has too many, and is cut.
  bool subscribed(int descriptor, bool begins);
  void cut(int descriptor);
  // Cuts who never said anything, and strangers that are too many; to be called now and then.
  void look_after(TimePoint now);

  std::size_t size() const { return connections_.size(); }
  std::uint64_t cuts() const { return cuts_; }

 private:
  struct Connection {
    std::string address;  // of the other end: numbers of descriptors are used again
    TimePoint since, last_heard = TimePoint::min();
    std::optional<NodeId> claims;
    bool is_member = false;
    std::uint32_t topics = 0;
  };
  void cut_surplus_of(NodeId node, int but);

  std::size_t connections_max_;
  std::map<int, Connection> connections_;
  std::uint64_t cuts_ = 0;
};

}  // namespace radixmesh
