// Collecting duplicate KV, all of it: the parts of this folder, and what passes between them.
//
//   as an owner      Readers: who may refer to pages here   Retirement: pages on their way out
//                    Rounds: duplicates go                  Survey: which are some
//                    EngineSlots: what the engine was told  Leases: what former lives granted
//   as a keeper      Keeper: copies that stay for others' rounds
//   as a reader      References: to what others hold
//
// A router has no pages: there all of it does nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "lib/base/own_numbers.h"
#include "lib/gc/keeper.h"
#include "lib/gc/leases.h"
#include "lib/gc/references.h"
#include "lib/gc/rounds.h"

namespace radixmesh {

class Collector {
 public:
  // How this node is: whether it may get requests, and whether it is about to leave.
  struct Conditions {
    bool ready = false, draining = false;
  };
  // What collecting works with. `tokens_max`: the bound of this node's cache; 0: none.
  struct Parts {
    const Roster& roster;
    Picture& picture;
    OwnStream& own;
    const Streams& streams;
    Donor& donor;
    Post& post;
    Outbox& out;
    std::uint64_t tokens_max = 0;
    Epoch life;  // rounds and notices are numbered from it on, so that lives do not mix
  };
  Collector(const GcSettings& settings, const Parts& parts, TimePoint now);
  Collector(const Collector&) = delete;

  // ---- time ------------------------------------------------------------------------------------

  void run(TimePoint now, Conditions conditions);
  // When run() has something to do.
  TimePoint due() const;

  // ---- messages --------------------------------------------------------------------------------

  void on_register(TimePoint now, NodeId from, const RegisterMessage& said, Conditions conditions);
  void on_hold(TimePoint now, NodeId from, const HoldMessage& hold, Conditions conditions) {
    keeper_.on_hold(now, from, hold, !conditions.draining);
  }
  void on_held(TimePoint now, NodeId from, const HeldMessage& held, Conditions conditions) {
    rounds_.on_held(now, from, held, obstacle(now, conditions));
  }

  // ---- members ---------------------------------------------------------------------------------

  // It began another life, as it says itself or others do.
  void begin_life(TimePoint now, NodeId member);
  void forget(NodeId member);
  // This node outgrew its epoch: what others know of it is void.
  void outgrow(TimePoint now);
  // Its numbers as they are believed here: what it said last as a reader, and its last round.
  void add_to(NodeId member, OwnNumbers& numbers) const;
  // ... and by its own word. `word_is_wrong`: what was believed of the reader was never said.
  void correct_reader(NodeId member, const ReaderWord& said, bool word_is_wrong);
  void forget_rounds(NodeId member) { keeper_.forget(member); }

  // ---- the engine ------------------------------------------------------------------------------

  void set_engine_frees(TimePoint now, bool frees, bool takes_advice);
  void replace_engine(TimePoint now);
  void let_go_of_all();
  // A lock of the engine's ended.
  void unlocked() { wakeup_.set(); }
  // The engine uses these tokens: what of them retires stays.
  void keep(const CacheNamespace& name, std::span<const TokenId> tokens);
  // Why this node cannot free anything now.
  std::optional<Refusal> not_yet(TimePoint now) const;
  // Why these pages cannot be removed now; they retire.
  std::optional<Refusal> objection(std::vector<Anchor> pages) {
    return retirement_.objection(std::move(pages), rounds_.retired());
  }

  // What may go and what stays; `run`: a round begins now.
  tl::expected<GcView, Refusal> view(TimePoint now, bool run, Conditions conditions);
  GcCountsView counts(TimePoint now) const;

  // ---- parts that others ask -------------------------------------------------------------------

  EngineSlots& engine() { return engine_; }
  const EngineSlots& engine() const { return engine_; }
  Leases& leases() { return leases_; }
  const Leases& leases() const { return leases_; }
  Retirement& retirement() { return retirement_; }
  References& references() { return references_; }
  const References& references() const { return references_; }
  // Until when that member may refer to something here.
  TimePoint refers_until(NodeId member) const { return readers_.sessions().refers_until(member); }
  std::uint64_t last_round() const { return rounds_.last(); }

 private:
  std::string_view obstacle(TimePoint now, Conditions conditions) const;
  void advise(Conditions conditions);

  const GcSettings settings_;
  const Roster& roster_;
  Picture& picture_;
  Wakeup wakeup_;
  Leases leases_;
  EngineSlots engine_;
  Survey survey_;
  Readers readers_;
  Retirement retirement_;
  Rounds rounds_;
  Keeper keeper_;
  References references_;
  TimePoint next_care_ = TimePoint::min();  // for what was retired to make room
  TimePoint next_period_ = TimePoint::min();
};

// The journal of an insert: makes an op of each change, and room where pages must retire.
class InsertJournal final : public Journal {
 public:
  InsertJournal(OwnStream& own, Collector& collector, TimePoint now)
      : own_(own), collector_(collector), now_(now) {}

  Inserted record_insert(Anchor anchor, const CacheNamespace& name, std::span<const TokenId> tokens,
                         const SlotRuns& slots) override {
    return own_.record_insert(anchor, name, tokens, slots);
  }
  void record_delete(std::span<const Anchor> first_pages) override {
    own_.record_delete(first_pages);
  }
  void record_reset() override { own_.record_reset(); }
  SlotRuns make_room(LocalCache& cache, std::uint64_t num_tokens) override;

 private:
  OwnStream& own_;
  Collector& collector_;
  TimePoint now_;
};

}  // namespace radixmesh
