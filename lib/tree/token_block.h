// The tokens of edges. One insert stores its new tokens as one block; edges are views into it, so
// that splitting an edge copies nothing and joining two neighbours of one block copies nothing.
//
//   insert ABCDEF      [ABCDEF]          block 1, one view
//   insert ABCX        [ABC][DEF] [X]    block 1 with two views, block 2
//
// Views of one block always lie on one path from the root, without a gap, and those deeper go first
// (only joining takes one from the front). So a block is cut at its end, when half of it is dead.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "lib/base/check.h"
#include "lib/base/ids.h"

namespace radixmesh {

struct TokenBlock {
  std::uint32_t views = 0;     // edges that look into this block
  std::uint32_t live = 0;      // the end of the deepest view
  std::uint32_t capacity = 0;  // tokens that memory is held for

  TokenId* tokens() { return reinterpret_cast<TokenId*>(this + 1); }
  static std::size_t bytes(std::uint32_t capacity) {
    return sizeof(TokenBlock) + std::size_t{capacity} * sizeof(TokenId);
  }
};

// The stretch of a block that an edge covers. A plain value; the tree counts views.
struct TokenView {
  TokenBlock* block = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t length = 0;

  const TokenId* data() const { return block->tokens() + begin; }
  std::span<const TokenId> span() const {
    return block == nullptr ? std::span<const TokenId>{} : std::span{data(), length};
  }
};

// Allocates blocks and knows how many bytes they take.
class TokenBlocks {
 public:
  // A block with room for `capacity` tokens, none of them set. O(1) but for malloc.
  TokenBlock* allocate(std::uint32_t capacity) {
    auto* block = static_cast<TokenBlock*>(std::malloc(TokenBlock::bytes(capacity)));
    CHECK_THAT(block != nullptr, capacity);
    *block = TokenBlock{0, 0, capacity};
    bytes_ += TokenBlock::bytes(capacity);
    return block;
  }
  void free(TokenBlock* block) {
    bytes_ -= TokenBlock::bytes(block->capacity);
    std::free(block);
  }
  // Cuts the block to its live beginning. It may move; the caller then re-points the views.
  TokenBlock* shrink(TokenBlock* block) {
    bytes_ -= TokenBlock::bytes(block->capacity) - TokenBlock::bytes(block->live);
    block->capacity = block->live;
    void* moved = std::realloc(static_cast<void*>(block), TokenBlock::bytes(block->live));
    CHECK_THAT(moved != nullptr, block->live);
    return static_cast<TokenBlock*>(moved);
  }
  std::size_t memory_bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

// How many tokens `a` and `b` have in common from their beginning, in whole pages of `page` tokens;
// both have at least `length` tokens, a multiple of `page`. Runs at the speed of memcmp: strides
// are compared as memory, and only the stride that differs is looked at page by page.
inline std::uint32_t common_pages(const TokenId* a, const TokenId* b, std::uint32_t length,
                                  std::uint32_t page) {
  const std::uint32_t stride = page >= 1024 ? page : 1024 / page * page;
  std::uint32_t at = 0;
  while (length - at >= stride) {
    if (std::memcmp(a + at, b + at, stride * sizeof(TokenId)) != 0) break;
    at += stride;
  }
  // Here either less than a stride is left, or the next stride differs. Halve it.
  std::uint32_t left = std::min(stride, length - at);
  while (left > 0) {
    const std::uint32_t half = left == page ? page : (left / page + 1) / 2 * page;
    if (std::memcmp(a + at, b + at, half * sizeof(TokenId)) == 0) {
      at += half;
      left -= half;
    } else if (half == page) {
      return at;
    } else {
      left = half;
    }
  }
  return at;
}

}  // namespace radixmesh
