#include "lib/base/limits.h"
#include "lib/oplog/body_codec.h"

namespace radixmesh::wire {

bool ArrayReader::u64(std::uint64_t& out) {
  if (next_ >= size_ || items_[next_].type != msgpack::type::POSITIVE_INTEGER) return false;
  out = items_[next_++].via.u64;
  return true;
}

bool ArrayReader::count(std::uint64_t& out) {
  if (next_ >= size_ || items_[next_].type != msgpack::type::POSITIVE_INTEGER) return false;
  if (items_[next_].via.u64 > limits::count_max) return false;
  out = items_[next_++].via.u64;
  return true;
}

bool ArrayReader::u32(std::uint32_t& out) {
  if (next_ >= size_ || items_[next_].type != msgpack::type::POSITIVE_INTEGER) return false;
  if (items_[next_].via.u64 > 0xFFFFFFFFu) return false;
  out = static_cast<std::uint32_t>(items_[next_++].via.u64);
  return true;
}

bool ArrayReader::boolean(bool& out) {
  if (next_ >= size_ || items_[next_].type != msgpack::type::BOOLEAN) return false;
  out = items_[next_++].via.boolean;
  return true;
}

bool ArrayReader::text(std::string& out, std::size_t bytes_max) {
  if (next_ >= size_ || items_[next_].type != msgpack::type::STR) return false;
  const auto& text = items_[next_].via.str;
  if (text.size > bytes_max) return false;
  out.assign(text.ptr, text.size);
  ++next_;
  return true;
}

bool ArrayReader::binary(std::string_view& out) {
  if (next_ >= size_ || items_[next_].type != msgpack::type::BIN) return false;
  const auto& binary = items_[next_++].via.bin;
  out = {binary.ptr, binary.size};
  return true;
}

bool ArrayReader::digest(Digest& out) {
  std::string_view bytes;
  if (!binary(bytes) || bytes.size() != sizeof(Digest)) return false;
  out = 0;
  for (char byte : bytes) out = (out << 8) | static_cast<std::uint8_t>(byte);
  return true;
}

bool ArrayReader::nil() {
  if (next_ >= size_ || items_[next_].type != msgpack::type::NIL) return false;
  ++next_;
  return true;
}

}  // namespace radixmesh::wire
