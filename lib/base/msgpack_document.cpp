#include "lib/base/msgpack_document.h"

#include <cstdint>

namespace radixmesh {
namespace {

// Walks over the bytes without building anything: no array or map may declare more values than the
// bytes that are left could hold.
struct Sizer : msgpack::null_visitor {
  std::size_t values_left, depth_left;
  bool within = true;
  Sizer(std::size_t bytes, const DocumentBounds& bounds)
      : values_left(bytes < bounds.values_max ? bytes : bounds.values_max),
        depth_left(bounds.depth_max) {}

  bool take(std::uint64_t values) {
    within = within && values <= values_left && depth_left > 0;
    if (within) {
      values_left -= values;
      --depth_left;
    }
    return within;
  }
  bool start_array(std::uint32_t elements) { return take(elements); }
  bool start_map(std::uint32_t pairs) { return take(std::uint64_t{2} * pairs); }
  bool end_array() { return ++depth_left, true; }
  bool end_map() { return ++depth_left, true; }
  bool visit_ext(const char*, std::uint32_t) { return within = false; }
  void parse_error(std::size_t, std::size_t) { within = false; }
  void insufficient_bytes(std::size_t, std::size_t) { within = false; }
};

bool refer_always(msgpack::type::object_type, std::size_t, void*) { return true; }

}  // namespace

bool Document::parse(std::string_view bytes, const DocumentBounds& bounds) {
  Sizer sizer(bytes.size(), bounds);
  std::size_t offset = 0;
  if (!msgpack::parse(bytes.data(), bytes.size(), offset, sizer) || !sizer.within ||
      offset != bytes.size()) {
    return false;
  }
  bool referenced = false;
  offset = 0;
  const std::size_t size = bytes.size();
  try {
    root_ = msgpack::unpack(zone_, bytes.data(), size, offset, referenced, refer_always, nullptr,
                            {size, size, size, size, 0, bounds.depth_max});
  } catch (const msgpack::unpack_error&) {
    return false;
  }
  return true;
}

}  // namespace radixmesh
