#include "lib/routing/common_beginning.h"

#include <algorithm>
#include <array>

namespace radixmesh {

void CommonBeginning::note(const CacheNamespace& name, std::span<const TokenId> tokens) {
  if (last_.size() == kPrompts) last_.pop_front();
  const auto first = tokens.first(std::min(tokens.size(), kTokensMax));
  last_.push_back({name, {first.begin(), first.end()}});
}

std::uint32_t CommonBeginning::of(const CacheNamespace& name,
                                  std::span<const TokenId> tokens) const {
  if (last_.size() < kEnough) return 0;
  std::array<std::uint32_t, kPrompts> shared{};
  for (std::size_t i = 0; i < last_.size(); ++i) {
    if (last_[i].name != name) continue;
    const auto end = std::ranges::mismatch(last_[i].tokens, tokens).in2;
    shared[i] = static_cast<std::uint32_t>(end - tokens.begin());
  }
  // The half that shares most.
  const auto half = shared.begin() + static_cast<std::ptrdiff_t>((last_.size() - 1) / 2);
  std::ranges::nth_element(shared.begin(), half, shared.begin() + std::ssize(last_),
                           std::ranges::greater());
  return *half;
}

}  // namespace radixmesh
