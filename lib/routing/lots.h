// Routers that decide at one moment know the same, and would all send to the same node, which none
// of them sees before it has. So where others route too, one of those that are about as good as the
// best is drawn by lot. About as good is what differs by a part of what the request itself adds
// there, as large as the others' share of the routers: whoever routes alone knows better.
#pragma once

#include <cstdint>

namespace radixmesh {

struct Lots {
  double share = 0;          // of the routers that are others; 0: this one routes alone
  std::uint64_t number = 0;  // another one at each router, and for each request

  // Costs that differ by no more, where the request adds so much, may be the other way round when
  // it gets there. Both in seconds.
  double near(double own) const { return 0.25 * share * own; }
};

}  // namespace radixmesh
