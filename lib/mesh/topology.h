// Topology: whom a node subscribes to, and whether it passes on what it gets. Pure functions of the
// view; nodes with different views can at worst get a frame twice or miss it, and both are mended.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh {

enum class Topology : std::uint8_t {
  mesh,  // everyone subscribes to everyone: one hop
  ring,  // everyone subscribes to the node before it in rank order, and passes on what it accepts
};

constexpr std::string_view topology_name(Topology topology) {
  return topology == Topology::ring ? "ring" : "mesh";
}

// "auto" is mesh: it is what fits up to 64 nodes.
std::optional<Topology> parse_topology(std::string_view name);

// Nodes to subscribe to. `view` has the nodes that are not dead in rank order, `self` among them.
std::vector<NodeId> upstreams(Topology topology, const std::vector<NodeId>& view, NodeId self);

// The next node in rank order, to which the short heartbeat goes; nothing if there is no other.
std::optional<NodeId> successor(const std::vector<NodeId>& view, NodeId self);

// Whether a node publishes again what it first accepts from others.
constexpr bool relays(Topology topology) { return topology == Topology::ring; }

// Hops that a frame may take: only a safety, as a frame is passed on once at most.
constexpr std::uint8_t initial_ttl(Topology topology, std::size_t members) {
  return relays(topology) ? static_cast<std::uint8_t>(members > 63 ? 127 : 2 * members) : 1;
}

}  // namespace radixmesh
