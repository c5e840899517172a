// References to what other nodes hold: this node as a reader. See registrations.h for how they are
// granted.
#pragma once

#include <optional>
#include <string_view>

#include "lib/gc/registrations.h"
#include "lib/oplog/streams.h"
#include "lib/tree/match_view.h"

namespace radixmesh {

class References {
 public:
  References(const GcSettings& settings, const Roster& roster, Picture& picture,
             const Streams& streams, Post& post)
      : roster_(roster),
        picture_(picture),
        streams_(streams),
        post_(post),
        registrations_(settings) {}

  // For whom one that asked has to wait.
  struct Wait {
    NodeId owner;
    Anchor page;
  };
  struct Referred {
    ReferenceId reference = 0;  // 0: nobody has more, or grants it
    std::optional<Wait> wait;
  };
  // Refers to what the best other holder has beyond `local` tokens: `source`, then the deepest, of
  // the lowest rank. Who grants nothing is passed over.
  Referred refer(TimePoint now, const Match& match, std::uint32_t local, std::string_view source);
  bool waits(TimePoint now, const Wait& wait) const;
  // May be none.
  void release(TimePoint now, ReferenceId reference);
  // What is here is valid as long as it is locked. What is there must also be known still: an owner
  // that dropped it did so because it believed this node gone.
  bool is_valid(TimePoint now, ReferenceId reference) const;
  // What the reference covers beyond `local` tokens of the match.
  std::optional<SegmentView> segment_of(const Match& match, std::uint32_t local,
                                        ReferenceId reference) const;

  // Renews registrations, and says what this node still refers to of what retires.
  void tell_owners(TimePoint now);
  TimePoint due() const { return registrations_.next_due(); }

  Registrations& registrations() { return registrations_; }
  const Registrations& registrations() const { return registrations_; }

 private:
  const Roster& roster_;
  Picture& picture_;
  const Streams& streams_;
  Post& post_;
  Registrations registrations_;
};

}  // namespace radixmesh
