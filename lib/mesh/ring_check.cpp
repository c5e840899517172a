#include "lib/mesh/ring_check.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// After so many silent periods the node of the lowest rank is not waited for.
constexpr int kSilentPeriods = 3;
// Tokens under way here at once, of different initiators.
constexpr std::size_t kPendingMax = 4;

std::vector<Visit> sorted(std::vector<Visit> visits) {
  std::ranges::sort(visits);
  return visits;
}

}  // namespace

void RingCheck::set_view(TimePoint now, std::vector<Visit> ring) {
  if (ring == ring_) return;
  ring_ = std::move(ring);
  next_start_ = std::min(next_start_, now + pace_.retry);
  std::erase_if(seen_, [this](const auto& each) { return !in_ring(each.first); });
}

bool RingCheck::in_ring(NodeId node) const {
  return std::ranges::find(ring_, node, &Visit::node) != ring_.end();
}

std::optional<NodeId> RingCheck::after(NodeId node) const {
  const auto at = std::ranges::find(ring_, node, &Visit::node);
  if (at == ring_.end() || ring_.size() < 2) return std::nullopt;
  return at + 1 == ring_.end() ? ring_.front().node : (at + 1)->node;
}

Visit RingCheck::own_visit() const {
  const auto at = std::ranges::find(ring_, self_, &Visit::node);
  CHECK_THAT(at != ring_.end(), self_.value);
  return *at;
}

bool RingCheck::starts_here(TimePoint now) const {
  if (ring_.front().node == self_) return true;
  // Whoever the last token did not verify soon sends one of its own; not all at once.
  const auto place = std::ranges::find(ring_, self_, &Visit::node) - ring_.begin();
  const Duration stagger = pace_.retry / 4 * static_cast<int>(place % 8);
  const Duration period = verified() ? pace_.period : pace_.retry;
  return now - last_token_ >= kSilentPeriods * period + stagger;
}

TimePoint RingCheck::due() const {
  TimePoint due = next_start_;
  for (const Pending& each : pending_) due = std::min(due, each.deadline);
  return due;
}

RingCheck::Sends RingCheck::step(TimePoint now) {
  Sends out;
  for (std::size_t i = 0; i < pending_.size();) {
    if (pending_[i].deadline > now) {
      ++i;
      continue;
    }
    Pending late = std::move(pending_[i]);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
    ++counts_.skipped;
    auto& skipped = late.tick.skipped;
    const bool is_new = std::ranges::find(skipped, late.to) == skipped.end();
    if (is_new && skipped.size() < limits::members_max) skipped.push_back(late.to);
    forward(now, std::move(late.tick), late.to, out);
  }
  if (now >= next_start_) {
    next_start_ = now + (verified() ? pace_.period : pace_.retry);
    // A token that is out has some time to come back.
    const Duration patience = pace_.hop * 4 + pace_.hop / 10 * static_cast<int>(ring_.size());
    if ((round_ == 0 || now - started_ >= patience) && starts_here(now)) start(now, out);
  }
  return out;
}

void RingCheck::start(TimePoint now, Sends& out) {
  ++counts_.started;
  started_ = last_token_ = now;
  TickMessage tick;
  tick.initiator = self_;
  tick.initiator_epoch = own_visit().epoch;
  tick.nonce = ++nonce_;
  tick.round = round_ = 1;
  tick.hops_left = static_cast<std::uint32_t>(2 * ring_.size() + 2);
  tick.visited = {own_visit()};
  forward(now, std::move(tick), self_, out);
}

// To the next node behind the given one; the hops count down here and nowhere else.
void RingCheck::forward(TimePoint now, TickMessage tick, NodeId behind, Sends& out) {
  if (tick.hops_left == 0 || !in_ring(tick.initiator)) {
    ++counts_.expired;
    return;
  }
  --tick.hops_left;
  const std::optional<NodeId> next = after(behind);
  if (!next || *next == self_) {
    // Nobody else is left to take it: it has been around.
    if (tick.initiator == self_) came_back(now, std::move(tick), out);
    return;
  }
  if (pending_.size() == kPendingMax) pending_.erase(pending_.begin());
  pending_.push_back({*next, tick, now + pace_.hop});
  out.push_back({*next, std::move(tick)});
}

void RingCheck::on_ack(const TickAckMessage& ack) {
  std::erase_if(pending_, [&](const Pending& each) {
    return each.tick.initiator == ack.initiator && each.tick.nonce == ack.nonce &&
           each.tick.round == ack.round;
  });
}

RingCheck::Sends RingCheck::on_tick(TimePoint now, TickMessage tick) {
  Sends out;
  if (!in_ring(tick.initiator)) {
    ++counts_.expired;
    return out;
  }
  last_token_ = now;
  if (tick.initiator == self_) {
    if (tick.nonce == nonce_ && tick.round == round_) came_back(now, std::move(tick), out);
    return out;
  }
  // Remembered for a period: were it for ever, one wrong frame with a nonce that never was would
  // stop all that follow. That a token ends is what `hops_left` is for.
  const auto key = std::tuple(tick.initiator_epoch, tick.nonce, tick.round);
  const auto known = seen_.find(tick.initiator);
  const bool recent = known != seen_.end() && now - known->second.at < pace_.period;
  if (recent && key <= known->second.key) return out;
  seen_[tick.initiator] = {key, now};
  if (tick.round == 2) {
    confirm(tick);
  } else if (std::ranges::find(tick.visited, self_, &Visit::node) == tick.visited.end() &&
             tick.visited.size() < limits::members_max) {
    tick.visited.push_back(own_visit());
  }
  forward(now, std::move(tick), self_, out);
  return out;
}

void RingCheck::came_back(TimePoint now, TickMessage tick, Sends& out) {
  if (tick.round == 1) {
    tick.round = round_ = 2;
    forward(now, std::move(tick), self_, out);
    return;
  }
  round_ = 0;
  ++counts_.completed;
  round_trip_ = now - started_;
  confirm(tick);
  next_start_ = now + (verified() ? pace_.period : pace_.retry);
}

void RingCheck::confirm(const TickMessage& tick) {
  open_at_ = tick.skipped;
  if (sorted(tick.visited) == sorted(ring_)) verified_ = ring_;
}

}  // namespace radixmesh
