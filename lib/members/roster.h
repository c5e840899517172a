// Who is a member: a row for each, this node's own among them; the order of their ranks; and the
// view, those that are alive or suspect. All other parts look members up here, and keep what else
// they know of them in tables of their own.
//
// The parts of mesh/ alone change it, and the replica what a member says of itself. Who changes
// what the view shows (life, state, refute) says so by changed(), after which that is out of date
// until refresh_view(); ranks are changed by set_rank() only.
//
// What holds between any two calls
//  R1  by_rank() has each member once, ordered by (rank, id)
//  R2  self() is a member from begin_own_life() on, and is never removed
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/node_id.h"
#include "lib/members/member.h"
#include "lib/members/topology.h"

namespace radixmesh {

class Roster {
 public:
  Roster(std::string cluster, Topology topology)
      : cluster_(std::move(cluster)), topology_(topology) {}
  Roster(const Roster&) = delete;

  // ---- look-ups --------------------------------------------------------------------------------

  NodeId id_of(std::string_view addr) const { return node_id(cluster_, addr); }
  const Member& self() const { return *self_; }
  Member& self() { return *self_; }
  const Member* find(NodeId id) const;
  Member* find(NodeId id);
  // Needs one.
  const Member& at(NodeId id) const { return members_.at(id); }
  Member& at(NodeId id) { return members_.at(id); }
  bool contains(NodeId id) const { return members_.contains(id); }
  const std::map<NodeId, Member>& all() const { return members_; }
  std::map<NodeId, Member>& all() { return members_; }
  std::size_t size() const { return members_.size(); }
  const std::vector<NodeId>& by_rank() const { return by_rank_; }
  // The highest known and one; the lowest that is free where that is past the bound.
  NodeRank next_rank() const;
  // Whether this node is in a mesh: it stands in lists, was let in, or began one.
  bool joined() const { return self_->founder.has_value(); }
  // It has said that it leaves: it takes no new work.
  bool draining() const { return self_->state == MemberState::left; }
  bool is_self(const Member& member) const { return &member == self_; }

  // ---- the view --------------------------------------------------------------------------------

  // As of the last refresh_view().
  const View& view() const { return view_; }
  std::uint64_t view_hash() const { return view_hash_; }
  // What `automatic` means with as many members as there are.
  Topology topology() const { return effective(topology_, view_.members); }
  // False where it was up to date.
  bool refresh_view();
  // Of a frame that this node sends: hops that it may take.
  std::uint8_t ttl() const { return initial_ttl(topology_, members_.size()); }
  // Grows with each change, for who must do something about it.
  std::uint64_t version() const { return version_; }

  // ---- changes ---------------------------------------------------------------------------------

  // One that is dead, as of `now`, until it is heard of. Needs an address that is none's yet.
  Member& add(TimePoint now, const std::string& addr, NodeRank rank, Role role, bool configured);
  // Which of them is this node, in a life of this epoch.
  void begin_own_life(NodeId id, Epoch epoch);
  void remove(NodeId id);
  void set_rank(Member& member, NodeRank rank);
  void changed() { ++version_; }

 private:
  std::string cluster_;
  Topology topology_;
  std::map<NodeId, Member> members_;
  std::vector<NodeId> by_rank_;
  Member* self_ = nullptr;
  View view_;
  std::uint64_t view_hash_ = 0;
  std::uint64_t version_ = 1, viewed_version_ = 0;
};

}  // namespace radixmesh
