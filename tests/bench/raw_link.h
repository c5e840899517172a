// A connection to a Unix socket that gives frames as they come, undecoded: what lies between its
// send() and its read_frame() is the other side and the kernel. Throws std::runtime_error if the
// other side closes, or says nothing for kPatience.
#pragma once

#include <string>
#include <string_view>

#include "ipc/framing.h"
#include "tests/bench/yardstick.h"

namespace radixmesh::bench {

inline constexpr auto kPatience = std::chrono::seconds(30);

class RawLink {
 public:
  explicit RawLink(const std::string& path);
  explicit RawLink(int descriptor) : descriptor_(descriptor) {}  // takes it over
  ~RawLink();
  RawLink(RawLink&& other) noexcept;
  RawLink(const RawLink&) = delete;

  int descriptor() const { return descriptor_; }

  // Waits until all is written.
  void send(std::string_view bytes);
  // The body of the next frame, valid until the next call. Waits for it.
  std::string_view read_frame();

  // The same without waiting: queue() keeps what cannot go at once, flush() tries again, and
  // try_frame() answers nothing if no whole frame is there.
  void queue(std::string_view bytes) { output_.append(bytes); }
  void flush();
  bool wants_to_write() const { return written_ < output_.size(); }
  std::optional<std::string_view> try_frame();

 private:
  bool fill();
  void wait_for(short events);

  int descriptor_ = -1;
  ipc::FrameReader frames_;
  std::string output_;
  std::size_t written_ = 0;
};

}  // namespace radixmesh::bench
