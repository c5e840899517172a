// How recently each of this node's own pages was used: the order in which eviction takes them.
//
// One list over all edges, from the least to the most recently used. Its elements are stretches:
// pages of one edge that follow each other and were last used together. An edge that was always
// used as a whole is one stretch. Whoever uses just its first pages leaves the others where they
// were, and splits nothing:
//
//      abcdef used, then xy        oldest  abcdef  xy  newest
//      (1) abc used                oldest  def  xy  abc  newest
//      (2) z used, then ab         oldest  def  xy  c  z  ab  newest
//      (3) abcd used               oldest  ef  xy  z  abcd  newest
//      (4) xy and z go             oldest  abcdef  newest
//
// No time is kept, as an order is all that eviction asks for. So two stretches of one edge that
// nothing stands between are one (4): their pages go one after the other, from the end, either way.
//
// Invariants
//  L1  the stretches of an edge cover it, and a deeper one stands further to the old end; with
//      parents used whenever their children are, the first of all is the end of a leaf
//  L2  neighbours in the list are not neighbours in one edge
//  L3  an edge has at most limits::edge_stretches_max. Where a use, or a join, would leave it more,
//      the shortest but the first one is taken to have been used when the one above it was. So past
//      the bound a page may count as used as late as some page before it in its edge was, and
//      outlive pages of other edges that were used after it. It never counts as used earlier than
//      it was, and within an edge the order is always exact.
// Every edge keeps the index of its deepest stretch; kNoIndex: it is not in the list. Depths are
// tokens from the root, which no split or join changes. Costs are O(stretches of the edge), but for
// the allocation of a chunk. Not thread-safe.
#pragma once

#include "lib/base/limits.h"
#include "lib/tree/slab.h"

namespace radixmesh {

using StretchIndex = std::uint32_t;

struct Stretch {
  std::uint32_t edge = kNoIndex;
  std::uint32_t end = 0;          // it begins where the one above it ends, or with the edge
  StretchIndex above = kNoIndex;  // of the same edge; used later than this one
  StretchIndex older = kNoIndex, newer = kNoIndex;
};

class RecencyList {
 public:
  const Stretch& operator[](StretchIndex index) const { return stretches_[index]; }
  // The least recently used; kNoIndex: nothing is listed.
  StretchIndex oldest() const { return oldest_; }

  // (1), (2), (3) The pages of `edge` up to `end` become the most recently used. An edge that is
  // not listed is, up to `end`, which then is its end. It may be left with one stretch too many,
  // which keep_bound() mends: once a whole path is marked as used, there may be fewer.
  void use(std::uint32_t edge, StretchIndex& deepest, std::uint32_t end) {
    StretchIndex rest = kNoIndex;  // the last one that was not used to its end
    StretchIndex used = deepest;
    for (; used != kNoIndex && stretches_[used].end > end; used = stretches_[used].above) {
      rest = used;
    }
    if (used == kNoIndex) {
      used = stretches_.acquire();
      stretches_[used].edge = edge;
    } else {
      unlink(used);
      remove_chain(stretches_[used].above);
    }
    stretches_[used].end = end;
    (rest == kNoIndex ? deepest : stretches_[rest].above) = used;
    link_after(newest_, used);
  }

  // The edge leaves the list.
  void drop(StretchIndex& deepest) { remove_chain(deepest); }

  // The edge of `lower` was cut `at` so many tokens from the root; `upper_edge` is new above it.
  void split(std::uint32_t upper_edge, StretchIndex& upper, StretchIndex lower, std::uint32_t at) {
    while (stretches_[lower].above != kNoIndex && stretches_[stretches_[lower].above].end > at) {
      lower = stretches_[lower].above;
    }
    upper = std::exchange(stretches_[lower].above, kNoIndex);
    if (upper == kNoIndex || stretches_[upper].end < at) {
      const StretchIndex cut = stretches_.acquire();
      stretches_[cut].end = at;
      stretches_[cut].above = std::exchange(upper, cut);
      link_after(lower, cut);
    }
    move_chain(upper, upper_edge);
  }

  // Two edges become `lower_edge`; both are listed.
  void join(std::uint32_t lower_edge, StretchIndex& upper, StretchIndex lower) {
    StretchIndex first = lower;
    while (stretches_[first].above != kNoIndex) first = stretches_[first].above;
    move_chain(upper, lower_edge);
    stretches_[first].above = std::exchange(upper, kNoIndex);
    join_neighbours(first);
    keep_bound(lower);
  }

  // L3.
  void keep_bound(StretchIndex deepest) {
    while (true) {
      std::size_t count = 0;
      StretchIndex shortest = kNoIndex;
      for (StretchIndex at = deepest; at != kNoIndex; at = stretches_[at].above, ++count) {
        if (stretches_[at].above == kNoIndex) continue;
        if (shortest == kNoIndex || length(at) < length(shortest)) shortest = at;
      }
      if (count <= limits::edge_stretches_max) return;
      use_as_above(shortest);
    }
  }

  std::size_t memory_bytes() const { return stretches_.memory_bytes(); }

 private:
  std::uint32_t length(StretchIndex at) const {
    return stretches_[at].end - stretches_[stretches_[at].above].end;
  }

  // At the newer side of `older`; kNoIndex: the list is empty.
  void link_after(StretchIndex older, StretchIndex at) {
    Stretch& stretch = stretches_[at];
    stretch.older = older;
    stretch.newer = std::exchange(older == kNoIndex ? oldest_ : stretches_[older].newer, at);
    (stretch.newer == kNoIndex ? newest_ : stretches_[stretch.newer].older) = at;
    if (older != kNoIndex) join_neighbours(older);
  }

  void unlink(StretchIndex at) {
    const StretchIndex older = stretches_[at].older, newer = stretches_[at].newer;
    (older == kNoIndex ? oldest_ : stretches_[older].newer) = newer;
    (newer == kNoIndex ? newest_ : stretches_[newer].older) = older;
    if (older != kNoIndex) join_neighbours(older);
  }

  // (4) Keeps L2 behind a stretch that has a new neighbour at its newer side. The lower one is what
  // stays, because the edge, or the one below, has its index.
  void join_neighbours(StretchIndex older) {
    const StretchIndex newer = stretches_[older].newer;
    if (newer == kNoIndex || stretches_[older].above != newer) return;
    stretches_[older].above = stretches_[newer].above;
    unlink(newer);
    stretches_.release(newer);
  }

  // Takes the place in the list of the one above, which goes. The place is never left empty: what
  // stands on both sides of it may be of one edge.
  void use_as_above(StretchIndex at) {
    unlink(at);
    const StretchIndex above = stretches_[at].above;
    const Stretch place = stretches_[above];
    stretches_[at].above = place.above;
    stretches_[at].older = place.older;
    stretches_[at].newer = place.newer;
    (place.older == kNoIndex ? oldest_ : stretches_[place.older].newer) = at;
    (place.newer == kNoIndex ? newest_ : stretches_[place.newer].older) = at;
    stretches_.release(above);
  }

  void remove_chain(StretchIndex& deepest) {
    StretchIndex at = std::exchange(deepest, kNoIndex);
    while (at != kNoIndex) {
      unlink(at);
      const StretchIndex above = stretches_[at].above;
      stretches_.release(at);
      at = above;
    }
  }

  void move_chain(StretchIndex at, std::uint32_t edge) {
    for (; at != kNoIndex; at = stretches_[at].above) stretches_[at].edge = edge;
  }

  Slab<Stretch> stretches_;
  StretchIndex oldest_ = kNoIndex, newest_ = kNoIndex;
};

}  // namespace radixmesh
