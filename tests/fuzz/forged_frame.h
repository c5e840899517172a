// Frames that are wrong inside and pass the gate: the check is made to belong to what was changed.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <msgpack.hpp>
#include <span>
#include <string_view>

#include "lib/oplog/message.h"
#include "tests/unit/wire_hex.h"

namespace radixmesh {

// The frame with these insides, which begin with the header of an array (see lib/oplog/WIRE.md).
// What lies where the check belongs is overwritten. Where the envelope cannot be found it stays as
// it is.
class RepairedFrame {
 public:
  static Bytes of(std::string_view inside) {
    Bytes bytes(inside);
    const std::size_t ttl = ttl_at(inside);
    if (ttl != 0 && inside.size() >= ttl + 1 + kCheckBytes) {
      const std::size_t end = inside.size() - kCheckBytes;
      const std::string_view head = inside.substr(1, ttl - 1);
      const std::string_view rest = inside.substr(ttl + 1, end - ttl - 1);
      const auto check = static_cast<std::uint32_t>(
          XXH3_64bits_withSeed(rest.data(), rest.size(), XXH3_64bits(head.data(), head.size())));
      bytes[end] = '\xCE';
      for (std::size_t i = 1; i < kCheckBytes; ++i) {
        bytes[end + i] = static_cast<char>(check >> (32 - 8 * i));
      }
    }
    return reframed(bytes);
  }

 private:
  static constexpr std::size_t kCheckBytes = 5;

  // Where the ttl stands, if the frame begins as those of encode() do; else 0.
  static std::size_t ttl_at(std::string_view inside) {
    std::size_t at = 1;
    for (int field = 0; field < 4; ++field) {
      if (at >= inside.size()) return 0;
      const auto first = static_cast<std::uint8_t>(inside[at]);
      if (first > 0x7F && (first < 0xCC || first > 0xCF)) return 0;
      at += first <= 0x7F ? 1 : std::size_t{1} + (1u << (first - 0xCC));
    }
    return at < inside.size() && static_cast<std::uint8_t>(inside[at]) <= 0x7F ? at : 0;
  }
};

// In a frame the integer with this number, counted from the type on and around again, is another.
inline Bytes with_number(std::string_view frame, std::size_t number, std::uint64_t value) {
  const std::string_view inside = frame.substr(4);
  msgpack::object_handle handle = msgpack::unpack(inside.data(), inside.size());
  std::vector<msgpack::object*> integers;
  const auto collect = [&](const auto& self, msgpack::object& each) -> void {
    if (each.type == msgpack::type::POSITIVE_INTEGER) integers.push_back(&each);
    if (each.type != msgpack::type::ARRAY) return;
    for (msgpack::object& item : std::span(each.via.array.ptr, each.via.array.size)) {
      self(self, item);
    }
  };
  msgpack::object root = handle.get();
  collect(collect, root);
  integers.pop_back();  // the check
  integers[number % integers.size()]->via.u64 = value;
  msgpack::sbuffer packed;
  msgpack::packer packer(packed);
  const std::span fields(root.via.array.ptr, root.via.array.size);
  packer.pack_array(root.via.array.size);
  for (const msgpack::object& field : fields.first(fields.size() - 1)) packer.pack(field);
  return RepairedFrame::of(Bytes(packed.data(), packed.size()) + Bytes(5, '\0'));
}

}  // namespace radixmesh
