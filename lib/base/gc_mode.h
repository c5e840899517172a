// How a node collects the duplicates among its own pages.
#pragma once

#include <cstdint>
#include <optional>
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

inline std::optional<GcMode> parse_gc_mode(std::string_view name) {
  for (GcMode mode : {GcMode::off, GcMode::local_ref, GcMode::global_ref}) {
    if (gc_mode_name(mode) == name) return mode;
  }
  return std::nullopt;
}

}  // namespace radixmesh
