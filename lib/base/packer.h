// What writes MessagePack to the end of a string, and how what both protocols speak of is written.
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <string>
#include <string_view>

#include "lib/base/cache_namespace.h"

namespace radixmesh {

struct Buffer {
  std::string& out;
  void write(const char* data, std::size_t size) { out.append(data, size); }
};
using Packer = msgpack::packer<Buffer>;

inline void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

inline void pack_binary(Packer& packer, std::string_view bytes) {
  packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
  packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

// An array of four parts, each nil, string or binary; the default namespace is nil, a byte instead
// of five.
inline void pack_namespace(Packer& packer, const CacheNamespace& name) {
  if (name.is_default()) {
    packer.pack_nil();
    return;
  }
  packer.pack_array(static_cast<std::uint32_t>(name.parts.size()));
  for (const NamespacePart& part : name.parts) {
    switch (part.kind) {
      case NamespacePart::Kind::nil:
        packer.pack_nil();
        break;
      case NamespacePart::Kind::text:
        pack_text(packer, part.value);
        break;
      case NamespacePart::Kind::bytes:
        pack_binary(packer, part.value);
        break;
    }
  }
}

}  // namespace radixmesh
