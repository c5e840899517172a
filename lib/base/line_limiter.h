// How many lines of the log may come of what others do: so many a minute of one event about one
// node, so many of one event, and so many in all. What is left out is counted by event and node,
// and told once a minute.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/time.h"

namespace radixmesh {

class LineLimiter {
 public:
  // Whether a line of `event` about `node`, which may be empty, may be written.
  bool offer(TimePoint now, std::string_view event, std::string_view node);

  struct LeftOut {
    std::string event, node;  // both empty: of all others together
    std::uint64_t lines = 0;
  };
  // Once a minute what the one before left out, the most first and few of them; else nothing.
  std::vector<LeftOut> take_left_out(TimePoint now);

 private:
  using Kind = std::pair<std::string, std::string>;
  struct Count {
    std::uint64_t passed = 0, left_out = 0;
  };

  TimePoint minute_ = TimePoint::min();  // its beginning
  std::uint64_t passed_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> passed_by_event_;
  std::map<Kind, Count> kinds_;
};

}  // namespace radixmesh
