#include "lib/members/roster.h"

#include <xxhash.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "lib/base/check.h"
#include "lib/base/limits.h"

namespace radixmesh {

const Member* Roster::find(NodeId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

Member* Roster::find(NodeId id) {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

NodeRank Roster::next_rank() const {
  std::set<std::uint32_t> taken;
  for (const auto& [id, member] : members_) {
    if (member.rank != kAnyRank) taken.insert(member.rank.value);
  }
  std::uint32_t rank = taken.empty() ? 0 : *taken.rbegin() + 1;
  if (rank > limits::rank_max) {
    for (rank = 0; taken.contains(rank);) ++rank;
  }
  return NodeRank{rank};
}

bool Roster::refresh_view() {
  if (viewed_version_ == version_) return false;
  viewed_version_ = version_;
  view_.places.clear();
  view_.members = 0;
  std::string ranks, lives;
  const auto append = [](std::string& to, const auto& value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    if (member.state != MemberState::left) ++view_.members;
    if (member.state > MemberState::suspect || member.rank == kAnyRank) continue;
    view_.places.push_back({id, member.rank, member.state == MemberState::suspect});
    append(ranks, member.rank);
    append(lives, id);
    append(lives, member.epoch);
    append(lives, member.refute);
  }
  const std::string bytes = ranks + lives;
  view_hash_ = XXH3_64bits(bytes.data(), bytes.size());
  return true;
}

Member& Roster::add(TimePoint now, const std::string& addr, NodeRank rank, Role role,
                    bool configured) {
  const NodeId id = id_of(addr);
  const auto [at, is_new] = members_.try_emplace(id);
  CHECK_THAT(is_new, id.value);
  Member& member = at->second;
  member.id = id;
  member.addr = addr;
  member.rank = rank;
  member.role = role;
  member.configured = configured;
  if (configured) member.founder = Founder{};
  member.state_since = now;
  const auto place = [this](NodeId each) { return std::tuple(members_.at(each).rank, each); };
  by_rank_.insert(std::ranges::upper_bound(by_rank_, place(id), {}, place), id);
  changed();
  return member;
}

void Roster::begin_own_life(NodeId id, Epoch epoch) {
  self_ = &members_.at(id);
  self_->epoch = epoch;
  self_->state = MemberState::alive;
  self_->introduced = true;
  changed();
}

void Roster::remove(NodeId id) {
  CHECK_THAT(id != self_->id, id.value);
  std::erase(by_rank_, id);
  members_.erase(id);
  changed();
}

void Roster::set_rank(Member& member, NodeRank rank) {
  member.rank = rank;
  std::ranges::sort(by_rank_, {},
                    [this](NodeId id) { return std::tuple(members_.at(id).rank, id); });
  changed();
}

}  // namespace radixmesh
