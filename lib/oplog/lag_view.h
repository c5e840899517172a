// How far this node is behind an origin, as it is shown.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/time.h"

namespace radixmesh {

struct LagView {
  std::uint64_t ops = 0;
  Duration since{};              // something has been missing for so long
  std::string_view last_repair;  // "replay", "snapshot", or empty: never
  Duration repaired_ago{};
  std::uint64_t digest_mismatches = 0;
};

}  // namespace radixmesh
