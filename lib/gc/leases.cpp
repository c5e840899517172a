#include "lib/gc/leases.h"

#include <algorithm>

namespace radixmesh {

void Leases::note(TimePoint now, NodeId member, Duration lease, Duration earlier) {
  OfMember& of = members_[member];
  of.lease = lease;
  note_former(now, of, earlier);
}

void Leases::begin_life(TimePoint now, NodeId member) {
  const auto found = members_.find(member);
  if (found == members_.end()) return;
  note_former(now, found->second, found->second.lease);
  found->second.lease = Duration{0};
}

void Leases::note_former(TimePoint now, OfMember& of, Duration lease) const {
  if (lease == Duration{0}) return;
  of.former = std::max(former_of(now, of), lease);
  of.former_lapse = std::max(of.former_lapse, now + settings_.lapsed_after(lease));
}

Duration Leases::former_of(TimePoint now, const Member& member, Epoch life) const {
  const auto found = members_.find(member.id);
  if (found == members_.end()) return Duration{0};
  const Duration former = former_of(now, found->second);
  return member.epoch < life ? std::max(former, found->second.lease) : former;
}

void Leases::note_own_former(Duration lease, bool took_back) {
  if (lease == Duration{0}) return;
  const TimePoint lapse = began_ + settings_.lapsed_after(lease);
  if (lapse <= former_lapse_) return;
  former_lease_ = lease;
  former_lapse_ = lapse;
  if (took_back) frees_from_ = std::max(frees_from_, lapse);
}

Duration Leases::free_wait(TimePoint now) const {
  TimePoint until = std::max(former_lapse_, now);
  if (settings_.mode != GcMode::off) {
    until = std::max(until, settings_.lapses_at_owner(std::max(began_, engine_since_)));
  }
  return until - now;
}

}  // namespace radixmesh
