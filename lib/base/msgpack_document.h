// One MessagePack value, parsed within bounds: the first gate of both codecs, that of the wire and
// that of the engine's protocol.
#pragma once

#include <cstddef>
#include <msgpack.hpp>
#include <string_view>

namespace radixmesh {

struct DocumentBounds {
  std::size_t values_max;  // in all: elements, keys, and what they hold
  std::size_t depth_max;   // arrays and maps inside each other, the outermost counted as 1
};

// Text and binary refer to the bytes that were parsed, which must outlive the document.
class Document {
 public:
  // False unless `bytes` are exactly one value within the bounds. Sizes are checked against the
  // bytes at hand before memory is reserved for them. O(bytes).
  bool parse(std::string_view bytes, const DocumentBounds& bounds);
  const msgpack::object& root() const { return root_; }

 private:
  msgpack::zone zone_{1024};
  msgpack::object root_;
};

}  // namespace radixmesh
