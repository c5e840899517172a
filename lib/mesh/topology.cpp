#include "lib/mesh/topology.h"

#include <algorithm>

namespace radixmesh {
namespace {

// The node `step` places after `self`, going around; nothing if `self` is alone or not in the view.
std::optional<NodeId> neighbour(const std::vector<NodeId>& view, NodeId self, std::size_t step) {
  const auto at = std::find(view.begin(), view.end(), self);
  if (at == view.end() || view.size() < 2) return std::nullopt;
  const auto index = static_cast<std::size_t>(at - view.begin());
  return view[(index + step) % view.size()];
}

}  // namespace

std::optional<Topology> parse_topology(std::string_view name) {
  if (name == "mesh" || name == "auto") return Topology::mesh;
  if (name == "ring") return Topology::ring;
  return std::nullopt;
}

std::vector<NodeId> upstreams(Topology topology, const std::vector<NodeId>& view, NodeId self) {
  std::vector<NodeId> out;
  if (topology == Topology::ring) {
    if (const auto before = neighbour(view, self, view.size() - 1)) out.push_back(*before);
    return out;
  }
  std::copy_if(view.begin(), view.end(), std::back_inserter(out),
               [self](NodeId node) { return node != self; });
  return out;
}

std::optional<NodeId> successor(const std::vector<NodeId>& view, NodeId self) {
  return neighbour(view, self, 1);
}

}  // namespace radixmesh
