// What routers see of the engines' caches, some time later.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <vector>

namespace radixmesh::routing {

class FleetIndex {
 public:
  static constexpr std::uint32_t kNodesMax = 64;

  FleetIndex(std::uint32_t nodes, double delay_s) : nodes_(nodes), delay_s_(delay_s) {}

  void changed(double now_s, std::uint32_t node, std::uint32_t block, bool held) {
    coming_.push_back({now_s + delay_s_, block, node, held});
  }

  // How many of the blocks each node has, from the first on. O(blocks + nodes).
  std::vector<int> depths(double now_s, const std::vector<std::uint32_t>& blocks) {
    arrive(now_s);
    std::vector<int> depths(nodes_, static_cast<int>(blocks.size()));
    std::uint64_t left = nodes_ == kNodesMax ? ~std::uint64_t{0} : (std::uint64_t{1} << nodes_) - 1;
    for (std::size_t i = 0; i < blocks.size() && left != 0; ++i) {
      const std::uint64_t held = blocks[i] < holders_.size() ? holders_[blocks[i]] : 0;
      for (std::uint64_t gone = left & ~held; gone != 0; gone &= gone - 1) {
        depths[static_cast<std::size_t>(std::countr_zero(gone))] = static_cast<int>(i);
      }
      left &= held;
    }
    return depths;
  }

 private:
  struct Change {
    double at_s;
    std::uint32_t block, node;
    bool held;
  };
  void arrive(double now_s) {
    for (; !coming_.empty() && coming_.front().at_s <= now_s; coming_.pop_front()) {
      const Change& each = coming_.front();
      if (each.block >= holders_.size()) holders_.resize(std::max(each.block + 1, 2 * each.block));
      const std::uint64_t bit = std::uint64_t{1} << each.node;
      each.held ? holders_[each.block] |= bit : holders_[each.block] &= ~bit;
    }
  }

  std::uint32_t nodes_;
  double delay_s_;
  std::deque<Change> coming_;           // in order: the delay is the same for all
  std::vector<std::uint64_t> holders_;  // by block, a bit for each node
};

}  // namespace radixmesh::routing
