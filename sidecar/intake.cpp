#include "sidecar/intake.h"

#include <algorithm>

#include "sidecar/tcp_connection.h"

namespace radixmesh {

bool Intake::is_endless(int descriptor, std::uint64_t received, Bounds bounds,
                        const NothingWaits& nothing_waits) {
  // Less than was heard: what was heard last of another connection with this number counts here.
  heard_bytes_ = std::min(heard_bytes_, received);
  const std::uint64_t most = heard_bytes_ + bounds.unfinished_bytes;
  if (received <= most) return false;
  // What libzmq has not read waits in the kernel, and costs nothing here.
  const std::uint64_t read = received - std::min(received, bytes_waiting(descriptor));
  return read > most && (read > most + bounds.waiting_bytes || nothing_waits());
}

}  // namespace radixmesh
