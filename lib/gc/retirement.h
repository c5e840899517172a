// Pages of this node on their way out. Where readers are registered, what is to go retires first:
// from then on nobody refers to it anew, and once all readers have said that they do not, it goes.
//
//   GC_QUERY: retires ──all agree──► DELETE: gone
//        └──── used again, or not wanted any more ────► GC_ABORT: stays
//
// Pages retire to make room, or because the engine asks for their removal; those are kept here. A
// round that collects duplicates retires some as well, and keeps its own list.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/refusal.h"
#include "lib/gc/reader_sessions.h"
#include "lib/gc/settings.h"
#include "lib/oplog/own_stream.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Retirement {
 public:
  // `tokens_max`: the bound of this node's cache; 0: none.
  Retirement(const GcSettings& settings, const Roster& roster, Picture& picture, OwnStream& own,
             Donor& donor, Outbox& out, const ReaderSessions& sessions, std::uint64_t tokens_max)
      : settings_(settings),
        roster_(roster),
        picture_(picture),
        own_(own),
        donor_(donor),
        out_(out),
        sessions_(sessions),
        tokens_max_(tokens_max) {}

  // Whether pages must retire before they go. In global_ref those that readers refer to are locked.
  bool is_needed() const { return settings_.mode == GcMode::local_ref && !sessions_.empty(); }
  // Those of the pages that are here and do not retire yet begin to.
  std::vector<RetiredPage> retire(std::vector<Anchor> firsts);
  // What retires from each of these pages stays after all; what had agreed to that counts no more.
  void take_back(std::vector<Anchor> roots);
  // What was retired for readers that are no more: the engine may have it removed at once, if it
  // still wants to. True where something was.
  bool take_back_all();
  // The engine uses these tokens: what of them retires stays. True where something did.
  bool keep(const CacheNamespace& name, std::span<const TokenId> tokens);
  // Whether this page was taken back, or is gone.
  bool stays(const RetiredPage& page) const;

  // Why these pages, and all below them, cannot be removed now; they retire, so that they soon can.
  // `of_round`: what else retires.
  std::optional<Refusal> objection(std::vector<Anchor> pages,
                                   std::span<const RetiredPage> of_round);

  // Frees what was retired to make room and nobody refers to, the oldest first, and retires as much
  // again.
  SlotRuns free(std::uint64_t num_tokens);
  // Tokens that will go; not what some reader refers to: it may for long.
  std::uint64_t waiting_tokens() const;
  // So that an insert finds room at once.
  void keep_reserve();

 private:
  bool all_agreed(const std::vector<Anchor>& pages, std::span<const RetiredPage> of_round) const;
  std::uint64_t reserve_tokens() const;
  void retire_oldest(std::uint64_t num_tokens);
  void forget_gone();

  const GcSettings& settings_;
  const Roster& roster_;
  Picture& picture_;
  OwnStream& own_;
  Donor& donor_;
  Outbox& out_;
  const ReaderSessions& sessions_;
  std::uint64_t tokens_max_;
  std::vector<RetiredPage> pages_;
};

}  // namespace radixmesh
