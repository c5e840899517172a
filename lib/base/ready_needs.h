// How many of the members that it should see a node must have met before it may get requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace radixmesh {

enum class ReadyNeeds : std::uint8_t {
  all,
  majority,  // of the others: more than half
  self,      // nobody: it is ready once it has caught up with whoever is there, and stays so
};

constexpr std::string_view ready_needs_name(ReadyNeeds needs) {
  switch (needs) {
    case ReadyNeeds::all:
      return "all";
    case ReadyNeeds::majority:
      return "majority";
    case ReadyNeeds::self:
      return "self";
  }
  return "";
}

constexpr std::size_t needed_of(ReadyNeeds needs, std::size_t others) {
  switch (needs) {
    case ReadyNeeds::all:
      return others;
    case ReadyNeeds::majority:
      return others == 0 ? 0 : others / 2 + 1;
    case ReadyNeeds::self:
      return 0;
  }
  return 0;
}

// How many of the members that a node should see it hears, how many it has met, and how many of
// these it needs.
struct Sight {
  std::uint32_t sees = 0, of = 0, met = 0, needs = 0;
};

}  // namespace radixmesh
