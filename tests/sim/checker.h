// What must be true of a mesh, checked by means that share no code with the core: a model that
// folds each origin's own changes, as its engine asked for them, into sets of page prefixes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/network.h"

namespace radixmesh::sim {

// What one node holds, by the history of its engine's calls: a trie with one vertex a page.
class NodeModel {
 public:
  explicit NodeModel(std::uint32_t page_size) : page_size_(page_size) {}
  // The engine inserted a beginning of `tokens`, token i in slot next_slot + i.
  void insert(const std::vector<TokenId>& tokens, std::size_t length);
  // Slots that came back say which pages went: a page's first slot is its alone.
  void freed(const SlotRuns& slots);
  void clear() { root_ = {}, by_slot_.clear(); }
  std::uint32_t depth(const std::vector<TokenId>& tokens) const { return walk(tokens).first; }
  // The first slot of the page that ends at `end`, which is held.
  std::uint64_t slot_at(const std::vector<TokenId>& tokens, std::uint32_t end) const;
  std::uint64_t next_slot = 1;

 private:
  struct Page {
    std::uint64_t slot = 0;  // 0: not held
    std::map<std::vector<TokenId>, Page> after;
  };
  std::pair<std::uint32_t, const Page*> walk(std::span<const TokenId> tokens) const;

  std::uint32_t page_size_;
  Page root_;
  std::map<std::uint64_t, Page*> by_slot_;
};

// Everything a run did, and the checks on what the replicas then say.
class Checker {
 public:
  Checker(Network& network, std::uint32_t page_size);

  NodeModel& model(std::size_t node) { return models_[node]; }
  void restarted(std::size_t node);

  // Step invariants: per replica and origin (epoch, applied) never goes down within one life, and
  // each op is applied once, in order. The first thing that was wrong.
  std::optional<std::string> violation;

  // Equal vectors, each at its origin's head; equal digests; and for every query the depths and
  // slots that the models give. Empty if all is so.
  std::string converged(const std::vector<std::vector<TokenId>>& queries);
  // Only the vectors and digests: cheap, for waiting.
  bool agrees() const;

 private:
  void applied(std::size_t node, const OpApplied& event);
  std::string compare(std::size_t node, const std::vector<TokenId>& query);

  Network& network_;
  std::uint32_t page_size_;
  std::vector<NodeModel> models_;
  std::map<std::pair<std::size_t, std::string>, std::pair<Epoch, Seq>> progress_;
};

}  // namespace radixmesh::sim
