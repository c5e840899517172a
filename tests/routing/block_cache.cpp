#include "tests/routing/block_cache.h"

namespace radixmesh::routing {

std::uint32_t BlockCache::cached(Blocks blocks) const {
  std::uint32_t count = 0;
  while (count < blocks.size() && blocks_.contains(blocks[count])) ++count;
  return count;
}

bool BlockCache::take(Blocks blocks, std::uint32_t hit) {
  touch(blocks);
  // What is hit must not be evicted to make room for the rest.
  pin(blocks.first(hit), 1);
  const bool fits = make_room(blocks.size() - hit);
  pin(blocks.first(hit), -1);
  if (!fits) return false;
  for (std::uint32_t block : blocks.subspan(hit)) {
    blocks_[block].place = recency_.insert(recency_.end(), block);
  }
  touch(blocks);
  pin(blocks, 1);
  return true;
}

void BlockCache::release(Blocks blocks) { pin(blocks, -1); }

void BlockCache::clear() {
  for (const auto& [block, entry] : blocks_) {
    if (on_evict) on_evict(block);
  }
  blocks_.clear();
  recency_.clear();
  pinned_ = 0;
}

// From the deepest up, so that the oldest block is always a leaf.
void BlockCache::touch(Blocks blocks) {
  for (std::size_t i = blocks.size(); i-- > 0;) {
    const auto found = blocks_.find(blocks[i]);
    if (found == blocks_.end()) continue;
    recency_.splice(recency_.end(), recency_, found->second.place);
  }
}

void BlockCache::pin(Blocks blocks, int change) {
  for (std::uint32_t block : blocks) {
    Block& entry = blocks_.at(block);
    if (change > 0 && entry.users++ == 0) ++pinned_;
    if (change < 0 && --entry.users == 0) --pinned_;
  }
}

bool BlockCache::make_room(std::size_t blocks) {
  if (pinned_ + blocks > capacity_) return false;
  for (auto at = recency_.begin(); blocks_.size() + blocks > capacity_;) {
    const auto found = blocks_.find(*at);
    ++at;
    if (found->second.users > 0) continue;
    if (on_evict) on_evict(found->first);
    recency_.erase(found->second.place);
    blocks_.erase(found);
  }
  return true;
}

}  // namespace radixmesh::routing
