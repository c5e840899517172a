// A member of the mesh as this node sees it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ids.h"
#include "lib/base/role.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"

namespace radixmesh {

enum class MemberState : std::uint8_t {
  alive,    // heard of lately
  suspect,  // silent: left out of answers, its entries stay
  dead,     // silent for long, or never heard of: the topology closes over it
  left,     // said that it goes
};

constexpr std::string_view state_name(MemberState state) {
  switch (state) {
    case MemberState::alive:
      return "alive";
    case MemberState::suspect:
      return "suspect";
    case MemberState::dead:
      return "dead";
    case MemberState::left:
      return "left";
  }
  return "?";
}

struct Member {
  NodeId id;
  std::string addr;  // its local_cache_addr
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;  // 0: never heard of
  MemberState state = MemberState::dead;
  bool introduced = false;  // its WELCOME of this epoch arrived, and its settings agree
  bool asks_back = false;   // someone said HELLO in its name, with news: ask it itself
  std::string publish_addr, bulk_addr;
  std::string engine_token;
  std::string refusal;  // why one of us refused the other; empty if nobody did
  TimePoint last_heard = TimePoint::min();
  TimePoint next_hello = TimePoint::min();
  std::uint64_t last_beat = 0;  // of its HEADs
  std::optional<Load> load;
  // What it said it has of each origin; used to choose whom to ask for repair.
  std::map<NodeId, VectorEntry> vector;
};

}  // namespace radixmesh
