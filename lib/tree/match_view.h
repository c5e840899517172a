// What a lookup shows, with addresses instead of internal numbers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/tree/slot_runs.h"

namespace radixmesh {

// Tokens [begin, end) of a query, with the holder of the lowest rank that has them.
struct SegmentView {
  std::uint32_t begin = 0, end = 0;
  std::string addr;
  std::optional<SlotRuns> slots;  // the holder's; nothing where they are not kept
  friend bool operator==(const SegmentView&, const SegmentView&) = default;
};
struct MatchView {
  std::uint32_t length = 0;        // the largest of the depths
  std::uint32_t local_length = 0;  // on this node
  SlotRuns local_slots;
  std::map<std::string, std::uint32_t>
      depths;  // every live node that has a part, this one included
  std::vector<SegmentView> segments;
  friend bool operator==(const MatchView&, const MatchView&) = default;
};

}  // namespace radixmesh
