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
#include <span>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/routing/chunks.h"

namespace radixmesh {

class Speculation {
 public:
  // With 0 nothing is noted.
  explicit Speculation(Duration lives) : lives_(lives) {}

  // Where a generation has limits::speculative_chunks_max, the next one begins early.
  void note(TimePoint now, NodeId node, std::span<const ChunkHash> chunks);
  // Calls `found` with each node that was to compute one of these chunks, and the end of the last
  // such; with some perhaps twice, the deeper end first. O(chunks + nodes found).
  void match(std::span<const Chunk> chunks,
             const std::function<void(NodeId, std::uint32_t)>& found) const;
  // The node has lost what it had. O(all chunks).
  void drop_node(NodeId node);
  void expire(TimePoint now);
  TimePoint next_expiry() const { return next_turn_; }
  // Distinct ones of each generation.
  std::size_t chunks() const { return present_.size() + former_.size(); }

 private:
  using Generation = tsl::robin_map<ChunkHash, std::vector<NodeId>, std::hash<ChunkHash>>;
  void turn(TimePoint now);

  Duration lives_;
  Generation present_, former_;
  TimePoint next_turn_ = kNever;
};

}  // namespace radixmesh
