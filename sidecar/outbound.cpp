#include "sidecar/outbound.h"

#include <dirent.h>

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "lib/base/limits.h"
#include "sidecar/tcp_connection.h"

namespace radixmesh {
namespace {

// None where the system does not show them.
std::vector<int> open_descriptors() {
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.') found.push_back(std::atoi(entry->d_name));
  }
  return found;
}

}  // namespace

void Outbound::heard(TimePoint now, int descriptor) {
  Connection& connection = connections_[descriptor];
  connection.suspect_since.reset();
  // Once a turn: what came until then has been seen, or is about to be.
  if (connection.last_heard == now) return;
  connection.last_heard = now;
  connection.bytes_until_heard = bytes_received(descriptor);
  connection.ends = ends_of(descriptor);
}

void Outbound::cut(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  if (reset(descriptor, found->second.ends)) ++cuts_;
  connections_.erase(found);
}

bool Outbound::look_after(TimePoint now, bool nothing_waits,
                          const std::function<bool(int)>& is_inbound) {
  bool has_suspect = false;
  for (const int descriptor : open_descriptors()) {
    if (is_inbound(descriptor)) continue;
    Connection* connection = find(descriptor);
    if (connection == nullptr) continue;
    connection->last_look = now;
    if (!is_over(descriptor, *connection)) continue;
    has_suspect = true;
    const TimePoint since = connection->suspect_since.value_or(now);
    connection->suspect_since = since;
    const bool was_read = nothing_waits || now - since >= limits::connections_looked_at_every;
    if (since < now && was_read) cut(descriptor);
  }
  std::erase_if(connections_, [now](const auto& each) { return each.second.last_look != now; });
  return has_suspect;
}

Outbound::Connection* Outbound::find(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found != connections_.end()) return &found->second;
  std::string ends = ends_of(descriptor);
  return ends.empty() ? nullptr
                      : &connections_.try_emplace(descriptor, std::move(ends)).first->second;
}

bool Outbound::is_over(int descriptor, Connection& connection) const {
  const std::uint64_t received = bytes_received(descriptor);
  const std::uint64_t most = connection.bytes_until_heard + unfinished_bytes_max_;
  if (received >= connection.bytes_until_heard && received <= most) return false;
  // Whether it is the same one is asked only now: most are well, and there may be thousands.
  std::string ends = ends_of(descriptor);
  if (connection.ends != ends) connection = Connection(std::move(ends), connection.last_look);
  return has_read_more_than(descriptor, connection.bytes_until_heard + unfinished_bytes_max_);
}

}  // namespace radixmesh
