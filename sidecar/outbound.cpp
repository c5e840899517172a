#include "sidecar/outbound.h"

#include <dirent.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "lib/base/limits.h"
#include "sidecar/tcp_connection.h"

namespace radixmesh {
namespace {

// Where the system does not show which there are.
constexpr int kDescriptorsTried = 4096;

}  // namespace

template <class Visit>
void Outbound::for_each_descriptor(Visit&& visit) {
  if (descriptors_ == nullptr) {
    for (int descriptor = 0; descriptor < kDescriptorsTried; ++descriptor) visit(descriptor);
    return;
  }
  ::rewinddir(descriptors_);
  while (const dirent* entry = ::readdir(descriptors_)) {
    if (entry->d_name[0] != '.') visit(std::atoi(entry->d_name));
  }
}

Outbound::Outbound(Intake::Bounds bounds)
    : bounds_(bounds), descriptors_(::opendir("/proc/self/fd")) {
  for_each_descriptor([&](int descriptor) {
    if (std::string ends = ends_of(descriptor); !ends.empty()) {
      inherited_.emplace(descriptor, std::move(ends));
    }
  });
}

Outbound::~Outbound() {
  if (descriptors_ != nullptr) ::closedir(descriptors_);
}

Outbound::Connection* Outbound::find(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found != connections_.end()) return &found->second;
  std::string ends = ends_of(descriptor);
  if (ends.empty() || !bytes_received(descriptor)) return nullptr;
  const auto inherited = inherited_.find(descriptor);
  if (inherited != inherited_.end()) {
    if (inherited->second == ends) return nullptr;
    inherited_.erase(inherited);  // that one was closed
  }
  return &(connections_[descriptor] = {std::move(ends), {}});
}

void Outbound::heard(int descriptor, std::size_t bytes) {
  Connection* connection = find(descriptor);
  if (connection != nullptr && !connection->is_cut) connection->intake.heard(bytes);
}

bool Outbound::cut(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end() || found->second.is_cut) return false;
  if (!reset(descriptor, found->second.ends)) return false;
  found->second.is_cut = true;
  ++cuts_;
  return true;
}

void Outbound::look_after(TimePoint now, const Intake::NothingWaits& nothing_waits,
                          const IsInbound& is_inbound) {
  bool is_search_due = now >= search_at_;
  for (auto each = connections_.begin(); each != connections_.end();) {
    if (!is_inbound(each->first) && look_at(each->first, each->second, nothing_waits)) {
      ++each;
    } else {
      each = connections_.erase(each);
      is_search_due = true;
    }
  }
  if (!is_search_due) return;
  search_at_ = now + limits::connections_searched_every;
  search(nothing_waits, is_inbound);
}

bool Outbound::look_at(int descriptor, Connection& connection,
                       const Intake::NothingWaits& nothing_waits) {
  const auto received = bytes_received(descriptor);
  if (!received) return false;
  if (!connection.is_cut &&
      !connection.intake.is_endless(descriptor, *received, bounds_, nothing_waits)) {
    return true;
  }
  // Only now: most are well, and there may be thousands.
  std::string ends = ends_of(descriptor);
  if (ends != connection.ends) {
    connection = {std::move(ends), Intake(*received)};
  } else if (!connection.is_cut) {
    endless_ += cut(descriptor) ? 1 : 0;
  }
  return true;
}

void Outbound::search(const Intake::NothingWaits& nothing_waits, const IsInbound& is_inbound) {
  for_each_descriptor([&](int descriptor) {
    if (is_inbound(descriptor) || connections_.contains(descriptor)) return;
    Connection* found = find(descriptor);
    if (found != nullptr) look_at(descriptor, *found, nothing_waits);
  });
}

}  // namespace radixmesh
