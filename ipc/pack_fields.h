// Pairs of a map: the name, then the value. Used by what packs answers.
#pragma once

#include <cstdint>
#include <string_view>

#include "ipc/packing.h"

namespace radixmesh::ipc {

inline void key(Packer& packer, std::string_view name) { pack_text(packer, name); }

inline void pair(Packer& packer, std::string_view name, std::uint64_t value) {
  key(packer, name);
  packer.pack_uint64(value);
}
inline void pair(Packer& packer, std::string_view name, std::string_view value) {
  key(packer, name);
  pack_text(packer, value);
}
inline void pair(Packer& packer, std::string_view name, bool value) {
  key(packer, name);
  value ? packer.pack_true() : packer.pack_false();
}
inline void pair(Packer& packer, std::string_view name, double value) {
  key(packer, name);
  packer.pack_double(value);
}

void pack_load(Packer& packer, const std::optional<Load>& load);
// Four pairs of a map that the caller began.
inline constexpr std::uint32_t kWorkFields = 4;
void pack_work(Packer& packer, const WorkView& work);

}  // namespace radixmesh::ipc
