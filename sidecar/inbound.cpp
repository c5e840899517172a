#include "sidecar/inbound.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
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

// All that came over it since it was opened; 0 where the kernel does not say.
std::uint64_t bytes_received(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return info.tcpi_bytes_received;
}

// ... and was not read yet.
std::uint64_t bytes_in_kernel(int descriptor) {
  int bytes = 0;
  return ::ioctl(descriptor, FIONREAD, &bytes) == 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

}  // namespace

void Inbound::accepted(TimePoint now, int descriptor) {
  Connection& connection = connections_[descriptor] = {};
  connection.address = address_of(descriptor);
  connection.since = now;
  ++accepted_since_look_;
}

void Inbound::ended(int descriptor) { connections_.erase(descriptor); }

void Inbound::heard(TimePoint now, int descriptor, std::optional<NodeId> from) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  const bool is_new = from && connection.claims != from;
  // Once a turn: what came until then has been seen, or is about to be.
  if (connection.last_heard != now) connection.bytes_until_heard = bytes_received(descriptor);
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

bool Inbound::is_member(const Connection& connection) const {
  return connection.claims && is_member_(*connection.claims);
}

bool Inbound::is_endless(int descriptor, const Connection& connection) const {
  const std::uint64_t most = connection.bytes_until_heard + bounds_.unfinished_bytes_max;
  const std::uint64_t received = bytes_received(descriptor);
  return received > most && received - bytes_in_kernel(descriptor) > most;
}

bool Inbound::crowded() const {
  return connections_.size() > bounds_.connections_max ||
         accepted_since_look_ > limits::stranger_connections_max;
}

void Inbound::look_after(TimePoint now) {
  accepted_since_look_ = 0;
  std::vector<int> out;
  for (const auto& [descriptor, each] : connections_) {
    const bool said_nothing = each.last_heard == TimePoint::min();
    const bool silent = said_nothing && now - each.since >= limits::silent_connection_max;
    if (silent || is_endless(descriptor, each)) out.push_back(descriptor);
  }
  for (int descriptor : out) cut(descriptor);
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
