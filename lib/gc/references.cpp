#include "lib/gc/references.h"

#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"
#include "lib/base/planted.h"

namespace radixmesh {

References::Referred References::refer(TimePoint now, const Match& match, std::uint32_t local,
                                       std::string_view source) {
  struct Candidate {
    std::uint32_t tokens;
    const Member* member;
    HolderIndex holder;
  };
  std::vector<Candidate> candidates;
  for (const HolderDepth& each : match.depths) {
    const Member* member = picture_.member_of(each.holder);
    if (member == nullptr || roster_.is_self(*member) || !member->introduced) continue;
    if (each.tokens > local) candidates.push_back({each.tokens, member, each.holder});
  }
  std::ranges::sort(candidates, {}, [&](const Candidate& each) {
    return std::tuple(each.member->addr != source, ~each.tokens, each.member->rank);
  });
  for (const Candidate& each : candidates) {
    const NodeId owner = each.member->id;
    const OriginStream& stream = streams_.at(owner).stream;
    const Anchor page = picture_.relation().anchor_on(match, each.holder, each.tokens);
    const auto asked = registrations_.refer(now, owner, stream.epoch(), stream.applied(), page);
    if (asked.grant == Registrations::Grant::wait) return {0, Wait{owner, page}};
    if (asked.grant == Registrations::Grant::granted) return {asked.reference, std::nullopt};
  }
  return {};
}

bool References::waits(TimePoint now, const Wait& wait) const {
  const Origin* origin = streams_.find(wait.owner);
  return origin != nullptr &&
         registrations_.waits(now, wait.owner, origin->stream.applied(), wait.page);
}

void References::release(TimePoint now, ReferenceId reference) {
  if (reference == 0) return;
  if (const auto referred = registrations_.find(reference)) {
    const Origin* origin = streams_.find(referred->owner);
    if (origin != nullptr && picture_.relation().retiring_tokens(origin->holder) > 0) {
      registrations_.tell_soon(referred->owner);
    }
  }
  registrations_.release(now, reference);
}

bool References::is_valid(TimePoint now, ReferenceId reference) const {
  if (reference == 0 || is_planted(PlantedFault::no_check)) return true;
  const auto referred = registrations_.find(reference);
  if (!referred || !registrations_.valid(now, reference)) return false;
  const Origin* origin = streams_.find(referred->owner);
  return origin != nullptr && picture_.relation().has(origin->holder, referred->page);
}

std::optional<SegmentView> References::segment_of(const Match& match, std::uint32_t local,
                                                  ReferenceId reference) const {
  const auto referred = registrations_.find(reference);
  if (!referred) return std::nullopt;
  const HolderIndex holder = streams_.at(referred->owner).holder;
  SegmentView remote{local, referred->page.tokens, roster_.at(referred->owner).addr, SlotRuns{}};
  for (const PathStep& step : match.path) {
    const std::uint32_t begin = std::max(step.begin, remote.begin);
    const std::uint32_t end = std::min(step.end, remote.end);
    if (begin >= end || !remote.slots) continue;
    const bool kept = picture_.relation().slots_at(step.node, holder, begin, end, *remote.slots);
    if (!kept) remote.slots.reset();
  }
  return remote;
}

void References::tell_owners(TimePoint now) {
  if (now < registrations_.next_due()) return;
  const Relation& relation = picture_.relation();
  for (auto& [owner, message] : registrations_.due(now)) {
    const Origin& origin = streams_.at(owner);
    message.epoch = origin.stream.epoch();
    message.applied = origin.stream.applied();
    for (const Anchor& page : registrations_.pages_of(owner)) {
      if (relation.retiring_tokens(origin.holder) == 0) break;
      if (!relation.has(origin.holder, page)) continue;
      if (!relation.retiring_above(origin.holder, page)) continue;
      message.complete = message.blocks.size() < limits::gc_pages_max;
      if (!message.complete) break;
      message.blocks.push_back(page);
    }
    post_.ask(owner, Channel::control, std::move(message));
  }
}

}  // namespace radixmesh
