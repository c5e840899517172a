// How much of a prompt is common to most: a system prompt that all begin with says nothing about
// where one of them should run.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"

namespace radixmesh {

class CommonBeginning {
 public:
  // Of the prompts that were noted last, so many count, each with so many of its first tokens: 1
  // MiB in all.
  static constexpr std::size_t kPrompts = 32, kTokensMax = 8192;
  // Before there are so many nothing is common.
  static constexpr std::size_t kEnough = 8;

  void note(const CacheNamespace& name, std::span<const TokenId> tokens);
  // Tokens that this prompt has in common with at least half of them. O(kPrompts x tokens that are
  // equal).
  std::uint32_t of(const CacheNamespace& name, std::span<const TokenId> tokens) const;

 private:
  struct Beginning {
    CacheNamespace name;
    std::vector<TokenId> tokens;
  };
  std::deque<Beginning> last_;
};

}  // namespace radixmesh
