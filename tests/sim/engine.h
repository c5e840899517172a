// An engine of the simulation: calls its sidecar, and remembers what it asked for, so that a model
// of what it holds can be had as of any of its ops.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/node_model.h"

namespace radixmesh::sim {

class Engine {
 public:
  explicit Engine(std::uint32_t page_size) : model_(page_size), page_size_(page_size) {}

  NodeModel& model() { return model_; }
  const NodeModel& model() const { return model_; }

  // Each carries out one call and records the ops that it made.
  void insert(Replica& replica, TimePoint now, const std::vector<TokenId>& key);
  void evict(Replica& replica, TimePoint now, std::uint64_t tokens);
  void remove(Replica& replica, TimePoint now, const std::vector<TokenId>& key);
  void reset(Replica& replica, TimePoint now);

  // Its sidecar is gone. What the engine holds is known again only from the sidecar's next life.
  void sidecar_died() { model_.clear(); }
  // The engine itself is gone.
  void died();
  // The next life of the sidecar took back what was there as of its head: the engine holds just
  // that.
  void recovered(Replica& replica);
  // It took back nothing.
  void began_empty(Replica& replica);

  // Which engine this is: the same as long as its cache lives.
  std::string token() const { return "engine " + std::to_string(born_); }
  // The last state that it must not fall behind: slots that were freed after it may be in use
  // again.
  Replica::KnownState known() const { return known_; }

 private:
  struct Record {
    Seq seq;
    std::vector<TokenId> inserted;  // empty: something was freed
    std::uint64_t first_slot = 0;
    SlotRuns freed;
  };
  static Seq head_of(Replica& replica);
  void record(Replica& replica, Seq before, SlotRuns freed, std::vector<TokenId> inserted,
              std::uint64_t first_slot);
  void apply(const Record& record);

  NodeModel model_;
  std::uint32_t page_size_;
  std::vector<Record> history_;
  std::uint64_t born_ = 1;
  Replica::KnownState known_;
};

}  // namespace radixmesh::sim
