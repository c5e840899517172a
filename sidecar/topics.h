// Under which topics a node publishes (WIRE.md has the table), and numbers in topics and
// identities.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/replica_io.h"

namespace radixmesh {

// Big-endian.
void put_u64(std::string& out, std::uint64_t value);
std::uint64_t get_u64(std::string_view bytes);

std::string topic_of(Lane lane, std::uint32_t group = 0);
// MARKERs for this subscriber alone. It sorts after the lanes: on a reconnect libzmq sends
// subscriptions in the order of their bytes, so this one proves that those are in force.
std::string marker_topic(NodeId subscriber);
// Names the subscriber that watches, and carries nothing: so it counts as a member's connection.
std::string watcher_topic(NodeId subscriber);

struct Topic {
  bool exists = false;
  bool is_marker = false;
  std::optional<NodeId> subscriber;  // whom it names
};
Topic read_topic(std::string_view topic);

}  // namespace radixmesh
