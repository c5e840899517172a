// This node's own cache: the part of the tree that its engine holds, under SGLang's contract.
//
//   total = evictable + protected                 tokens that this node holds
//   protected                                     those on a path that some lock covers
//
// Others' entries never count, never are evicted, never are returned as local. How recently a page
// was used is known by page, within the bound that recency_list.h states: a use of a prefix uses
// the pages of that prefix and no others. Locked pages are in no such order; at the end of the last
// lock they have just been used.
//
// Every change is written to a Journal, which numbers it as an op: the same calls work for a node
// of a mesh and for a plain cache.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <tl/expected.hpp>
#include <vector>

#include "lib/tree/relation.h"

namespace radixmesh {

class LocalCache;

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
  // The bound asks for this many tokens to go. Where nobody else may read this node's pages, that
  // is LocalCache::evict; else just what nobody does.
  virtual SlotRuns make_room(LocalCache& cache, std::uint64_t num_tokens);
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

// What makes a page of this node a duplicate: enough of those that are better have it.
struct DuplicateSearch {
  std::span<const HolderIndex> better;  // whose copies count, the best first
  std::uint32_t keep_copies = 1;        // of a page that is hardly used
  std::uint32_t hot_copies = 1;  // of one that was used `hot_uses` times in a period; not less
  std::uint32_t hot_uses = 1;
  std::size_t copies_max = 0;              // in all that a survey finds
  std::uint64_t tokens_max = 0;            // in one duplicate, unless it is a single edge
  const std::set<Anchor>* last = nullptr;  // first pages that are found only after all others
};
// A page of this node, named as in a DELETE, and all below it.
struct Duplicate {
  Anchor first;
  std::uint64_t tokens = 0;
  struct Copy {
    HolderIndex holder;
    Anchor page;  // of that holder
    friend bool operator==(const Copy&, const Copy&) = default;
  };
  std::vector<Copy> copies;  // that must stay for this one to go
};
// All that this node holds, by what may become of it.
struct DuplicateSurvey {
  std::vector<Duplicate> found;  // none below another
  bool is_complete = true;       // else there is more than the bounds of the search allowed
  std::uint64_t duplicate_tokens = 0;
  std::uint64_t scarce_tokens = 0;  // too few better copies
  std::uint64_t hot_tokens = 0;     // enough for a page that is hardly used, not for a hot one
  std::uint64_t locked_tokens = 0;
  std::uint64_t retiring_tokens = 0;  // on their way out
  std::uint64_t above_tokens = 0;     // duplicates, but something below them stays
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

  // What is local of a lookup's answer, and its slots; `touch` makes those pages the most recently
  // used, and splits nothing.
  virtual std::uint32_t local_match(const Match& match, SlotRuns* slots) const = 0;
  virtual void touch(const Match& match) = 0;

  // Locks the local part of the match against eviction; cuts an edge where it ends inside one.
  virtual LockedPath lock(const Match& match) = 0;
  // The anchor of the last local page of the match; the root's where none is.
  virtual Anchor local_anchor(const Match& match) const = 0;
  // As lock(), up to one of this node's pages; nothing where it has no such page, or that retires.
  virtual std::optional<LockedPath> lock_page(Anchor page) = 0;
  // Ends one lock() and counts as a use.
  virtual void unlock(LockedPath path) = 0;

  // Frees at least `num_tokens` tokens in whole pages, or all that is unlocked: leaves first, least
  // recently used first, page by page from the leaf's end. Stops early with the first pages of one
  // edge, used together, that bring what is freed to `runs_max` runs of slots.
  virtual SlotRuns evict(std::uint64_t num_tokens, std::size_t runs_max, Journal& journal) = 0;

  // Why remove() or reset() changed nothing: a lock covers a page that would go, or the slots freed
  // would be more than limits::answer_runs_max runs.
  enum class Kept : std::uint8_t { locked, too_many_runs };
  // Removes the last whole page of `tokens` and everything below it, if it is here.
  virtual tl::expected<SlotRuns, Kept> remove(const CacheNamespace& name,
                                              std::span<const TokenId> tokens,
                                              Journal& journal) = 0;
  // Removes everything.
  // Nothing is here from now on; the slots that it had are gathered while the tree gives back what
  // is dropped, or not at all. That goes on as long as is_resetting(), and whoever inserts before
  // gives back the rest at once.
  virtual std::optional<Kept> begin_reset(Journal& journal, bool keeps_freed) = 0;
  virtual bool is_resetting() const = 0;
  // What was freed; gives back the rest at once.
  virtual SlotRuns finish_reset() = 0;
  tl::expected<SlotRuns, Kept> reset(Journal& journal) {
    if (const auto kept = begin_reset(journal, true)) return tl::unexpected(*kept);
    return finish_reset();
  }

  // ---- collecting duplicates -------------------------------------------------------------------

  // Counts a use of what is local of the match, in the present period.
  virtual void note_use(const Match& match) = 0;
  virtual void begin_period() = 0;
  // The largest subtrees of this node's pages that are duplicates, unlocked and not retiring,
  // within the bounds of the search. O(own edges).
  virtual DuplicateSurvey survey(const DuplicateSearch& search) = 0;
  // Whether this page of the node's, whatever is below it, is a duplicate, unlocked and not
  // retiring.
  virtual bool is_duplicate(Anchor page, const DuplicateSearch& search) = 0;
  // Whether all from `first` on still is a duplicate and unlocked, retiring or not; then the copies
  // that this rests on. O(own edges below).
  virtual std::optional<Duplicate> duplicate_below(Anchor first, const DuplicateSearch& search) = 0;
  // The pages that evict() would take, but those that retire, as removals of at most `count_max`.
  virtual std::vector<Anchor> oldest_pages(std::uint64_t num_tokens, std::size_t count_max) = 0;
  // The first page of everything.
  virtual std::vector<Anchor> top_pages() = 0;
  // The slots of this page and of all below it.
  virtual SlotRuns slots_below(Anchor first) = 0;
  // Whether a lock covers this page of the node's, or it has no such page.
  virtual bool is_locked(Anchor page) const = 0;
  // Removes each of these pages that is here and unlocked, and all below it.
  virtual SlotRuns remove_pages(std::span<const Anchor> first_pages, Journal& journal) = 0;

  virtual std::uint64_t total_tokens() const = 0;
  virtual std::uint64_t protected_tokens() const = 0;
  // What it keeps beside the tree.
  virtual std::size_t memory_bytes() const = 0;
  std::uint64_t evictable_tokens() const { return total_tokens() - protected_tokens(); }
};

inline SlotRuns Journal::make_room(LocalCache& cache, std::uint64_t num_tokens) {
  // At most a request's tokens go, so the runs are bounded as well.
  return cache.evict(num_tokens, std::numeric_limits<std::size_t>::max(), *this);
}

}  // namespace radixmesh
