#include "sidecar/intake.h"

#include <algorithm>

#include "sidecar/tcp_connection.h"

namespace radixmesh {

Intake::Intake(int descriptor) : heard_bytes_(bytes_received(descriptor)) {}

bool Intake::is_endless(int descriptor, Bounds bounds, const NothingWaits& nothing_waits) {
  // Less than was heard: what was heard last of another connection with this number counts here.
  heard_bytes_ = std::min(heard_bytes_, bytes_received(descriptor));
  const std::uint64_t most = heard_bytes_ + bounds.unfinished_bytes;
  if (!has_read_more_than(descriptor, most)) return false;
  return has_read_more_than(descriptor, most + bounds.waiting_bytes) || nothing_waits();
}

}  // namespace radixmesh
