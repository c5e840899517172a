#include "lib/routing/speculation.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

std::size_t Speculation::Salted::operator()(ChunkHash hash) const noexcept {
  return XXH3_64bits_withSeed(&hash.value, sizeof hash.value, salt);
}

Speculation::NodeNumber Speculation::number_of(Generation& generation, NodeId node) {
  const auto number = static_cast<NodeNumber>(generation.nodes.size());
  const auto [at, is_new] = generation.numbers.try_emplace(node, number);
  if (is_new) generation.nodes.emplace_back(node);
  return at->second;
}

void Speculation::note(TimePoint now, NodeId node, std::span<const ChunkHash> chunks) {
  if (chunks.empty() || lives_ == Duration{0}) return;
  expire(now);
  if (present_.pairs + chunks.size() > limits::speculative_chunks_max) turn(now);
  if (next_turn_ == kNever) next_turn_ = now + lives_;
  const NodeNumber number = number_of(present_, node);
  for (ChunkHash chunk : chunks) {
    const auto [at, is_new] = present_.by_hash.try_emplace(chunk, Nodes{number, {}});
    Nodes& nodes = at.value();
    if (!is_new) {
      if (nodes.first == number || std::ranges::count(nodes.others, number) > 0) continue;
      if (nodes.others.size() + 1 >= limits::speculative_nodes_max) continue;
      nodes.others.push_back(number);
    }
    ++present_.pairs;
  }
}

void Speculation::match(std::span<const Chunk> chunks,
                        const std::function<void(NodeId, std::uint32_t)>& found) const {
  for (const Generation* each : {&present_, &former_}) match(*each, chunks, found);
}

// From the last chunk on, so that each node is found at its deepest; until none is left to find.
void Speculation::match(const Generation& generation, std::span<const Chunk> chunks,
                        const std::function<void(NodeId, std::uint32_t)>& found) {
  if (generation.by_hash.empty()) return;
  std::vector<bool> seen(generation.nodes.size());
  std::size_t left = generation.nodes.size();
  const auto see = [&](NodeNumber number, std::uint32_t end) {
    if (seen[number]) return;
    seen[number] = true;
    --left;
    if (generation.nodes[number]) found(*generation.nodes[number], end);
  };
  for (std::size_t i = chunks.size(); i-- > 0 && left > 0;) {
    const auto at = generation.by_hash.find(chunks[i].hash);
    if (at == generation.by_hash.end()) continue;
    see(at->second.first, chunks[i].end);
    for (NodeNumber number : at->second.others) see(number, chunks[i].end);
  }
}

void Speculation::drop_node(NodeId node) {
  for (Generation* generation : {&present_, &former_}) {
    const auto found = generation->numbers.find(node);
    if (found == generation->numbers.end()) continue;
    generation->nodes[found->second].reset();
    generation->numbers.erase(found);
  }
}

void Speculation::turn(TimePoint now) {
  former_ = std::exchange(present_, Generation(salt_));
  next_turn_ = former_.by_hash.empty() ? kNever : now + lives_;
}

void Speculation::expire(TimePoint now) {
  while (next_turn_ <= now) turn(next_turn_);
}

}  // namespace radixmesh
