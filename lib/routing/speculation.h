// What was routed to whom and may be in no index yet: those nodes have it, or will have it when
// they have worked off what is queued before it. Of this router, and of the others as they tell it.
//
// Two generations: what is noted goes into the present one; after `lives` the present one becomes
// the former, and the former is dropped. So a chunk counts for between once and twice that long
// after it was noted last, and nothing has to be taken apart.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/routing/chunks.h"

namespace radixmesh {

class Speculation {
 public:
  // With `lives` 0 nothing is noted. `salt`: a number that nobody else knows, as others choose what
  // is looked up here.
  Speculation(Duration lives, std::uint64_t salt)
      : lives_(lives), present_(salt), former_(salt), salt_(salt) {}

  // Where a generation has limits::speculative_chunks_max, the next one begins early. Of nodes that
  // are to have one chunk, limits::speculative_nodes_max are kept.
  void note(TimePoint now, NodeId node, std::span<const ChunkHash> chunks);
  // Calls `found` with each node that was to compute one of these chunks, and the end of the last
  // such; with some perhaps twice. O(chunks + nodes found).
  void match(std::span<const Chunk> chunks,
             const std::function<void(NodeId, std::uint32_t)>& found) const;
  // The node has lost what it had. O(log nodes).
  void drop_node(NodeId node);
  void expire(TimePoint now);
  TimePoint next_expiry() const { return next_turn_; }
  // Distinct ones of each generation.
  std::size_t chunks() const { return present_.by_hash.size() + former_.by_hash.size(); }

 private:
  // Of this generation, and of one life of a node.
  using NodeNumber = std::uint32_t;
  struct Salted {
    std::uint64_t salt = 0;
    std::size_t operator()(ChunkHash hash) const noexcept;
  };
  // One node has most chunks.
  struct Nodes {
    NodeNumber first = 0;
    std::vector<NodeNumber> others;
  };
  struct Generation {
    explicit Generation(std::uint64_t salt) : by_hash(0, Salted{salt}) {}
    tsl::robin_map<ChunkHash, Nodes, Salted> by_hash;
    std::vector<std::optional<NodeId>> nodes;  // by number; nothing: it is no more
    std::map<NodeId, NodeNumber> numbers;
    std::size_t pairs = 0;
  };
  static NodeNumber number_of(Generation& generation, NodeId node);
  static void match(const Generation& generation, std::span<const Chunk> chunks,
                    const std::function<void(NodeId, std::uint32_t)>& found);
  void turn(TimePoint now);

  Duration lives_;
  Generation present_, former_;
  std::uint64_t salt_;
  TimePoint next_turn_ = kNever;
};

}  // namespace radixmesh
