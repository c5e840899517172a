// What a node does in the fleet.
#pragma once

#include <cstdint>
#include <string_view>

namespace radixmesh {

enum class Role : std::uint8_t {
  prefill = 0,  // computes the KV of prompts
  decode = 1,   // generates; holds the KV of what it generates from
  unified = 2,  // one engine does both
  router = 3,   // no engine: knows all, holds nothing
};

constexpr std::string_view role_name(Role role) {
  switch (role) {
    case Role::prefill:
      return "prefill";
    case Role::decode:
      return "decode";
    case Role::unified:
      return "unified";
    case Role::router:
      return "router";
  }
  return "?";
}

// Whether a node of this role can serve prefill work; likewise decode work.
constexpr bool serves_prefill(Role role) { return role == Role::prefill || role == Role::unified; }
constexpr bool serves_decode(Role role) { return role == Role::decode || role == Role::unified; }

}  // namespace radixmesh
