#include "lib/routing/other_routers.h"

#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// A router that was not heard for so long has no promises any more; it tells them every second.
constexpr Duration kPromisesLive = std::chrono::seconds(10);

using Rows = std::vector<OtherRouters::PromiseRow>;

// Both by node.
void add_changed(const Rows& before, const Rows& after, std::vector<NodeId>& changed) {
  auto old = before.begin();
  for (const auto& each : after) {
    for (; old != before.end() && old->first < each.first; ++old) changed.push_back(old->first);
    const bool is_known = old != before.end() && old->first == each.first;
    if (!is_known || old->second != each.second) changed.push_back(each.first);
    if (is_known) ++old;
  }
  for (; old != before.end(); ++old) changed.push_back(old->first);
}

}  // namespace

bool OtherRouters::note(TimePoint now, NodeId router, Epoch epoch, std::uint64_t version,
                        Duration period, std::span<const PromiseRow> promises,
                        std::vector<NodeId>& changed) {
  Other& other = others_[router];
  if (std::tuple(epoch, version) <= std::tuple(other.epoch, other.version)) return false;
  if (now >= other.chunks_since + period) {
    other.chunks_since = now;
    other.chunks = 0;
  }
  other.heard = now;
  other.epoch = epoch;
  other.version = version;
  Rows rows(promises.begin(), promises.end());
  if (!std::ranges::is_sorted(rows, {}, &PromiseRow::first)) {
    std::ranges::stable_sort(rows, {}, &PromiseRow::first);
  }
  const auto of_one_node = [](const PromiseRow& a, const PromiseRow& b) {
    return a.first == b.first;
  };
  rows.erase(std::unique(rows.begin(), rows.end(), of_one_node), rows.end());
  rows.swap(other.promises);
  other.has_promises = !std::ranges::all_of(other.promises, &Promise::is_zero, &PromiseRow::second);
  add_changed(rows, other.promises, changed);
  return true;
}

std::uint64_t OtherRouters::heard(NodeId router) const {
  const auto found = others_.find(router);
  return found == others_.end() ? 0 : found->second.version;
}

std::vector<NodeId> OtherRouters::Other::take_nodes() {
  std::vector<NodeId> nodes;
  for (const auto& [node, promise] : std::exchange(promises, {})) nodes.push_back(node);
  has_promises = false;
  return nodes;
}

std::vector<NodeId> OtherRouters::disbelieve(NodeId router, std::uint64_t version) {
  Other& other = others_[router];
  other.version = version;
  return other.take_nodes();
}

std::vector<NodeId> OtherRouters::drop(NodeId router) {
  const auto found = others_.find(router);
  if (found == others_.end()) return {};
  std::vector<NodeId> nodes = found->second.take_nodes();
  others_.erase(found);
  return nodes;
}

std::vector<NodeId> OtherRouters::silent(TimePoint now) const {
  std::vector<NodeId> silent;
  for (const auto& [id, other] : others_) {
    if (other.heard + kPromisesLive <= now) silent.push_back(id);
  }
  return silent;
}

TimePoint OtherRouters::next_expiry() const {
  TimePoint due = kNever;
  for (const auto& [id, other] : others_) due = std::min(due, other.heard + kPromisesLive);
  return due;
}

bool OtherRouters::takes_chunks(NodeId router, std::size_t chunks) {
  Other& other = others_[router];
  other.chunks += chunks;
  return other.chunks <= limits::booked_chunks_heard_max;
}

Promise OtherRouters::sum_for(NodeId node) const {
  Promise sum;
  for (const auto& [id, other] : others_) {
    const auto found = std::ranges::lower_bound(other.promises, node, {}, &PromiseRow::first);
    if (found != other.promises.end() && found->first == node) sum += found->second;
  }
  return sum;
}

std::size_t OtherRouters::count_routing() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(others_, [](const auto& each) { return each.second.has_promises; }));
}

}  // namespace radixmesh
