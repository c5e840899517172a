// Which frames come and go, by type, for `--log-level debug`: one line a second, however many there
// are.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/time.h"
#include "lib/replica_io.h"

namespace radixmesh {

class FrameCounts {
 public:
  // All of a message's frames. What is not readable counts as one that is malformed.
  void came(const Input& input);
  void went(const Effect& effect);
  // `in="HEARTBEAT 2, HEAD 3" out="..."` of the time since the last line; empty where nothing was
  // counted, or a second has not passed.
  std::string take_line(TimePoint now);

 private:
  // By type; the last of what is no frame.
  static constexpr std::size_t kTypes = 256, kMalformed = kTypes;
  using Counts = std::array<std::uint64_t, kTypes + 1>;

  static void count(Counts& counts, std::string_view payload);
  static std::string text(const Counts& counts);

  Counts in_{}, out_{};
  TimePoint since_ = TimePoint::min();
};

}  // namespace radixmesh
