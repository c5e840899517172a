// The state that an engine knows of: nothing older is its.
#pragma once

#include <compare>

#include "lib/base/ids.h"

namespace radixmesh {

struct KnownState {
  Epoch epoch;
  Seq seq;
  friend auto operator<=>(const KnownState&, const KnownState&) = default;
};

}  // namespace radixmesh
