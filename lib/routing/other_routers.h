// What other routers promised to nodes, as they say themselves: all of it each time, so that what
// is lost is told again by the next, and nothing drifts.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/promise.h"
#include "lib/base/time.h"

namespace radixmesh {

class OtherRouters {
 public:
  using PromiseRow = std::pair<NodeId, Promise>;

  // All promises of a router: what is not among them is none. Adds the nodes of which they changed.
  // False, and nothing happens, where they are not newer than what is known.
  // Chunks are counted anew after each `period`.
  bool note(TimePoint now, NodeId router, Epoch epoch, std::uint64_t version, Duration period,
            std::span<const PromiseRow> promises, std::vector<NodeId>& changed);
  // The version of what that router said last.
  std::uint64_t heard(NodeId router) const;
  // It never said so, but at the most this version: nothing of it counts until it says more.
  // Returns the nodes that it had promised something.
  std::vector<NodeId> disbelieve(NodeId router, std::uint64_t version);
  std::vector<NodeId> drop(NodeId router);
  // Those that were silent for so long that they have no promises any more.
  std::vector<NodeId> silent(TimePoint now) const;
  TimePoint next_expiry() const;

  // Whether so many chunks more of that router are taken.
  bool takes_chunks(NodeId router, std::size_t chunks);

  Promise sum_for(NodeId node) const;
  // How many have promised anything.
  std::size_t count_routing() const;

 private:
  struct Other {
    Epoch epoch;
    std::uint64_t version = 0;
    TimePoint heard;
    std::vector<PromiseRow> promises;  // by node
    bool has_promises = false;         // some of them are not zero
    std::size_t chunks = 0;            // heard since
    TimePoint chunks_since;
    std::vector<NodeId> take_nodes();
  };

  std::map<NodeId, Other> others_;
};

}  // namespace radixmesh
