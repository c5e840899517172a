// Who began a mesh that stands in no lists.
#pragma once

#include <compare>
#include <string>

#include "lib/base/ids.h"

namespace radixmesh {

// Where two meshes meet, the one with the lower founder stays, and the members of the other join
// it. One that stands in lists has an empty address, which is the lowest.
struct Founder {
  std::string addr;
  Epoch life;  // of that node, when it began the mesh
  friend auto operator<=>(const Founder&, const Founder&) = default;
};

}  // namespace radixmesh
