#include "lib/members/topology.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

const Place* find(const View& view, NodeId node) {
  const auto at = std::ranges::find(view.places, node, &Place::node);
  return at == view.places.end() ? nullptr : &*at;
}

// By rank, so that neither a death nor a join moves anyone into another group, as long as the size
// of the groups stays.
std::uint32_t group_size(const View& view) {
  const double members = static_cast<double>(std::max(view.members, view.places.size()));
  return std::max(static_cast<std::uint32_t>(std::ceil(std::sqrt(members))), 1u);
}
std::uint32_t group_of(const View& view, NodeRank rank) { return rank.value / group_size(view); }

// The weight of a member as the relay of an origin: the highest wins.
std::uint64_t weight(NodeId origin, NodeId member) {
  std::uint64_t mixed = origin.value * 0x9E3779B97F4A7C15ull ^ member.value;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
  return mixed ^ (mixed >> 31);
}

Relays relays_of_group(const View& view, std::uint32_t group, NodeId origin) {
  Relays relays;
  std::uint64_t first = 0, standby = 0;
  const std::uint32_t size = group_size(view);
  auto at = std::ranges::lower_bound(view.places, std::uint64_t{group} * size, {},
                                     [](const Place& each) { return each.rank.value; });
  for (; at != view.places.end() && at->rank.value / size == group; ++at) {
    const Place& place = *at;
    if (place.suspect) continue;
    const std::uint64_t score = weight(origin, place.node);
    if (!relays.first || score > first) {
      relays.standby = std::exchange(relays.first, place.node);
      standby = std::exchange(first, score);
    } else if (!relays.standby || score > standby) {
      relays.standby = place.node;
      standby = score;
    }
  }
  return relays;
}

std::vector<Upstream> upstreams_in_groups(const View& view, const Place& self) {
  std::vector<Upstream> out;
  const std::uint32_t size = group_size(view), own = self.rank.value / size;
  for (const Place& place : view.places) {
    if (place.node == self.node) continue;
    if (place.rank.value / size == own) {
      out.push_back({place.node});
      continue;
    }
    const Relays relays = relays_of_group(view, own, place.node);
    if (relays.first == self.node) out.push_back({place.node});
    if (relays.standby == self.node) out.push_back({place.node, true});
  }
  return out;
}

}  // namespace

std::optional<Topology> parse_topology(std::string_view name) {
  for (Topology each : {Topology::mesh, Topology::ring, Topology::groups, Topology::automatic}) {
    if (name == topology_name(each)) return each;
  }
  return std::nullopt;
}

std::string_view topology_name(Topology topology) {
  switch (topology) {
    case Topology::mesh:
      return "mesh";
    case Topology::ring:
      return "ring";
    case Topology::groups:
      return "groups";
    case Topology::automatic:
      return "auto";
  }
  return "?";
}

Topology effective(Topology topology, std::size_t members) {
  if (topology != Topology::automatic) return topology;
  return members <= limits::mesh_members_max ? Topology::mesh : Topology::groups;
}

std::vector<Upstream> upstreams(Topology topology, const View& view, NodeId self) {
  const Place* place = find(view, self);
  if (place == nullptr) return {};
  std::vector<Upstream> out;
  switch (effective(topology, view.members)) {
    case Topology::ring:
      if (const auto before = neighbour(view, self, -1)) out.push_back({*before});
      return out;
    case Topology::groups:
      return upstreams_in_groups(view, *place);
    case Topology::mesh:
    case Topology::automatic:
      break;
  }
  for (const Place& each : view.places) {
    if (each.node != self) out.push_back({each.node});
  }
  return out;
}

std::uint32_t group_of(const View& view, NodeId member) {
  const Place* place = find(view, member);
  return place == nullptr ? 0 : group_of(view, place->rank);
}

std::optional<NodeId> neighbour(const View& view, NodeId self, int step) {
  const Place* place = find(view, self);
  if (place == nullptr || view.places.size() < 2) return std::nullopt;
  const auto size = static_cast<std::ptrdiff_t>(view.places.size());
  const auto at = (place - view.places.data() + step % size + size) % size;
  const NodeId node = view.places[static_cast<std::size_t>(at)].node;
  return node == self ? std::nullopt : std::optional(node);
}

Relays relays_into_group_of(const View& view, NodeId member, NodeId origin) {
  const Place* at = find(view, member);
  const Place* from = find(view, origin);
  if (at == nullptr || from == nullptr) return {};
  const std::uint32_t group = group_of(view, at->rank);
  if (group_of(view, from->rank) == group) return {};
  return relays_of_group(view, group, origin);
}

bool relays(Topology topology, const View& view, NodeId self, NodeId origin) {
  switch (effective(topology, view.members)) {
    case Topology::ring:
      return true;
    case Topology::groups:
      return relays_into_group_of(view, self, origin).first == self;
    case Topology::mesh:
    case Topology::automatic:
      return false;
  }
  return false;
}

std::uint8_t initial_ttl(Topology topology, std::size_t members) {
  switch (effective(topology, members)) {
    case Topology::ring:
      return static_cast<std::uint8_t>(std::min<std::size_t>(127, 2 * members));
    case Topology::groups:
      return 3;
    case Topology::mesh:
    case Topology::automatic:
      return 1;
  }
  return 1;
}

}  // namespace radixmesh
