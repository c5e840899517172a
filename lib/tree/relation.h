// The relation prefix x holder: which node has the KV of which prefix. This is what a replica
// replicates; a tree is only a compact way to keep it, and no answer depends on the tree's shape.
//
// Each holder's set of prefixes is prefix-closed: who holds a page holds all pages before it. Only
// the holder itself says what it holds, in numbered ops; `store`, `remove` and `clear` are those
// ops.
//
// There are two implementations, by what an edge carries (edge_values.h): HolderTree<RankValue> for
// routers and HolderTree<MemberValue> or HolderTree<OwnSlotsValue> for nodes with an engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/tree/digest.h"
#include "lib/tree/entry_table.h"
#include "lib/tree/holder_set.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// How much of a query one holder has, in tokens from the root without a gap.
struct HolderDepth {
  HolderIndex holder;
  std::uint32_t tokens = 0;
  friend bool operator==(const HolderDepth&, const HolderDepth&) = default;
};

// An edge of the path that a query matched, and where on it the match ends (tokens from the root).
struct PathStep {
  std::uint32_t node = kNoIndex;
  std::uint32_t begin = 0, end = 0;
};

// What match() fills. Kept by the caller, so that a lookup allocates nothing once it is warm.
struct Match {
  std::uint32_t length = 0;         // of the path
  std::vector<HolderDepth> depths;  // each holder with a depth above 0, once
  std::vector<PathStep> path;
  void clear() {
    length = 0;
    depths.clear();
    path.clear();
  }
};

// One INSERT: the pages after `anchor`. `name` counts only where the anchor is the root. `slots` is
// empty, or has one slot per token.
struct Insertion {
  Seq seq;
  Anchor anchor;
  const CacheNamespace& name;
  std::span<const TokenId> tokens;
  const SlotRuns& slots;
};

// One edge, as `tree` shows it.
struct EdgeView {
  const CacheNamespace& name;
  std::uint32_t begin = 0, end = 0;
  std::span<const TokenId> tokens;
  Digest hash = 0;
  std::vector<HolderIndex> holders;   // whose pages answers name
  std::vector<HolderIndex> retiring;  // whose pages are on their way out
  std::uint32_t lock_ref = 0;
};

class Relation {
 public:
  virtual ~Relation() = default;

  virtual std::uint32_t page_size() const = 0;

  // A fresh index for a holder, or the return of one, with all that it held: no answer and no count
  // knows of it from now on, and its memory is given back by and by, by give_back().
  virtual HolderIndex add_holder() = 0;
  virtual void drop_holder(HolderIndex holder) = 0;
  // Gives back edges and entries of dropped holders, about so many; true while there are more.
  virtual bool give_back(std::size_t edges_max) = 0;
  virtual bool gives_back() const = 0;

  // Depth of every holder for the whole pages of `tokens`, up to the first that retires; the path
  // goes on as far as anyone holds it. Never writes. O(tokens matched) as memory compare, plus a
  // table probe and a holder set per edge.
  virtual void match(const CacheNamespace& name, std::span<const TokenId> tokens,
                     Match& out) const = 0;

  // Applies an INSERT of `holder`. Returns how many tokens it added, or nothing where the anchor is
  // not one of the holder's live pages, or a root INSERT names no whole page; then nothing changed.
  // Pages that the holder has already take the new slots and stay in their entry.
  virtual std::optional<std::uint32_t> store(HolderIndex holder, const Insertion& insertion) = 0;

  // Applies one removal of a DELETE: the page named by `first` and all of the holder's below it.
  // Returns how many tokens went, or nothing where `first` is not one of the holder's live pages.
  virtual std::optional<std::uint64_t> remove(HolderIndex holder, Anchor first) = 0;

  // Whether `anchor` names one of the holder's live pages.
  virtual bool has(HolderIndex holder, Anchor anchor) const = 0;

  // Applies one item of a RETIRE, or of a GC_ABORT that takes it back: the page named by `first`
  // and all of the holder's below it. What retires is still held, and its slots are; match() does
  // not count it, and in the digest it weighs otherwise. What is stored below it retires with it,
  // and is taken back with it only. Returns how many tokens changed, or nothing where `first` is
  // not one of the holder's live pages.
  virtual std::optional<std::uint64_t> set_retiring(HolderIndex holder, Anchor first,
                                                    bool retiring) = 0;
  virtual std::uint64_t retiring_tokens(HolderIndex holder) const = 0;
  // The first retiring page on the path to `page`, which may be that itself; nothing where none is.
  // Needs has(). O(edges of the path).
  virtual std::optional<Anchor> retiring_above(HolderIndex holder, Anchor page) const = 0;

  // Which of `firsts` name a page at or above one of `pages`, all of the holder's; what is not one
  // of its live pages covers nothing and is covered by nothing. O(edges of the paths).
  virtual std::vector<bool> covering(HolderIndex holder, std::span<const Anchor> firsts,
                                     std::span<const Anchor> pages) const = 0;

  // Applies a RESET of a holder that keeps its index. Returns how many tokens went. O(its edges):
  // what may be large is dropped instead.
  virtual std::uint64_t clear(HolderIndex holder) = 0;

  // See digest.h. Kept up to date lazily: the cost is that of hashing what came since the last
  // call.
  virtual Digest digest(HolderIndex holder) = 0;
  virtual std::uint64_t tokens_of(HolderIndex holder) const = 0;

  // Entries in the order of their seq; nothing past the last. The pointer lives until the next
  // write.
  virtual const Entry* entry_at_or_after(HolderIndex holder, Seq from) const = 0;
  virtual std::size_t entry_count(HolderIndex holder) const = 0;
  // Appends the tokens [begin, end) of the entry's path, and the slots where they are kept.
  virtual void read_entry(const Entry& entry, std::uint32_t begin, std::uint32_t end,
                          std::vector<TokenId>& tokens, SlotRuns& slots) const = 0;
  virtual const CacheNamespace& entry_namespace(const Entry& entry) const = 0;
  // The prefix hash at the end of the entry.
  virtual Digest entry_hash(const Entry& entry) = 0;

  // The holders of an edge that match() named whose pages there are not retiring, ascending.
  virtual void shown_at(std::uint32_t node, std::vector<HolderIndex>& out) const = 0;
  // The anchor of the holder's page that ends `tokens` tokens from the root on the path that
  // match() found; the holder has it.
  virtual Anchor anchor_on(const Match& match, HolderIndex holder, std::uint32_t tokens) const = 0;
  // Appends a holder's slots for [begin, end) of that edge; false where they are not kept.
  virtual bool slots_at(std::uint32_t node, HolderIndex holder, std::uint32_t begin,
                        std::uint32_t end, SlotRuns& out) const = 0;

  // Edges in depth-first order, parents first: `skip` are passed over, at most `limit` returned.
  // Costs what is returned where `skip` is where the last call ended, else the `skip` as well.
  virtual std::vector<EdgeView> edges(std::size_t skip, std::size_t limit) = 0;
  virtual std::size_t edge_count() const = 0;
  // Distinct tokens: those of all edges, each counted once however many hold it. While several
  // holders are given back, what only they share counts in both, edges and tokens, until one of
  // them is.
  virtual std::uint64_t token_count() const = 0;
  // ... with those that are not given back yet.
  virtual std::uint64_t stored_token_count() const = 0;
  virtual std::size_t memory_bytes() const = 0;
};

}  // namespace radixmesh
