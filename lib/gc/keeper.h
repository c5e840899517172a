// Rounds of other nodes: this node as a better holder, which keeps its own copies for a while.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "lib/gc/settings.h"
#include "lib/gc/wakeup.h"
#include "lib/oplog/post.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Keeper {
 public:
  Keeper(const GcSettings& settings, Picture& picture, Post& post, Outbox& out, Wakeup& wakeup)
      : settings_(settings), picture_(picture), post_(post), out_(out), wakeup_(wakeup) {}

  // `may_lock`: this node is not about to leave.
  void on_hold(TimePoint now, NodeId from, const HoldMessage& hold, bool may_lock);
  void expire(TimePoint now);
  TimePoint due() const;
  void let_go_of_all();
  // The node began another life, or is forgotten.
  void forget(NodeId node);
  // The last round of that node's that was heard of; 0: none.
  std::uint64_t last_round(NodeId node) const;
  std::size_t held_pages() const;

 private:
  // Pages that are locked here for the last round of another node; none once that is over, so that
  // what comes late begins nothing.
  struct Held {
    std::uint64_t round = 0;
    std::vector<LockedPath> paths;
    std::vector<Anchor> refused;
    TimePoint until;
  };
  void lock(TimePoint now, const HoldMessage& hold, Held& held);
  void let_go_of(Held& held);

  const GcSettings& settings_;
  Picture& picture_;
  Post& post_;
  Outbox& out_;
  Wakeup& wakeup_;
  std::map<NodeId, Held> held_;
};

}  // namespace radixmesh
