// This node's own ops: numbered, kept for who misses them, then published, in that order. As the
// Journal of its cache it makes an op of every change.
//
//   LocalCache ──record_*──► op head + 1 ──► op log ──► Publish on the lane of ops
//
// What holds at every moment
//  O1  what was published of an epoch is exactly the ops 1..head of it, unless it goes on with a
//      former life's: then those that took_over() names are that life's
//  O2  an op is in the op log before it is owed
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lib/members/roster.h"
#include "lib/oplog/donor.h"
#include "lib/oplog/head_pace.h"
#include "lib/oplog/outbox.h"
#include "lib/tree/local_cache.h"

namespace radixmesh {

class OwnStream final : public Journal {
 public:
  // `seed` chooses how far an epoch is outgrown; `pause` lies between two such.
  OwnStream(const Roster& roster, Donor& donor, Outbox& out, HeadPace& pace,
            std::uint32_t page_size, std::uint64_t seed, Duration pause)
      : roster_(roster),
        donor_(donor),
        out_(out),
        pace_(pace),
        page_size_(page_size),
        seed_(seed),
        pause_(pause) {}

  Seq head() const { return head_; }
  // How many of this process.
  std::uint64_t published() const { return published_; }
  void publish(Body op, MessageType type, std::uint64_t tokens);

  Inserted record_insert(Anchor anchor, const CacheNamespace& name, std::span<const TokenId> tokens,
                         const SlotRuns& slots) override;
  void record_delete(std::span<const Anchor> first_pages) override;
  void record_reset() override;

  // ---- lives -----------------------------------------------------------------------------------

  // What this life goes on with; nothing as long as it is not decided.
  const std::optional<TakenOver>& taken_over() const { return taken_over_; }
  // With nothing, unless that is decided.
  void begin_empty();
  // With all of a former life's, which is here again.
  void take_over(const TakenOver& former);
  // Others know a later life of this node than the one it lives: its clock went back, or a process
  // with the same address ran. It goes on under a higher epoch, which is returned, with the same
  // entries and numbers: whoever has all of the old one goes on with that, the others take a
  // snapshot. `not_mine`: they know ops of this epoch that this life never published. Nothing where
  // that epoch cannot be outgrown, or another just was.
  std::optional<Epoch> outgrow(TimePoint now, Epoch seen, bool not_mine);

 private:
  const Roster& roster_;
  Donor& donor_;
  Outbox& out_;
  HeadPace& pace_;
  std::uint32_t page_size_;
  std::uint64_t seed_;
  Duration pause_;
  Seq head_;
  std::uint64_t published_ = 0;
  std::optional<TakenOver> taken_over_;
  TimePoint next_outgrowing_ = TimePoint::min();
};

}  // namespace radixmesh
