// Serves snapshots: one origin's entries as of a stated seq, in bounded chunks under credit.
//
// A session lists the entries in the order of their seq and needs no copy of them: it only
// remembers up to which seq it has sent. Meanwhile the origin's ops go on.
//   - What they insert has a higher seq than all before, so the session comes to it in its turn.
//   - What they remove of entries already sent is remembered, and goes into the next chunk *before*
//     its entries; what they remove of entries not yet sent is simply not there any more.
//   - Likewise what begins to retire, or no longer does: a mark, after the removals.
// So carrying out the chunks in order leads to exactly the sender's state as of the last chunk.
// What would break this (a RESET, another epoch, new slots for pages already sent, too many
// removals) ends the session with `cannot`, and the receiver asks anew.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/limits.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"
#include "lib/tree/relation.h"

namespace radixmesh {

// What a replica has of an origin, as a donor.
struct DonorState {
  Epoch epoch;
  Seq applied;
  HolderIndex holder;
  std::string_view engine_token;  // of a former life: none other gets it
};

class SnapshotDonor {
 public:
  // Opens a session for `peer`, in place of an earlier one about the same origin. False if too many
  // are open.
  bool open(TimePoint now, NodeId peer, const SnapshotRequest& request, Epoch epoch);
  void credit(TimePoint now, NodeId peer, const SnapshotCredit& credit);

  // Told of every change to an origin's entries, after it was made.
  void removed(NodeId origin, std::span<const Anchor> first_pages);
  void marked(NodeId origin, std::span<const Anchor> first_pages, bool retiring);
  void replaced(NodeId origin);

  // The next chunk that some session may send, in turn. Nothing if none may.
  struct Outgoing {
    NodeId peer;
    SnapshotChunk chunk;
  };
  template <class StateOf>  // (peer, origin) -> std::optional<DonorState>
  std::optional<Outgoing> next(Relation& relation, bool has_slots, StateOf&& state_of) {
    for (auto& [key, session] : sessions_) {
      if (session.sent >= session.received + limits::snapshot_credit_chunks) continue;
      const std::optional<DonorState> state = state_of(key.first, key.second);
      Outgoing out{key.first, produce(key, session, relation, has_slots, state)};
      if (out.chunk.status != SnapshotStatus::more) sessions_.erase(key);
      return out;
    }
    return std::nullopt;
  }
  bool has_work() const;

  // Forgets sessions that were silent for `idle`; a peer that died is not served for ever.
  void expire(TimePoint now, Duration idle);
  std::size_t sessions() const { return sessions_.size(); }

 private:
  using Key = std::pair<NodeId, NodeId>;  // peer, origin
  struct Session {
    std::uint64_t number = 0;
    Epoch epoch;
    bool wants_slots = false;
    Seq next_seq{1};
    std::uint32_t sent = 0, received = 0;
    std::vector<Anchor> removals;
    std::vector<SnapshotMark> marks;
    bool broken = false;
    TimePoint heard;
  };

  static SnapshotChunk produce(const Key& key, Session& session, Relation& relation, bool has_slots,
                               const std::optional<DonorState>& state);

  std::map<Key, Session> sessions_;
};

}  // namespace radixmesh
