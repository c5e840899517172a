// Rounds of other nodes: this node as a better holder, which keeps its own copies for a while.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {

void Replica::on_hold(TimePoint now, NodeId from, const HoldMessage& hold) {
  // Who takes no part in collecting keeps nothing for it either.
  if (settings_.gc.mode == GcMode::off) {
    if (hold.pages.empty()) return;
    return answer(from, Channel::control, HeldMessage{hold.round, hold.pages});
  }
  HeldForRound& held = collection_.held[from];
  if (hold.round < held.round) return out_.count("holds_outdated");
  if (hold.round > held.round) {
    let_go_of(held);
    held.round = hold.round;
    held.refused.clear();
    if (!hold.pages.empty()) lock_for_round(now, hold, held);
  } else if (hold.pages.empty()) {
    let_go_of(held);
  }
  if (hold.pages.empty()) return;
  // Where it was over already, nothing is kept.
  const bool is_over = held.paths.empty();
  answer(from, Channel::control, HeldMessage{hold.round, is_over ? hold.pages : held.refused});
}

void Replica::lock_for_round(TimePoint now, const HoldMessage& hold, HeldForRound& held) {
  std::size_t pages = hold.pages.size();
  for (const auto& [node, each] : collection_.held) pages += each.paths.size();
  if (!cache_ || draining() || pages > limits::held_pages_max) return;
  // For longer than the owner counts on it.
  const Duration lease = std::min(hold.lease, settings_.gc.round_max);
  held.until = now + lease + lease / 100 + settings_.gc.lease_margin;
  for (const Anchor& page : hold.pages) {
    if (const auto path = cache_->lock_page(page)) {
      held.paths.push_back(*path);
    } else {
      held.refused.push_back(page);
    }
  }
}

void Replica::let_go_of(HeldForRound& held) {
  if (held.paths.empty()) return;
  for (const LockedPath& path : held.paths) cache_->unlock(path);
  held.paths.clear();
  collection_.changed = true;
}

// Of what this node keeps for others: their rounds and their references.
void Replica::let_go_of_all() {
  for (auto& [node, held] : collection_.held) let_go_of(held);
  std::vector<NodeId> readers;
  for (const auto& [reader, session] : collection_.readers.all()) readers.push_back(reader);
  for (NodeId reader : readers) end_reader(reader);
}

// The node began another life, or is forgotten.
void Replica::forget_rounds_of(NodeId node) {
  const auto found = collection_.held.find(node);
  if (found == collection_.held.end()) return;
  let_go_of(found->second);
  collection_.held.erase(found);
}

}  // namespace radixmesh
