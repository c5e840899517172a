// The namespace of a cached prefix: prefixes of different namespaces never share a TreeNode.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <string>

namespace radixmesh {

// One part: absent, text, or bytes. Text and bytes of equal content are different parts, as they
// are different MessagePack values on the wire.
struct NamespacePart {
  enum class Kind : std::uint8_t { nil = 0, text = 1, bytes = 2 };
  Kind kind = Kind::nil;
  std::string value;
  friend auto operator<=>(const NamespacePart&, const NamespacePart&) = default;
};

// A structured tuple (model, lora, salt, extra_key), never a joined string: ("a", "bc") and
// ("ab", "c") must not meet. The default namespace has four absent parts.
struct CacheNamespace {
  std::array<NamespacePart, 4> parts;
  friend auto operator<=>(const CacheNamespace&, const CacheNamespace&) = default;

  bool is_default() const {
    for (const NamespacePart& part : parts) {
      if (part.kind != NamespacePart::Kind::nil) return false;
    }
    return true;
  }
};

}  // namespace radixmesh
