// What this node's engine was told to free, and whether it does. An engine that frees single slots
// acknowledges; another takes advice, or is told nothing.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "lib/gc/gc_view.h"
#include "lib/gc/settings.h"
#include "lib/oplog/own_stream.h"
#include "lib/tree/local_cache.h"

namespace radixmesh {

class EngineSlots {
 public:
  EngineSlots(const GcSettings& settings, const Roster& roster, const OwnStream& own, Outbox& out,
              std::uint64_t first_number)
      : settings_(settings), roster_(roster), own_(own), out_(out), last_(first_number) {}

  bool frees() const { return frees_; }
  void set(bool frees, bool takes_advice);
  // Duplicates stay here: the engine frees no single slots, and takes advice.
  bool keeps_duplicates() const {
    return settings_.mode != GcMode::off && !frees_ && takes_advice_;
  }
  // Another engine: what the earlier one was to free is not its.
  void replace_engine();

  // These slots are nobody's any more.
  void tell(TimePoint now, const SlotRuns& slots);
  // These pages, and all below them, are duplicates. Said where it is not what was said last.
  void advise(LocalCache& cache, std::vector<Anchor> firsts);
  // It has freed the slots of this GcFree; not the first to say so is no error.
  void acknowledge(std::uint64_t number);
  // What it was told and has not acknowledged.
  std::vector<GcFree> unacknowledged() const;
  bool is_full() const;
  void add_to(TimePoint now, GcCountsView& view) const;

 private:
  struct Told {
    SlotRuns slots;
    Epoch epoch;  // of the DELETE, as it was then
    Seq seq;
    TimePoint since;
  };
  GcFree notice(const SlotRuns& slots, std::size_t from, bool advice) const;

  const GcSettings& settings_;
  const Roster& roster_;
  const OwnStream& own_;
  Outbox& out_;
  bool frees_ = false, takes_advice_ = false;
  std::map<std::uint64_t, Told> unacknowledged_;
  std::uint64_t last_;
  std::vector<Anchor> advised_;
};

}  // namespace radixmesh
