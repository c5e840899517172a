// A member's own numbers, each of which only it raises.
#pragma once

#include <cstdint>
#include <utility>

#include "lib/base/ids.h"

namespace radixmesh {

struct OwnNumbers {
  std::uint32_t refute = 0;
  std::uint64_t beat = 0, bookings = 0;
  Seq head;
  std::uint64_t nonce = 0, stamp = 0, round = 0;
  std::pair<Epoch, Seq> needed{};  // what has to be applied of it before this node is ready
};

}  // namespace radixmesh
