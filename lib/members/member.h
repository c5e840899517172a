// A member of the mesh as this node sees it: what all parts must know of it. What one part alone
// knows is in a table of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/founder.h"
#include "lib/base/ids.h"
#include "lib/base/limits.h"
#include "lib/base/member_state.h"
#include "lib/base/role.h"
#include "lib/base/time.h"

namespace radixmesh {

// Whether a life of that epoch can be outgrown no more by another life that hears of it.
constexpr bool epoch_is_last(Epoch epoch) {
  return epoch.value + 2 * limits::epoch_step_max > limits::epoch_told_max;
}

struct Member {
  NodeId id;
  std::string addr;  // its local_cache_addr
  NodeRank rank;
  Role role = Role::prefill;
  bool configured = true;   // stands in the lists; others joined, and are forgotten when long gone
  bool rank_given = false;  // by its operator: it takes no other
  std::optional<Founder> founder;  // of the mesh that it is in; nothing before it was introduced

  Epoch epoch;  // 0: never heard of
  std::uint32_t refute = 0;
  MemberState state = MemberState::dead;
  TimePoint state_since{};
  bool introduced = false;  // its WELCOME of this epoch arrived, and its settings agree
  std::string publish_addr, bulk_addr;
  std::string engine_token;  // empty: the engine has said nothing of itself

  // Who was never heard of is not one that died.
  std::string_view shown_state() const {
    const bool unseen = state == MemberState::dead && epoch.value == 0;
    return unseen ? "unseen" : state_name(state);
  }
};

}  // namespace radixmesh
