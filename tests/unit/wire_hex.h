// Frames written as hex, for tables of what is accepted and what is not.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

#include "lib/oplog/message.h"

namespace radixmesh {

inline Bytes unhex(const std::string& hex) {
  Bytes bytes;
  std::istringstream pairs(hex);
  for (std::string pair; pairs >> pair;) {
    bytes.push_back(static_cast<char>(std::stoul(pair, nullptr, 16)));
  }
  return bytes;
}

// With its length before it.
inline Bytes reframed(std::string_view inside) {
  Bytes bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(inside.size() >> shift));
  }
  return bytes.append(inside);
}
inline Bytes framed(const std::string& hex) { return reframed(unhex(hex)); }

}  // namespace radixmesh
