#include "sidecar/inbound.h"

#include <algorithm>
#include <vector>

#include "lib/base/limits.h"
#include "sidecar/tcp_connection.h"

namespace radixmesh {

void Inbound::accepted(TimePoint now, int descriptor) {
  Connection& connection = connections_[descriptor] = {};
  connection.ends = ends_of(descriptor);
  connection.since = now;
  ++accepted_since_look_;
  hanging_.erase(descriptor);
}

void Inbound::ended(int descriptor) {
  connections_.erase(descriptor);
  hanging_.erase(descriptor);
}

void Inbound::heard(TimePoint now, int descriptor, std::size_t bytes, std::optional<NodeId> from) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  const bool is_new = from && connection.claims != from;
  connection.intake.heard(bytes);
  connection.last_heard = now;
  if (!is_new) return;
  connection.claims = from;
  cut_surplus_of(*from, descriptor);
}

// A node has one connection, and for a moment, after a restart or a break, an old one.
void Inbound::cut_surplus_of(NodeId node, int but) {
  std::vector<std::pair<TimePoint, int>> same;
  for (const auto& [descriptor, each] : connections_) {
    if (each.claims == node && descriptor != but) same.emplace_back(each.last_heard, descriptor);
  }
  if (same.size() < limits::connections_of_a_node_max) return;
  std::ranges::sort(same);
  same.resize(same.size() - (limits::connections_of_a_node_max - 1));
  for (const auto& [heard, descriptor] : same) cut(descriptor);
}

bool Inbound::subscribed(int descriptor, std::string_view topic, bool begins) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return true;
  auto& topics = found->second.topics;
  // libzmq keeps what is subscribed to, and tells of an end that has no beginning all the same.
  const bool is_due = begins || topics.erase(std::string(topic)) > 0;
  if (begins) topics.emplace(topic);
  if (is_due && topics.size() <= limits::topics_of_a_connection_max) return true;
  cut(descriptor);
  return false;
}

bool Inbound::cut(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return false;
  const std::string ends = std::move(found->second.ends);
  connections_.erase(found);
  if (!reset(descriptor, ends)) return false;
  hanging_.insert(descriptor);
  ++cuts_;
  return true;
}

bool Inbound::is_member(const Connection& connection) const {
  return connection.claims && is_member_(*connection.claims);
}

bool Inbound::crowded() const {
  return connections_.size() > bounds_.connections_max ||
         accepted_since_look_ > limits::stranger_connections_max;
}

void Inbound::look_after(TimePoint now, const Intake::NothingWaits& nothing_waits) {
  accepted_since_look_ = 0;
  std::vector<int> silent, endless;
  for (auto& [descriptor, each] : connections_) {
    const bool said_nothing = each.last_heard == TimePoint::min();
    const std::uint64_t received = bytes_received(descriptor).value_or(0);
    if (each.intake.is_endless(descriptor, received, bounds_.intake, nothing_waits)) {
      endless.push_back(descriptor);
    } else if (said_nothing && now - each.since >= limits::silent_connection_max) {
      silent.push_back(descriptor);
    }
  }
  for (int descriptor : silent) cut(descriptor);
  for (int descriptor : endless) endless_ += cut(descriptor) ? 1 : 0;
  cut_strangers();
}

// Those that were heard least lately go first.
void Inbound::cut_strangers() {
  std::vector<std::pair<TimePoint, int>> strangers;
  for (const auto& [descriptor, each] : connections_) {
    if (!is_member(each)) strangers.emplace_back(std::max(each.since, each.last_heard), descriptor);
  }
  const std::size_t members = connections_.size() - strangers.size();
  const std::size_t most = bounds_.connections_max;
  const std::size_t room = most > members ? most - members : 0;
  const std::size_t kept = std::min(limits::stranger_connections_max, room);
  if (strangers.size() <= kept) return;
  std::ranges::sort(strangers);
  strangers.resize(strangers.size() - kept);
  for (const auto& [heard, descriptor] : strangers) cut(descriptor);
}

}  // namespace radixmesh
