// A member of the mesh as this node sees it.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/founder.h"
#include "lib/base/ids.h"
#include "lib/base/limits.h"
#include "lib/base/link.h"
#include "lib/base/member_state.h"
#include "lib/base/role.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"

namespace radixmesh {

// Whether a life of that epoch can be outgrown no more by another life that hears of it.
constexpr bool epoch_is_last(Epoch epoch) {
  return epoch.value + 2 * limits::epoch_step_max > limits::epoch_told_max;
}

// A member's own numbers, each of which only it raises.
struct OwnNumbers {
  std::uint32_t refute = 0;
  std::uint64_t beat = 0, bookings = 0;
  Seq head;
  std::uint64_t nonce = 0, stamp = 0, round = 0;
  std::pair<Epoch, Seq> needed{};  // what has to be applied of it before this node is ready
};

struct Member {
  NodeId id;
  std::string addr;  // its local_cache_addr
  NodeRank rank;
  Role role = Role::prefill;
  bool configured = true;  // stands in the lists; others joined, and are forgotten when long gone
  Epoch epoch;             // 0: never heard of
  std::uint32_t refute = 0;
  MemberState state = MemberState::dead;
  TimePoint state_since{};

  // ---- greeting --------------------------------------------------------------------------------
  bool introduced = false;        // its WELCOME of this epoch arrived, and its settings agree
  bool asks_back = false;         // someone said HELLO in its name, with news: ask it itself
  Epoch hello_epoch;              // of that HELLO
  bool epoch_is_hearsay = false;  // others told its epoch: its own word counts, whatever it is
  bool impostor = false;          // the address answered with an earlier life than that
  std::string publish_addr, bulk_addr;
  std::string engine_token;
  TimePoint same_rank_since = kNever;  // as this node's own, both in one mesh
  std::optional<Founder> founder;  // of the mesh that it is in; nothing before it was introduced
  bool rank_given = false;         // by its operator: it takes no other
  std::uint64_t pull_rate = 0;     // tokens/s of KV to it from other nodes, and from it
  bool removed = false;            // an operator said that it does not come back
  Duration lived{};                // for how long it was seen alive
  std::string refusal;             // why one of us refused the other; empty if nobody did
  TimePoint next_hello = TimePoint::min(), last_hello = TimePoint::min();
  TimePoint next_audit = kNever;  // once it is introduced: it is asked all the same
  // What was believed of it when it was asked: what it answers is never below that, but where that
  // was wrong. Nothing while it is not asked.
  std::optional<OwnNumbers> believed;
  std::uint64_t questions = 0;       // HELLOs to it
  std::uint64_t fresh_question = 0;  // the first since its epoch was heard of through others
  std::uint32_t hellos = 0;          // since it was last heard: the pauses grow
  std::array<LinkTrouble, std::size(kLinkKinds)> links{};  // by kind, as the shell tells
  Former former;     // what it keeps of an earlier life of this node
  Duration lease{};  // of references to what it has
  // The longest that earlier lives of it granted, as long as such references may stand.
  Duration former_lease{};
  TimePoint former_lapse = TimePoint::min();

  // ---- whether it is missed --------------------------------------------------------------------
  bool met = false;  // it was introduced, and caught up with
  bool trouble_told = false, restart_told = false;
  TimePoint trouble_since = kNever, trouble_tell_next = kNever;

  // ---- life ------------------------------------------------------------------------------------
  TimePoint last_heard = TimePoint::min();      // anything of it, on whatever way
  TimePoint last_published = TimePoint::min();  // on PUB/SUB
  TimePoint next_probe = TimePoint::min();
  bool asked_others = false;  // since it was last heard
  bool others_answered = false;
  std::set<NodeId> accusers;    // who else says that it is silent
  std::set<NodeId> probed_for;  // who asked us whether it lives

  // ---- what it said ----------------------------------------------------------------------------
  std::uint64_t last_beat = 0;  // of its HEADs
  std::optional<Load> load;
  bool ready = false;             // it may be chosen for work
  bool keeps_duplicates = false;  // its engine frees no single slots
  HeadMessage::Stand standing;    // how it stands, by its own word
  // What it said it has of each origin; used to choose whom to ask for repair.
  std::map<NodeId, VectorEntry> vector;

  // Who was never heard of is not one that died.
  std::string_view shown_state() const {
    const bool unseen = state == MemberState::dead && epoch.value == 0;
    return unseen ? "unseen" : state_name(state);
  }
};

}  // namespace radixmesh
