// The chunks of a prompt. Each is named by a hash of all that comes up to its end, so that prompts
// with a common beginning have common names as far as it goes, and a name is eight bytes wherever
// it is told.
//
// Ends are the same for all prompts: every 256 tokens at first, and half as dense after each 64 of
// them. So a prompt of a million tokens has fewer than 400, and what is common to two prompts is
// known to 256 tokens, and of long ones to a few per cent.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/booked_chunks.h"
#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/limits.h"

namespace radixmesh {

inline constexpr std::uint32_t kChunkTokensMin = 256, kChunksOfAStride = 64;

constexpr std::size_t chunk_count(std::uint64_t tokens) {
  std::uint64_t count = 0, stride = kChunkTokensMin;
  for (; tokens > kChunksOfAStride * stride; stride *= 2) {
    tokens -= kChunksOfAStride * stride;
    count += kChunksOfAStride;
  }
  return count + tokens / stride;
}
static_assert(chunk_count(limits::request_tokens_max) <= limits::prompt_chunks_max);

struct Chunk {
  std::uint32_t end = 0;  // in tokens
  ChunkHash hash;
};

// In order; what follows the last end has no name. O(tokens).
std::vector<Chunk> chunks_of(const CacheNamespace& name, std::span<const TokenId> tokens);

}  // namespace radixmesh
