// How well hits were predicted.
#pragma once

#include <cstdint>

namespace radixmesh {

// Hit tokens that routes counted on, and those that engines then reported.
struct HitRecord {
  std::uint64_t reports = 0, predicted_tokens = 0, actual_tokens = 0;
};

}  // namespace radixmesh
