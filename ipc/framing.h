// Frames on the engine's socket: [length: 4 bytes, big-endian][MessagePack]. PROTOCOL.md has the
// rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/limits.h"

namespace radixmesh::ipc {

inline constexpr std::size_t kLengthBytes = 4;

// The four bytes before a body of this size.
inline std::string length_bytes(std::size_t size) {
  std::string out(kLengthBytes, '\0');
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    out[i] = static_cast<char>(size >> (8 * (kLengthBytes - 1 - i)));
  }
  return out;
}

// Cuts a stream of bytes into frames.
class FrameReader {
 public:
  // Where the next bytes of the stream are to be written; then call added().
  char* room(std::size_t bytes) {
    if (begin_ > 0 && (begin_ == end_ || end_ + bytes > buffer_.size())) compact();
    if (end_ + bytes > buffer_.size()) buffer_.resize(end_ + bytes);
    return buffer_.data() + end_;
  }
  void added(std::size_t bytes) { end_ += bytes; }
  // Gives back what large frames took and nothing needs any more. To be called when the frames
  // that next() returned are done with.
  void settle() {
    if (buffer_.capacity() <= kKept || (end_ - begin_) * 4 > buffer_.capacity()) return;
    std::string left(buffer_, begin_, end_ - begin_);
    buffer_.swap(left);
    end_ -= begin_;
    begin_ = 0;
  }
  // Bytes that are here and not returned by next(), and what is allocated for them.
  std::size_t left() const { return end_ - begin_; }
  std::size_t memory_bytes() const { return buffer_.capacity(); }

  // True once a length was read that is 0 or too large: the stream cannot be trusted any more.
  bool broken() const { return broken_; }

  // The body of the next whole frame; valid until room() is called.
  std::optional<std::string_view> next() {
    const std::size_t left = end_ - begin_;
    if (broken_ || left < kLengthBytes) return std::nullopt;
    const std::size_t length = declared();
    broken_ = length == 0 || length > limits::ipc_frame_bytes_max;
    if (broken_ || left < kLengthBytes + length) return std::nullopt;
    const std::string_view body(buffer_.data() + begin_ + kLengthBytes, length);
    begin_ += kLengthBytes + length;
    return body;
  }
  // How many bytes complete the frame that has begun, if its length is known.
  std::size_t wanted() const {
    const std::size_t left = end_ - begin_;
    if (broken_ || left < kLengthBytes) return 0;
    const std::size_t whole = kLengthBytes + declared();
    return whole > left ? whole - left : 0;
  }

 private:
  std::size_t declared() const {
    std::size_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
      length = (length << 8) | static_cast<std::uint8_t>(buffer_[begin_ + i]);
    }
    return length;
  }
  void compact() {
    buffer_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  static constexpr std::size_t kKept =
      128 * 1024;  // a burst of large frames does not stay for ever

  std::string buffer_;
  std::size_t begin_ = 0, end_ = 0;
  bool broken_ = false;
};

}  // namespace radixmesh::ipc
