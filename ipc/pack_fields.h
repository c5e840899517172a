// Pairs of a map: the name, then the value. Used by what packs answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/packing.h"
#include "lib/base/time.h"

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

inline void pack_texts(Packer& packer, std::string_view name,
                       const std::vector<std::string>& texts) {
  key(packer, name);
  packer.pack_array(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) pack_text(packer, text);
}
inline double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }
inline void pack_seconds(Packer& packer, std::string_view name, Duration duration) {
  pair(packer, name, seconds(duration));
}

void pack_load(Packer& packer, const std::optional<Load>& load);
// Four pairs of a map that the caller began.
inline constexpr std::uint32_t kWorkFields = 5;
void pack_work(Packer& packer, const WorkView& work);

}  // namespace radixmesh::ipc
