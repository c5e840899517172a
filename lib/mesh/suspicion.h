// From silence to suspicion to death: the times, and this node's doubt in itself.
//
//   silent for      then (all of it times 1 + health)
//   1/2 suspect_after    asked directly, once a heartbeat
//   2/3 suspect_after    three others are asked whether they hear it
//   suspect_after        suspect: left out of answers; told so, and it refutes if it can
//   + suspicion_timeout  dead
//
// The idea of a health that makes an ailing observer slower to accuse, and of a timeout that
// shrinks as others confirm, is Lifeguard's (arXiv 1707.00788).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lib/base/time.h"

namespace radixmesh {

// Others that are asked about a silent member, and that have to confirm for the shortest timeout.
inline constexpr std::size_t kProbesOfOthers = 3;
inline constexpr std::size_t kConfirmations = 2;

// How long a suspect has to answer: 4 max(1, log10 N) heartbeats where two others accuse it too,
// six times that where nobody does. In a mesh so small that nobody else could, at once the
// shortest.
inline Duration suspicion_timeout(Duration heartbeat, std::size_t members, std::size_t accusers) {
  const double n = static_cast<double>(std::max<std::size_t>(members, 1));
  const double shortest = 4 * std::max(1.0, std::log10(n)) * static_cast<double>(heartbeat.count());
  const std::size_t possible = members > 2 ? std::min(kConfirmations, members - 2) : 0;
  if (accusers >= possible) return Duration{static_cast<std::int64_t>(shortest)};
  const double share =
      std::log(static_cast<double>(accusers) + 1) / std::log(static_cast<double>(possible) + 1);
  return Duration{static_cast<std::int64_t>(shortest * (6 - 5 * share))};
}

// How far this node doubts itself: 0 is well. Every time it waits for another is times 1 + score.
class Health {
 public:
  static constexpr std::uint32_t kMax = 8;
  std::uint32_t score() const { return score_; }
  void worse() { score_ = std::min(kMax, score_ + 1); }
  void better() { score_ = score_ > 0 ? score_ - 1 : 0; }
  Duration scaled(Duration duration) const { return duration * (1 + score_); }

 private:
  std::uint32_t score_ = 0;
};

}  // namespace radixmesh
