// Objects of one type behind 32-bit indices. Chunks of 256 are allocated as they are needed and
// freed as soon as they are empty, so that memory goes back to where it was.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "lib/base/check.h"

namespace radixmesh {

// The index that names nothing.
inline constexpr std::uint32_t kNoIndex = 0xFFFFFFFFu;

// An index stays valid until release(); references stay valid as long as their index.
template <class T>
class Slab {
 public:
  T& operator[](std::uint32_t index) { return chunks_[index >> kShift]->items[index & kMask]; }
  const T& operator[](std::uint32_t index) const {
    return chunks_[index >> kShift]->items[index & kMask];
  }

  // A fresh object. O(1), but for the allocation of a chunk.
  std::uint32_t acquire() {
    if (open_.empty()) open_chunk();
    const std::uint32_t chunk_index = open_.back();
    Chunk& chunk = *chunks_[chunk_index];
    const std::uint8_t at = chunk.free[--chunk.free_count];
    if (chunk.free_count == 0) {
      chunk.open = false;
      open_.pop_back();
    }
    ++live_;
    return (chunk_index << kShift) | at;
  }

  // Gives the object back; its content is reset at once.
  void release(std::uint32_t index) {
    const std::uint32_t chunk_index = index >> kShift;
    Chunk& chunk = *chunks_[chunk_index];
    chunk.items[index & kMask] = T{};
    chunk.free[chunk.free_count++] = static_cast<std::uint8_t>(index & kMask);
    --live_;
    if (!chunk.open) {
      chunk.open = true;
      open_.push_back(chunk_index);
    }
    if (chunk.free_count == kItems) close_chunk(chunk_index);
  }

  std::size_t live() const { return live_; }
  std::size_t memory_bytes() const {
    return chunk_count_ * sizeof(Chunk) + chunks_.capacity() * sizeof(void*) +
           open_.capacity() * sizeof(std::uint32_t) + vacant_.capacity() * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t kShift = 8, kItems = 1u << kShift, kMask = kItems - 1;
  struct Chunk {
    T items[kItems];
    std::uint8_t free[kItems];
    std::uint32_t free_count = 0;
    bool open = true;
  };

  void open_chunk() {
    std::uint32_t index;
    if (!vacant_.empty()) {
      index = vacant_.back();
      vacant_.pop_back();
    } else {
      CHECK_THAT(chunks_.size() < (kNoIndex >> kShift), chunks_.size());
      index = static_cast<std::uint32_t>(chunks_.size());
      chunks_.emplace_back();
    }
    chunks_[index] = std::make_unique<Chunk>();
    Chunk& chunk = *chunks_[index];
    for (std::uint32_t i = 0; i < kItems; ++i) {
      chunk.free[i] = static_cast<std::uint8_t>(kItems - 1 - i);
    }
    chunk.free_count = kItems;
    open_.push_back(index);
    ++chunk_count_;
  }

  // Frees a chunk without objects, unless it is the only one with room: that one is kept, so that
  // acquire and release in turn do not allocate each time.
  void close_chunk(std::uint32_t index) {
    if (open_.size() == 1 && live_ != 0) return;
    std::erase(open_, index);
    chunks_[index].reset();
    vacant_.push_back(index);
    --chunk_count_;
    if (live_ == 0) {
      for (std::uint32_t open : open_) chunks_[open].reset(), --chunk_count_;
      CHECK_THAT(chunk_count_ == 0, chunk_count_);
      std::vector<std::unique_ptr<Chunk>>().swap(chunks_);
      std::vector<std::uint32_t>().swap(open_);
      std::vector<std::uint32_t>().swap(vacant_);
    }
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<std::uint32_t> open_;    // chunks with room
  std::vector<std::uint32_t> vacant_;  // places in chunks_ whose chunk was freed
  std::size_t live_ = 0, chunk_count_ = 0;
};

}  // namespace radixmesh
