// Prompts that were told to go elsewhere lately. Who asks for one again while it is still there has
// not moved two.
#pragma once

#include <cstdint>
#include <map>

#include "lib/base/limits.h"
#include "lib/base/time.h"

namespace radixmesh {

class Moves {
 public:
  // False where the prompt was told to go less than `lives` ago. O(log moves).
  bool note(TimePoint now, std::uint64_t prompt, Duration lives) {
    if (told_.size() >= limits::moves_max) {
      std::erase_if(told_, [&](const auto& each) { return each.second + lives <= now; });
    }
    if (told_.size() >= limits::moves_max) told_.clear();
    const auto [at, is_new] = told_.try_emplace(prompt, now);
    if (!is_new && at->second + lives > now) return false;
    at->second = now;
    return true;
  }

 private:
  std::map<std::uint64_t, TimePoint> told_;
};

}  // namespace radixmesh
