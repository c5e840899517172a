#include "lib/gc/keeper.h"

#include <algorithm>

#include "lib/base/limits.h"

namespace radixmesh {

void Keeper::on_hold(TimePoint now, NodeId from, const HoldMessage& hold, bool may_lock) {
  // Who takes no part in collecting keeps nothing for it either.
  if (settings_.mode == GcMode::off) {
    if (hold.pages.empty()) return;
    return post_.answer(from, Channel::control, HeldMessage{hold.round, hold.pages});
  }
  Held& held = held_[from];
  if (hold.round < held.round) return out_.count("holds_outdated");
  if (hold.round > held.round) {
    let_go_of(held);
    held.round = hold.round;
    held.refused.clear();
    if (!hold.pages.empty() && may_lock) lock(now, hold, held);
  } else if (hold.pages.empty()) {
    let_go_of(held);
  }
  if (hold.pages.empty()) return;
  // Where it was over already, nothing is kept.
  const bool is_over = held.paths.empty();
  post_.answer(from, Channel::control,
               HeldMessage{hold.round, is_over ? hold.pages : held.refused});
}

void Keeper::lock(TimePoint now, const HoldMessage& hold, Held& held) {
  LocalCache* cache = picture_.cache();
  if (cache == nullptr || hold.pages.size() + held_pages() > limits::held_pages_max) return;
  // For longer than the owner counts on it.
  const Duration lease = std::min(hold.lease, settings_.round_max);
  held.until = now + lease + lease / 100 + settings_.lease_margin;
  for (const Anchor& page : hold.pages) {
    if (const auto path = cache->lock_page(page)) {
      held.paths.push_back(*path);
    } else {
      held.refused.push_back(page);
    }
  }
}

void Keeper::let_go_of(Held& held) {
  if (held.paths.empty()) return;
  for (const LockedPath& path : held.paths) picture_.cache()->unlock(path);
  held.paths.clear();
  wakeup_.set();
}

void Keeper::expire(TimePoint now) {
  for (auto& [node, held] : held_) {
    if (now >= held.until) let_go_of(held);
  }
}

TimePoint Keeper::due() const {
  TimePoint due = kNever;
  for (const auto& [node, held] : held_) {
    if (!held.paths.empty()) due = std::min(due, held.until);
  }
  return due;
}

void Keeper::let_go_of_all() {
  for (auto& [node, held] : held_) let_go_of(held);
}

void Keeper::forget(NodeId node) {
  const auto found = held_.find(node);
  if (found == held_.end()) return;
  let_go_of(found->second);
  held_.erase(found);
}

std::uint64_t Keeper::last_round(NodeId node) const {
  const auto found = held_.find(node);
  return found == held_.end() ? 0 : found->second.round;
}

std::size_t Keeper::held_pages() const {
  std::size_t pages = 0;
  for (const auto& [node, held] : held_) pages += held.paths.size();
  return pages;
}

}  // namespace radixmesh
