// An engine of the simulation: calls its sidecar, and remembers what it asked for, so that a model
// of what it holds can be had as of any of its ops. It has a pool of slots, each with a stamp of
// what was computed into it, that others may read.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/node_model.h"

namespace radixmesh::sim {

// What a slot holds: the tokens up to its own. Equal prefixes have equal stamps.
using Stamp = std::uint64_t;
std::vector<Stamp> stamps_of(const std::vector<TokenId>& tokens);

class Engine {
 public:
  explicit Engine(std::uint32_t page_size) : model_(page_size), page_size_(page_size) {}

  NodeModel& model() { return model_; }
  const NodeModel& model() const { return model_; }

  // Each makes one call; called() then records the ops that it made, once they are known.
  void insert(Replica& replica, TimePoint now, const std::vector<TokenId>& key);
  void evict(Replica& replica, TimePoint now, std::uint64_t tokens);
  void remove(Replica& replica, TimePoint now, const std::vector<TokenId>& key);
  void reset(Replica& replica, TimePoint now);
  void op_applied(const OpApplied& event);
  void sidecar_started() { ops_of_life_ = 0; }
  void called();
  // The sidecar says that these slots are nobody's any more: they are freed at once.
  void told_to_free(const GcFree& event);

  // Its sidecar is gone. What the engine holds is known again only from the sidecar's next life.
  void sidecar_died() { model_.clear(); }
  // The engine itself is gone.
  void died();
  // The next life of the sidecar took back what was there as of its head: the engine holds just
  // that. The other slots it frees after the wait that the sidecar asks for.
  void recovered(Replica& replica, TimePoint now);
  // It took back nothing.
  void began_empty(Replica& replica, TimePoint now);
  // Frees what was to be freed by now.
  void look_after(TimePoint now);

  // Which engine this is: the same as long as its cache lives.
  std::string token() const { return "engine " + std::to_string(born_); }
  std::uint64_t born() const { return born_; }
  // The last state that it must not fall behind: slots that were freed after it may be in use
  // again.
  KnownState known() const { return known_; }
  // What is in a slot now; 0 if it is free.
  Stamp stamp_in(std::uint64_t slot) const {
    const auto found = pool_.find(slot);
    return found == pool_.end() ? 0 : found->second;
  }

 private:
  struct Record {
    Seq seq;
    std::vector<TokenId> inserted;  // empty: something was freed
    std::uint64_t first_slot = 0;
    SlotRuns freed;
  };
  static Seq head_of(Replica& replica);
  void apply(const Record& record);
  void free_later(Replica& replica, TimePoint now);

  NodeModel model_;
  std::uint32_t page_size_;
  std::vector<Record> history_;
  Record call_;  // the one that is being made
  Seq call_freed_, call_inserted_;
  Epoch call_epoch_;
  std::uint64_t ops_of_life_ = 0;        // that the sidecar has published
  std::map<std::uint64_t, Stamp> pool_;  // the slots that are in use
  std::vector<std::pair<TimePoint, std::uint64_t>> to_free_;
  std::uint64_t born_ = 1;
  KnownState known_;
};

}  // namespace radixmesh::sim
