// What a replica shows of itself as a whole: the answers to status and nodes. What its parts show
// lies with them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/founder.h"
#include "lib/base/ids.h"
#include "lib/base/member_state.h"
#include "lib/base/role.h"
#include "lib/gc/gc_view.h"
#include "lib/oplog/lag_view.h"
#include "lib/oplog/message.h"
#include "lib/routing/route_view.h"
#include "lib/tree/digest.h"

namespace radixmesh {

// One value per member, in the order of addresses, this node included.
struct VectorView {
  Epoch epoch;
  Seq seq;
  Digest digest = 0;
};
// What the last token around the ring told.
struct RingView {
  bool verified = false;               // it went around twice with exactly the members that live
  std::vector<std::string> open_at;    // those that did not take it
  std::optional<Duration> round_trip;  // both rounds; known to the node that sent it
};
struct StatusView {
  std::string addr, cluster;
  std::optional<Founder> founder;  // of the mesh that it is in; nothing while it is in none
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  bool ready = false;                   // it may get requests
  bool caught_up = false;               // with all that existed when it came
  std::uint32_t sees = 0, sees_of = 0;  // members that it hears, of those that it should
  std::string why_not_ready;            // empty if it is
  std::uint32_t page_size = 1;
  std::string_view topology, policy;
  std::uint64_t local_tokens = 0, evictable_tokens = 0, protected_tokens = 0;
  std::uint64_t tree_tokens = 0;  // distinct, whoever holds them
  std::map<std::string, VectorView> vector;
  std::map<std::string, LagView> lag;  // of the others
  RingView ring;
  std::uint32_t health = 0;  // 0 is well; every wait for others is times 1 + health
  bool isolated = false, draining = false;
  RoutingView routing;
  GcCountsView gc;
  std::uint64_t ops_applied = 0;   // own ones included
  std::uint64_t memory_bytes = 0;  // tree and op log
  std::map<std::string, std::uint64_t, std::less<>> counters;
};

struct NodeView {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  MemberState state = MemberState::dead;
  bool unseen = false;             // dead, and never heard of
  Seq applied, head;               // what this node has of it, and what exists
  std::optional<Duration> silent;  // since when nothing was heard; nothing if it never was
  std::optional<Load> load;
  std::string refusal;
  std::uint32_t refute = 0;  // suspicions that it has refuted in this life
  LagView lag;
  WorkView work;
  std::uint64_t tokens = 0;  // that it holds, as far as this node knows
  bool ready = false;        // it may get requests
  HeadMessage::Stand standing;
  std::string trouble;  // what stands between it and this node; of this node, why it is not ready
};

}  // namespace radixmesh
