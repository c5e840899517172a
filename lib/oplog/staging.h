// A snapshot on its way in: its entries are carried out, chunk by chunk, on a holder that no answer
// shows yet. See snapshot_donor.h for what the chunks mean.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "lib/base/time.h"
#include "lib/oplog/message.h"
#include "lib/oplog/outbox.h"
#include "lib/tree/picture.h"

namespace radixmesh {

// Whether so many tokens more may be kept of a holder; counted where not.
bool has_room(Relation& relation, HolderIndex holder, std::size_t tokens, Outbox& out);

class Staging {
 public:
  // Nothing came yet; it is waited for since `asked`.
  Staging(NodeId donor, std::uint64_t session, TimePoint asked)
      : donor_(donor), session_(session), heard_(asked) {}

  NodeId donor() const { return donor_; }
  std::uint64_t session() const { return session_; }
  bool is_of(NodeId from, const SnapshotChunk& chunk) const {
    return donor_ == from && session_ == chunk.session;
  }
  // When something of it came last.
  TimePoint heard() const { return heard_; }
  void heard(TimePoint now) { heard_ = now; }
  std::uint32_t chunks() const { return chunks_; }
  Epoch epoch() const { return epoch_; }

  // Whether this is the one that follows.
  bool is_next(const SnapshotChunk& chunk) const {
    return chunk.index == chunks_ && (chunks_ == 0 || chunk.epoch == epoch_);
  }
  // Carries it out. False if it does not fit; then this staging is of no use any more.
  bool take(Relation& relation, const SnapshotChunk& chunk, Outbox& out);

  const std::optional<HolderIndex>& holder() const { return holder_; }
  // From now on the holder is the caller's.
  HolderIndex detach() { return *std::exchange(holder_, std::nullopt); }
  void drop(Relation& relation) {
    if (holder_) relation.drop_holder(detach());
  }

 private:
  bool take_entry(Relation& relation, const SnapshotEntry& entry, Outbox& out);

  NodeId donor_;
  std::uint64_t session_;
  Epoch epoch_;
  std::uint32_t chunks_ = 0;
  std::optional<HolderIndex> holder_;
  TimePoint heard_;
  Seq as_of_, last_entry_;  // of what came; neither goes down
};

}  // namespace radixmesh
