// What tests of the tree share: tokens written short, and a journal that only counts.
#pragma once

#include <string_view>
#include <vector>

#include "lib/base/limits.h"
#include "lib/tree/local_cache.h"

namespace radixmesh {

// "abc" -> {'a','b','c'}
inline std::vector<TokenId> tokens_of(std::string_view letters) {
  std::vector<TokenId> tokens;
  for (char letter : letters) tokens.push_back(TokenId{static_cast<std::uint32_t>(letter)});
  return tokens;
}

// Numbers ops, and remembers them as they would go to the wire.
class CountingJournal : public Journal {
 public:
  struct Op {
    enum Kind { insert, remove, reset } kind;
    Anchor anchor;
    std::vector<TokenId> tokens;
    SlotRuns slots;
    std::vector<Anchor> removed;
    CacheNamespace name;
  };
  std::vector<Op> ops;
  std::uint32_t op_tokens_max = limits::request_tokens_max;

  Inserted record_insert(Anchor anchor, const CacheNamespace& name, std::span<const TokenId> tokens,
                         const SlotRuns& slots) override {
    const auto taken = std::min<std::size_t>(tokens.size(), op_tokens_max);
    ops.push_back({Op::insert,
                   anchor,
                   {tokens.begin(), tokens.begin() + taken},
                   slots.part(0, taken),
                   {},
                   name});
    return {Seq{ops.size()}, static_cast<std::uint32_t>(taken)};
  }
  void record_delete(std::span<const Anchor> first_pages) override {
    ops.push_back({Op::remove, {}, {}, {}, {first_pages.begin(), first_pages.end()}, {}});
  }
  void record_reset() override { ops.push_back({Op::reset, {}, {}, {}, {}, {}}); }
};

}  // namespace radixmesh
