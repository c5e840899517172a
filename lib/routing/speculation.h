// What was routed to whom a moment ago: those nodes are believed to have it, or to have it soon,
// long before the INSERT that says so has come. Only on the router that sent it there.
//
// Two generations: what is noted goes into the present one; after `lives` the present one becomes
// the former, and the former is dropped. So an entry lives between once and twice that long, and
// nothing has to be taken apart.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/tree/relation.h"

namespace radixmesh {

class Speculation {
 public:
  Speculation(std::uint32_t page_size, Duration lives);
  ~Speculation();

  // Where a generation has limits::speculative_bytes_max, the next one begins early.
  void note(TimePoint now, NodeId node, const CacheNamespace& name,
            std::span<const TokenId> tokens);
  // Calls `found` with each node and its depth; with some perhaps twice.
  void match(const CacheNamespace& name, std::span<const TokenId> tokens,
             const std::function<void(NodeId, std::uint32_t)>& found) const;
  // The node has lost what it had.
  void drop_node(NodeId node);
  void expire(TimePoint now);
  TimePoint next_expiry() const;
  std::uint64_t tokens() const;  // distinct ones of each generation

 private:
  struct Generation;
  void turn(TimePoint now);

  std::uint32_t page_size_;
  Duration lives_;
  std::unique_ptr<Generation> present_, former_;
  TimePoint next_turn_ = kNever;
  mutable Match match_;
};

}  // namespace radixmesh
