// Chunks of prompts that were booked at a node (lib/routing/chunks.h says what a chunk is).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh {

using ChunkHash = StrongInt<struct ChunkHashTag, std::uint64_t>;
using BookedChunks = std::pair<NodeId, std::vector<ChunkHash>>;

}  // namespace radixmesh
