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

Outbound::Outbound(std::size_t unfinished_bytes_max)
    : unfinished_bytes_max_(unfinished_bytes_max), descriptors_(::opendir("/proc/self/fd")) {}

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
  if (Connection* connection = find(descriptor)) connection->intake.heard(bytes);
}

void Outbound::cut(int descriptor) {
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return;
  if (reset(descriptor, found->second.ends)) ++cuts_;
  connections_.erase(found);
}

void Outbound::look_after(Attention& attention, const std::function<bool(int)>& is_inbound) {
  ++looks_;
  std::vector<int> endless;
  for_each_descriptor([&](int descriptor) {
    if (is_inbound(descriptor)) return;
    Connection* connection = find(descriptor);
    if (connection == nullptr) return;
    connection->look = looks_;
    if (!connection->intake.is_endless(descriptor, unfinished_bytes_max_, attention)) return;
    // Only now: most are well, and there may be thousands.
    std::string ends = ends_of(descriptor);
    if (ends == connection->ends) return endless.push_back(descriptor);
    *connection = {std::move(ends), {}, looks_};
  });
  for (const int descriptor : endless) cut(descriptor);
  endless_ += endless.size();
  std::erase_if(connections_, [&](const auto& each) { return each.second.look != looks_; });
}

}  // namespace radixmesh
