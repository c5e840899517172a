// How a node collects the duplicates among its own pages.
#pragma once

#include <cstdint>
#include <string_view>

namespace radixmesh {

enum class GcMode : std::uint8_t {
  off = 0,         // it collects nothing, and grants no other node a reference
  local_ref = 1,   // readers keep their references to themselves, and agree to each RETIRE
  global_ref = 2,  // readers tell the owner of each reference
};

inline std::string_view gc_mode_name(GcMode mode) {
  constexpr std::string_view names[] = {"off", "local-ref", "global-ref"};
  return names[static_cast<std::uint8_t>(mode)];
}

}  // namespace radixmesh
