// What must be true of a mesh, checked by means that share no code with the core: a model that
// folds each origin's own changes, as its engine asked for them, into sets of page prefixes.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/engine.h"
#include "tests/sim/network.h"

namespace radixmesh::sim {

// Everything a run did, and the checks on what the replicas then say.
class Checker {
 public:
  Checker(Network& network, std::uint32_t page_size);
  ~Checker();  // the network may go on
  Checker(const Checker&) = delete;

  // One for every node of the network; joiners are added as they come.
  Engine& engine(std::size_t node);
  const Engine& engine(std::size_t node) const { return engines_.at(node); }
  // A life of the node has ended or begun: its progress is its own.
  void restarted(std::size_t node);
  // The life that runs serves the node's present engine; to be said again as its epoch may change.
  void started(std::size_t node);
  void note_life(std::size_t node);
  // Which engine a life of a node served: only that one's memory is where the node said it is.
  std::uint64_t engine_of(const std::string& addr, Epoch epoch) const;

  // Step invariants: per replica and origin (epoch, applied) never goes down within one life, and
  // each op is applied once, in order. The first thing that was wrong.
  std::optional<std::string> violation;

  // Whether `node` still shows one that has been down for long, at a time when nothing disturbs it.
  void check_masking(std::size_t node, const std::vector<TokenId>& query);

  // Of a healed mesh that has been quiet: whether a node that collects still has a copy that enough
  // better ones have, and nothing of its own below it.
  std::string duplicates_left() const;
  // Nothing retires, no round is under way and nothing is to be acknowledged.
  bool collection_rests() const;
  // A liar is about, or was a moment ago: nodes may take an epoch that nobody outgrows for a
  // member's, which ends with all that was known of it; they may show who is down, and slots that
  // never were. What the engines themselves hold stays what they asked for.
  bool believes_lies = false;
  // Where nothing disturbs the mesh, what is collected is somewhere else still.
  bool checks_last_copy = false;

  // Of those that run: equal vectors, each at its origin's head; equal digests; and for every query
  // the depths and slots that the models give. Empty if all is so.
  std::string converged(const std::vector<std::vector<TokenId>>& queries);
  // Whether the node at this address runs, and goes by this rank itself.
  bool has_rank(const std::string& addr, NodeRank rank) const;
  // Only the vectors and digests: cheap, for waiting.
  bool agrees() const;

 private:
  void applied(std::size_t node, const OpApplied& event);
  // What a node owes after one step is within what limits.h says.
  bool has_forgotten(std::size_t node, const std::string& origin);
  void owed(std::size_t node, const std::vector<Effect>& effects);
  void dropped(std::size_t node, NodeId peer);
  void told_to_free(std::size_t node, const GcFree& event);
  std::size_t better_copies(std::size_t node, const std::vector<TokenId>& path) const;
  std::string compare(std::size_t node, const std::vector<TokenId>& query);
  std::string compare_segments(std::size_t node, const std::vector<TokenId>& query,
                               const MatchView& view);
  std::optional<std::size_t> running_at(const std::string& addr) const;

  Network& network_;
  std::uint32_t page_size_;
  std::deque<Engine> engines_;
  std::map<std::pair<std::size_t, std::string>, std::pair<Epoch, Seq>> progress_;
  // How often a node had forgotten all of some origin when it was last asked about this one.
  std::map<std::pair<std::size_t, std::string>, std::uint64_t> forgotten_;
  std::map<std::size_t, TimePoint> down_since_;
  std::map<std::pair<std::string, Epoch>, std::uint64_t> engine_of_life_;
};

}  // namespace radixmesh::sim
