// What a node believes of a member's life. Spelt the same on the wire, in answers and in the CLI.
#pragma once

#include <cstdint>
#include <string_view>

namespace radixmesh {

enum class MemberState : std::uint8_t {
  alive = 0,    // heard of lately
  suspect = 1,  // silent: left out of answers, its entries stay
  dead = 2,     // silent for long, or never heard of: the topology closes over it
  left = 3,     // said that it goes
};

constexpr std::string_view state_name(MemberState state) {
  switch (state) {
    case MemberState::alive:
      return "alive";
    case MemberState::suspect:
      return "suspect";
    case MemberState::dead:
      return "dead";
    case MemberState::left:
      return "left";
  }
  return "?";
}

}  // namespace radixmesh
