// How a node collects duplicates; each option is explained where the sidecar reads it.
#pragma once

#include <cstdint>

#include "lib/base/gc_mode.h"
#include "lib/base/time.h"

namespace radixmesh {

struct GcSettings {
  GcMode mode = GcMode::off;
  Duration period = std::chrono::seconds(10);  // between rounds
  std::uint32_t keep_copies = 1;               // better ones that must be there for one to go
  std::uint32_t hot_copies = 0;                // ... for a hot one; 0: as many
  std::uint32_t hot_uses = 2;                  // in a period, from which on a page is hot
  bool expires_silent = false;                 // a silent reader is waited for only for its lease
  Duration lease = std::chrono::seconds(10);   // of a reader's registration
  // Taken off a lease at the reader and added at the owner, beside 1 % for clocks that drift: what
  // the owner lets lapse has lapsed before at the reader.
  Duration lease_margin = std::chrono::milliseconds(500);
  // Then what is not agreed to is taken back; where there is something else to collect, a period
  // after it retired.
  Duration round_max = std::chrono::seconds(60);
  Duration answer_wait = std::chrono::seconds(2);  // for a HOLD, and to use what was confirmed
  // Whoever wants to refer to a page waits so long for one holder, then asks the next best.
  Duration holder_patience = std::chrono::milliseconds(500);
  std::uint32_t reserve_percent = 3;  // of the bound: retired ahead, so that room need not wait

  // Between two rounds of which the second was not due yet: a reference was let go.
  Duration early_period() const { return period / 10; }
  TimePoint lapses_at_reader(TimePoint sent, Duration granted) const {
    return sent + granted - lease_margin;
  }
  TimePoint lapses_at_owner(TimePoint heard) const { return heard + lease_at_owner(); }
  Duration lease_at_owner() const { return lapsed_after(lease); }
  Duration lapsed_after(Duration granted) const { return granted + granted / 100 + lease_margin; }
};

}  // namespace radixmesh
