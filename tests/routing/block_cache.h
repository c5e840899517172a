// An engine's KV: blocks with least-recently-used eviction, leaves first; those of running requests
// are pinned.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <functional>
#include <list>
#include <span>

namespace radixmesh::routing {

class BlockCache {
 public:
  using Blocks = std::span<const std::uint32_t>;

  explicit BlockCache(std::size_t capacity) : capacity_(capacity) {}

  // From the first on.
  std::uint32_t cached(Blocks blocks) const;
  // Makes room for those that are not there from `hit` on, and pins all, each once. False, and
  // nothing changes, where they do not fit beside what is pinned.
  bool take(Blocks blocks, std::uint32_t hit);
  void release(Blocks blocks);
  void clear();

  std::size_t pinned() const { return pinned_; }
  std::size_t capacity() const { return capacity_; }
  // Calls it with each block that is evicted.
  std::function<void(std::uint32_t)> on_evict;

 private:
  struct Block {
    std::list<std::uint32_t>::iterator place;  // in recency_
    std::uint32_t users = 0;
  };
  bool make_room(std::size_t blocks);
  void touch(Blocks blocks);
  void pin(Blocks blocks, int change);

  std::size_t capacity_, pinned_ = 0;
  tsl::robin_map<std::uint32_t, Block> blocks_;
  std::list<std::uint32_t> recency_;  // oldest first; no block is older than one that follows it
};

}  // namespace radixmesh::routing
