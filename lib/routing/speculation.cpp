#include "lib/routing/speculation.h"

#include <algorithm>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

void Speculation::note(TimePoint now, NodeId node, std::span<const ChunkHash> chunks) {
  if (chunks.empty() || lives_ == Duration{0}) return;
  expire(now);
  if (present_.size() + chunks.size() > limits::speculative_chunks_max) turn(now);
  if (next_turn_ == kNever) next_turn_ = now + lives_;
  for (ChunkHash chunk : chunks) {
    std::vector<NodeId>& nodes = present_[chunk];
    if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
  }
}

void Speculation::match(std::span<const Chunk> chunks,
                        const std::function<void(NodeId, std::uint32_t)>& found) const {
  for (const Generation* generation : {&present_, &former_}) {
    if (generation->empty()) continue;
    for (std::size_t i = chunks.size(); i-- > 0;) {
      const auto at = generation->find(chunks[i].hash);
      if (at == generation->end()) continue;
      for (NodeId node : at->second) found(node, chunks[i].end);
    }
  }
}

void Speculation::drop_node(NodeId node) {
  for (Generation* generation : {&present_, &former_}) {
    for (auto at = generation->begin(); at != generation->end();) {
      std::erase(at.value(), node);
      at = at->second.empty() ? generation->erase(at) : std::next(at);
    }
  }
}

void Speculation::turn(TimePoint now) {
  former_ = std::exchange(present_, {});
  next_turn_ = former_.empty() ? kNever : now + lives_;
}

void Speculation::expire(TimePoint now) {
  while (next_turn_ <= now) turn(next_turn_);
}

}  // namespace radixmesh
