// This node's own cache: the part of the tree that its engine holds, under SGLang's contract.
//
//   total = evictable + protected                 tokens that this node holds
//   protected                                     those on a path that some lock covers
//
// Others' entries never count, never are evicted, never are returned as local. Recency is kept per
// edge: a list from the least to the most recently used, in which a parent is never older than its
// child, so that its head is always a leaf (of what this node holds). Locked edges are not in it.
//
// Every change is written to a Journal, which numbers it as an op: the same calls work for a node
// of a mesh and for a plain cache.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <tl/expected.hpp>

#include "lib/tree/relation.h"

namespace radixmesh {

// Numbers this node's changes. Called once per op, in order, with the change about to be made.
class Journal {
 public:
  struct Inserted {
    Seq seq;
    std::uint32_t tokens;  // how many of the offered tokens the op took: whole pages, at least one
  };
  virtual ~Journal() = default;
  // An INSERT of a beginning of `tokens` after `anchor`; `slots` has one per token.
  virtual Inserted record_insert(Anchor anchor, const CacheNamespace& name,
                                 std::span<const TokenId> tokens, const SlotRuns& slots) = 0;
  // A DELETE of at most limits::delete_entries_max removals, in the order in which they were made.
  virtual void record_delete(std::span<const Anchor> first_pages) = 0;
  virtual void record_reset() = 0;
};

struct InsertResult {
  std::uint32_t prefix_len = 0;  // tokens that were present locally before; their old slots stay
  std::uint32_t stored = 0;      // tokens stored after them; fewer than given if all else is locked
  SlotRuns freed;                // what had to go to keep the bound
};

// What a lock covers: everything up to the end of one edge. kNoIndex: nothing matched.
struct LockedPath {
  std::uint32_t node = kNoIndex;
};

class LocalCache {
 public:
  virtual ~LocalCache() = default;

  // Stores the whole pages of `tokens` that are not here yet, with their slots (one per token;
  // those of pages already here are ignored: the first writer wins). Needs slots for all whole
  // pages.
  virtual InsertResult insert(const CacheNamespace& name, std::span<const TokenId> tokens,
                              const SlotRuns& slots, Journal& journal) = 0;

  // Stores an entry that this node held in an earlier life, with the number that it had; parents
  // come before their children. Written to no journal. The bound is kept with the next insert().
  virtual void restore(const Insertion& insertion) = 0;

  // What is local of a lookup's answer, and its slots; `touch` makes it the most recently used.
  virtual std::uint32_t local_match(const Match& match, SlotRuns* slots) const = 0;
  virtual void touch(const Match& match) = 0;

  // Locks the local part of the match against eviction; cuts an edge where it ends inside one.
  virtual LockedPath lock(const Match& match) = 0;
  // Ends one lock() and counts as a use.
  virtual void unlock(LockedPath path) = 0;

  // Frees at least `num_tokens` tokens in whole pages, or all that is unlocked: leaves first, least
  // recently used first, page by page from the leaf's end. Stops early with the first edge that
  // brings what is freed to `runs_max` runs of slots.
  virtual SlotRuns evict(std::uint64_t num_tokens, std::size_t runs_max, Journal& journal) = 0;

  // Why remove() or reset() changed nothing: a lock covers a page that would go, or the slots freed
  // would be more than limits::answer_runs_max runs.
  enum class Kept : std::uint8_t { locked, too_many_runs };
  // Removes the last whole page of `tokens` and everything below it, if it is here.
  virtual tl::expected<SlotRuns, Kept> remove(const CacheNamespace& name,
                                              std::span<const TokenId> tokens,
                                              Journal& journal) = 0;
  // Removes everything.
  virtual tl::expected<SlotRuns, Kept> reset(Journal& journal) = 0;

  virtual std::uint64_t total_tokens() const = 0;
  virtual std::uint64_t protected_tokens() const = 0;
  std::uint64_t evictable_tokens() const { return total_tokens() - protected_tokens(); }
};

}  // namespace radixmesh
