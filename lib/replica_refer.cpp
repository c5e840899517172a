// References to what other nodes hold: this node as a reader. See lib/gc/registrations.h.
#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"
#include "lib/base/planted.h"
#include "lib/replica.h"

namespace radixmesh {

// Refers to what the best other holder has beyond the local part: `source`, then the deepest, of
// the lowest rank. Who grants nothing is passed over. Returns for whom to wait.
std::optional<Acquired::Wait> Replica::refer(TimePoint now, const Match& match,
                                             std::string_view source, Acquired& out) {
  struct Candidate {
    std::uint32_t tokens;
    const Member* member;
    HolderIndex holder;
  };
  std::vector<Candidate> candidates;
  for (const HolderDepth& each : match.depths) {
    const Member* member = holder_member(each.holder);
    if (member == nullptr || member->id == self_->id || !member->introduced) continue;
    if (each.tokens > out.match.local_length) {
      candidates.push_back({each.tokens, member, each.holder});
    }
  }
  std::ranges::sort(candidates, {}, [&](const Candidate& each) {
    return std::tuple(each.member->addr != source, ~each.tokens, each.member->rank);
  });
  for (const Candidate& each : candidates) {
    const NodeId owner = each.member->id;
    const OriginStream& stream = origins_.at(owner).stream;
    const Anchor page = relation_->anchor_on(match, each.holder, each.tokens);
    const auto asked = registrations_.refer(now, owner, stream.epoch(), stream.applied(), page);
    if (asked.grant == Registrations::Grant::wait) return Acquired::Wait{owner, page};
    if (asked.grant == Registrations::Grant::refused) continue;
    out.reference = asked.reference;
    return std::nullopt;
  }
  return std::nullopt;
}

bool Replica::waits(TimePoint now, const Acquired::Wait& wait) const {
  const auto found = origins_.find(wait.owner);
  return found != origins_.end() &&
         registrations_.waits(now, wait.owner, found->second.stream.applied(), wait.page);
}

std::vector<SegmentView> Replica::segments_of(const Match& match, const Acquired& acquired) const {
  std::vector<SegmentView> segments;
  const std::uint32_t local = acquired.match.local_length;
  if (local > 0) segments.push_back({0, local, self_->addr, acquired.match.local_slots});
  const auto reference = registrations_.find(acquired.reference);
  if (!reference) return segments;
  const HolderIndex holder = origins_.at(reference->owner).holder;
  SegmentView remote{local, reference->page.tokens, members_.at(reference->owner).addr, SlotRuns{}};
  for (const PathStep& step : match.path) {
    const std::uint32_t begin = std::max(step.begin, remote.begin);
    const std::uint32_t end = std::min(step.end, remote.end);
    if (begin >= end || !remote.slots) continue;
    if (!relation_->slots_at(step.node, holder, begin, end, *remote.slots)) remote.slots.reset();
  }
  segments.push_back(std::move(remote));
  return segments;
}

// What is here is valid as long as it is locked. What is there must also be known still: an owner
// that dropped it did so because it believed this node gone.
bool Replica::is_valid(TimePoint now, ReferenceId reference) const {
  if (reference == 0 || is_planted(PlantedFault::no_check)) return true;
  const auto referred = registrations_.find(reference);
  if (!referred || !registrations_.valid(now, reference)) return false;
  const auto origin = origins_.find(referred->owner);
  return origin != origins_.end() && relation_->has(origin->second.holder, referred->page);
}

// Renews registrations, and says what this node still refers to of what retires.
void Replica::tell_owners(TimePoint now) {
  if (now < registrations_.next_due()) return;
  for (auto& [owner, message] : registrations_.due(now)) {
    const Origin& origin = origins_.at(owner);
    message.epoch = origin.stream.epoch();
    message.applied = origin.stream.applied();
    for (const Anchor& page : registrations_.pages_of(owner)) {
      if (relation_->retiring_tokens(origin.holder) == 0) break;
      if (!relation_->has(origin.holder, page)) continue;
      if (!relation_->retiring_above(origin.holder, page)) continue;
      message.complete = message.blocks.size() < limits::gc_pages_max;
      if (!message.complete) break;
      message.blocks.push_back(page);
    }
    ask(owner, Channel::control, std::move(message));
  }
}

void Replica::on_registered(TimePoint now, NodeId from, Epoch epoch,
                            const RegisteredMessage& answer) {
  registrations_.on_registered(now, from, epoch, answer);
}

}  // namespace radixmesh
