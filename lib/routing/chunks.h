// The chunks of a prompt. Each is named by a hash of all that comes up to its end, so that prompts
// with a common beginning have common names as far as it goes, and a name is eight bytes wherever
// it is told.
//
// Ends are the same for all prompts: every 256 tokens at first, and half as dense after each 64 of
// them. So a prompt of a million tokens has fewer than 400, and what is common to two prompts is
// known to a few per cent of its length.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/booked_chunks.h"
#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"

namespace radixmesh {

inline constexpr std::uint32_t kChunkTokensMin = 256, kChunksOfAStride = 64;

struct Chunk {
  std::uint32_t end = 0;  // in tokens
  ChunkHash hash;
};

// In order; what follows the last end has no name. O(tokens).
std::vector<Chunk> chunks_of(const CacheNamespace& name, std::span<const TokenId> tokens);

}  // namespace radixmesh
