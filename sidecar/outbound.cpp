#include "sidecar/outbound.h"

#include <dirent.h>

#include <cstdlib>
#include <vector>

#include "sidecar/tcp_connection.h"

namespace radixmesh {
namespace {

// Where the system does not show which there are.
constexpr int kDescriptorsTried = 4096;

}  // namespace

Outbound::Outbound(Intake::Bounds bounds)
    : bounds_(bounds), descriptors_(::opendir("/proc/self/fd")) {}

Outbound::~Outbound() {
  if (descriptors_ != nullptr) ::closedir(descriptors_);
}

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

Outbound::Connection* Outbound::find(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found != connections_.end()) return &found->second;
  std::string ends = ends_of(descriptor);
  if (ends.empty()) return nullptr;
  return &(connections_[descriptor] = {std::move(ends), {}, looks_});
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

void Outbound::look_after(const Intake::NothingWaits& nothing_waits,
                          const std::function<bool(int)>& is_inbound) {
  ++looks_;
  std::vector<int> endless;
  for_each_descriptor([&](int descriptor) {
    if (is_inbound(descriptor)) return;
    Connection* connection = find(descriptor);
    if (connection == nullptr) return;
    connection->look = looks_;
    const bool is_endless =
        connection->is_cut || connection->intake.is_endless(descriptor, bounds_, nothing_waits);
    if (!is_endless) return;
    // Only now: most are well, and there may be thousands.
    std::string ends = ends_of(descriptor);
    if (ends != connection->ends) {
      *connection = {std::move(ends), Intake(descriptor), looks_};
    } else if (!connection->is_cut) {
      endless.push_back(descriptor);
    }
  });
  for (const int descriptor : endless) endless_ += cut(descriptor) ? 1 : 0;
  std::erase_if(connections_, [&](const auto& each) { return each.second.look != looks_; });
}

}  // namespace radixmesh
