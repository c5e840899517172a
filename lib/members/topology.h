// Topology: whom a node subscribes to, and what it passes on. Pure functions of the view; nodes
// with different views can at worst get a frame twice or miss it, and both are mended.
//
//   mesh     everyone subscribes to everyone: one hop
//   ring     everyone subscribes to the node before it in rank order, and passes on what it accepts
//   groups   groups of about sqrt(N) by rank, each a mesh. Of every origin outside, one member of
//            the group takes what it publishes and passes it on to the group: two hops. A second
//            member watches, and takes over. Both are chosen by rendezvous hashing, so that the
//            work is spread, and a death moves only what the dead one passed on
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh {

enum class Topology : std::uint8_t {
  mesh,
  ring,
  groups,
  automatic,  // "auto": mesh up to limits::mesh_members_max members, groups above
};

std::optional<Topology> parse_topology(std::string_view name);
std::string_view topology_name(Topology topology);
// What `automatic` means with so many members; the others mean themselves.
Topology effective(Topology topology, std::size_t members);

// A member of the view, which is in rank order.
struct Place {
  NodeId node;
  NodeRank rank;
  bool suspect = false;  // it relays nothing until it is heard again
};
// The members to arrange, and how many there would be if all lived: on this the size of the groups
// depends, so that a death does not rearrange them.
struct View {
  std::vector<Place> places;
  std::size_t members = 0;
};

struct Upstream {
  NodeId node;
  bool watch_only = false;  // its control lane alone: a standby sees by its HEADs what is missing
  friend bool operator==(const Upstream&, const Upstream&) = default;
};
// Nodes to subscribe to. `self` is in the view. O(N) for one node in mesh and ring, O(N sqrt N) in
// groups.
std::vector<Upstream> upstreams(Topology topology, const View& view, NodeId self);

// The next node in rank order, to which the short heartbeat goes; nothing if there is no other.
// `step` 2 is the one after it, -1 the one before.
std::optional<NodeId> neighbour(const View& view, NodeId self, int step);

// The number of a member's group; 0 where it is not in the view.
std::uint32_t group_of(const View& view, NodeId member);

// Those of a member's group that pass on what `origin` publishes, first and standby. None where the
// origin is in the group itself.
struct Relays {
  std::optional<NodeId> first, standby;
};
Relays relays_into_group_of(const View& view, NodeId member, NodeId origin);

// Whether `self` publishes again what it first accepts of `origin`, if all is as it should be.
bool relays(Topology topology, const View& view, NodeId self, NodeId origin);

// Hops that a frame may take: only a safety, as a frame is passed on once at most. A large ring has
// more hops than the byte can count: there every eighth node counts.
std::uint8_t initial_ttl(Topology topology, std::size_t members);
constexpr bool counts_hop(std::size_t members, NodeRank rank) {
  return members <= 63 || rank.value % 8 == 0;
}

}  // namespace radixmesh
