#include "lib/routing/chunks.h"

#include <xxhash.h>

#include "lib/tree/digest.h"

namespace radixmesh {

std::vector<Chunk> chunks_of(const CacheNamespace& name, std::span<const TokenId> tokens) {
  std::vector<Chunk> out;
  out.reserve(tokens.size() / kChunkTokensMin);
  auto hash = static_cast<std::uint64_t>(PrefixHasher::of_namespace(name));
  std::uint32_t end = 0, stride = kChunkTokensMin;
  while (tokens.size() - end >= stride) {
    const auto chunk = tokens.subspan(end, stride);
    hash = XXH3_64bits_withSeed(chunk.data(), chunk.size_bytes(), hash);
    end += stride;
    out.push_back({end, ChunkHash{hash}});
    if (out.size() % kChunksOfAStride == 0) stride *= 2;
  }
  return out;
}

}  // namespace radixmesh
