// The picture: which prefix is cached on which node. It keeps the relation, this node's own cache
// in it where there is an engine, and which holders answers may show as which node.
//
//   facts (holder, pages, slots) ──► Relation ◄── LocalCache ◄── the engine's verbs
//                                       │
//             node of each holder ──► match, view_of ──► depths, segments
//
// A holder is shown while it has a node here: one that stages a snapshot, or keeps what is left of
// a former life, has none. Nothing of a member that is not alive is shown either. This node's own
// is kSelf.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "lib/members/roster.h"
#include "lib/tree/local_cache.h"
#include "lib/tree/match_view.h"
#include "lib/tree/relation.h"
#include "lib/tree/tree_view.h"

namespace radixmesh {

class Picture {
 public:
  struct Settings {
    std::uint32_t page_size = 1;
    bool has_engine = true;         // a router holds nothing
    bool keep_remote_slots = true;  // of other holders
    std::uint64_t tokens_max = 0;   // of this node; 0: no bound
  };
  Picture(const Roster& roster, const Settings& settings);
  ~Picture();
  Picture(const Picture&) = delete;

  Relation& relation() { return *relation_; }
  const Relation& relation() const { return *relation_; }
  // Null on a router.
  LocalCache* cache() { return cache_.get(); }
  const LocalCache* cache() const { return cache_.get(); }
  // Whether the slots of other holders are here.
  bool has_remote_slots() const { return cache_ != nullptr && keep_remote_slots_; }
  std::uint32_t page_size() const { return relation_->page_size(); }

  // ---- whose is what ---------------------------------------------------------------------------

  void show(HolderIndex holder, NodeId node) { shown_.emplace(holder, node); }
  void hide(HolderIndex holder) { shown_.erase(holder); }
  // A fresh holder, shown as that node.
  HolderIndex add(NodeId node);
  // All that it held goes by and by, and answers know of it no more.
  void drop(HolderIndex holder);
  std::optional<NodeId> node_of(HolderIndex holder) const;
  // The live member behind it; null where there is none.
  const Member* member_of(HolderIndex holder) const;

  // ---- lookups ---------------------------------------------------------------------------------

  // Valid until the next one.
  const Match& match(const CacheNamespace& name, std::span<const TokenId> tokens);
  MatchView view_of(const Match& match) const;
  bool has_own(Anchor page) const { return relation_->has(kSelf, page); }

  TreeView tree(std::size_t skip, std::size_t limit);
  // Page after page costs what is shown.
  EntriesView entries(HolderIndex holder, std::size_t skip, std::size_t limit);
  std::uint64_t memory_bytes() const;

 private:
  // Where the last page of a holder's entries ended: who asks for the next one begins there.
  struct PageEnd {
    HolderIndex holder{};
    std::size_t skip = 0;
    Seq next{1};
  };

  const Roster& roster_;
  bool keep_remote_slots_;
  std::unique_ptr<Relation> relation_;
  std::unique_ptr<LocalCache> cache_;
  std::map<HolderIndex, NodeId> shown_;
  Match match_;
  PageEnd entries_end_;
};

}  // namespace radixmesh
