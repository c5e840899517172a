// Leases of references that outlive what granted them: those that former lives of this node and of
// each member granted. Members tell a restarted node what it granted before; until that has lapsed
// it frees nothing.
#pragma once

#include <map>

#include "lib/base/ids.h"
#include "lib/base/time.h"
#include "lib/gc/settings.h"
#include "lib/members/roster.h"

namespace radixmesh {

class Leases {
 public:
  // `grants`: this node has an engine, whose pages others may refer to.
  Leases(const GcSettings& settings, bool grants, TimePoint started)
      : settings_(settings), grants_(grants && settings.mode != GcMode::off), began_(started) {}

  // ---- of members ------------------------------------------------------------------------------

  // What its present life grants; what earlier ones of it did, as it says itself.
  void note(TimePoint now, NodeId member, Duration lease, Duration earlier);
  void begin_life(TimePoint now, NodeId member);
  void forget(NodeId member) { members_.erase(member); }
  // Of references that lives before `life` granted; 0 where all have lapsed.
  Duration former_of(TimePoint now, const Member& member, Epoch life) const;

  // ---- of this node ----------------------------------------------------------------------------

  // Of this life, and of earlier ones as long as that may stand; 0: none.
  Duration own() const { return grants_ ? settings_.lease : Duration{0}; }
  Duration own_former(TimePoint now) const {
    return now < former_lapse_ ? former_lease_ : Duration{0};
  }
  // A member says what former lives of this node granted: they did before this process began.
  void note_own_former(Duration lease, bool took_back);
  // This node came into a mesh: until then nobody could have told.
  void begin(TimePoint now) { began_ = now; }
  // What it holds is of a former life: whoever is registered is so with that, and as long as that
  // lease may stand nothing goes.
  void take_back(TimePoint now) { frees_from_ = now + free_wait(now); }
  // An engine came in the place of another.
  void replace_engine(TimePoint now) { engine_since_ = now; }

  bool may_free(TimePoint now) const { return now >= frees_from_; }
  TimePoint frees_from() const { return frees_from_; }
  // For how long slots that the engine held before this life may be read by others still.
  Duration free_wait(TimePoint now) const;

 private:
  struct OfMember {
    Duration lease{};
    // The longest that earlier lives granted, as long as such references may stand.
    Duration former{};
    TimePoint former_lapse = TimePoint::min();
  };
  static Duration former_of(TimePoint now, const OfMember& of) {
    return now < of.former_lapse ? of.former : Duration{0};
  }
  void note_former(TimePoint now, OfMember& of, Duration lease) const;

  const GcSettings& settings_;
  bool grants_;
  TimePoint began_;
  std::map<NodeId, OfMember> members_;
  Duration former_lease_{};
  TimePoint former_lapse_ = TimePoint::min();
  TimePoint frees_from_ = TimePoint::min();
  TimePoint engine_since_ = TimePoint::min();
};

}  // namespace radixmesh
