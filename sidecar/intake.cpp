#include "sidecar/intake.h"

#include <algorithm>

#include "lib/base/limits.h"
#include "sidecar/tcp_connection.h"

namespace radixmesh {

bool Intake::is_endless(int descriptor, std::size_t unfinished_bytes_max, Attention& attention) {
  const std::uint64_t received = bytes_received(descriptor);
  // Less than was heard: what was heard last of another connection with this number counts here.
  heard_bytes_ = std::min(heard_bytes_, received);
  if (!has_read_more_than(descriptor, heard_bytes_ + unfinished_bytes_max)) {
    suspect_since_.reset();
    return false;
  }
  if (attention.nothing_waits()) return true;
  if (!suspect_since_) suspect_since_ = attention.turns();
  return attention.turns() - *suspect_since_ >= limits::suspect_turns_max;
}

}  // namespace radixmesh
