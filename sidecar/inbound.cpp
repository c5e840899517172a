#include "sidecar/inbound.h"

#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// Who is at the other end, as bytes; empty if nobody is.
std::string address_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return {reinterpret_cast<const char*>(&address), size};
}

}  // namespace

void Inbound::accepted(TimePoint now, int descriptor) {
  Connection& connection = connections_[descriptor] = {};
  connection.address = address_of(descriptor);
  connection.since = now;
  if (connections_.size() > connections_max_) look_after(now);
}

void Inbound::ended(int descriptor) { connections_.erase(descriptor); }

void Inbound::heard(TimePoint now, int descriptor, std::optional<NodeId> from, bool is_member) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  const bool is_new = from && connection.claims != from;
  connection.last_heard = now;
  if (from) connection.claims = from;
  connection.is_member = is_member;
  if (is_new) cut_surplus_of(*from, descriptor);
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

bool Inbound::subscribed(int descriptor, bool begins) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return true;
  std::uint32_t& topics = found->second.topics;
  topics = begins ? topics + 1 : std::max(topics, 1u) - 1;
  if (topics <= limits::topics_of_a_connection_max) return true;
  cut(descriptor);
  return false;
}

void Inbound::cut(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  // The number may be another connection's by now, or another file's.
  const bool is_same =
      !found->second.address.empty() && address_of(descriptor) == found->second.address;
  connections_.erase(found);
  if (!is_same) return;
  ::shutdown(descriptor, SHUT_RDWR);  // libzmq sees its end, and closes it
  ++cuts_;
}

void Inbound::look_after(TimePoint now) {
  std::vector<int> silent;
  std::vector<std::pair<TimePoint, int>> strangers;
  for (const auto& [descriptor, each] : connections_) {
    const bool said_nothing = each.last_heard == TimePoint::min();
    if (said_nothing && now - each.since >= limits::silent_connection_max) {
      silent.push_back(descriptor);
    } else if (!each.is_member) {
      strangers.emplace_back(std::max(each.since, each.last_heard), descriptor);
    }
  }
  for (int descriptor : silent) cut(descriptor);
  const std::size_t members = connections_.size() - strangers.size();
  const std::size_t room = connections_max_ > members ? connections_max_ - members : 0;
  const std::size_t kept = std::min(limits::stranger_connections_max, room);
  if (strangers.size() <= kept) return;
  // Those that were heard least lately go first.
  std::ranges::sort(strangers);
  strangers.resize(strangers.size() - kept);
  for (const auto& [heard, descriptor] : strangers) cut(descriptor);
}

}  // namespace radixmesh
