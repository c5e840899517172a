// The three connections that a node makes to another one, and what may be wrong with one.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "lib/base/ids.h"

namespace radixmesh {

enum class LinkKind : std::uint8_t {
  control,  // to its local_cache_addr
  publish,  // to where it publishes
  bulk,     // to where it serves repair
};
inline constexpr LinkKind kLinkKinds[] = {LinkKind::control, LinkKind::publish, LinkKind::bulk};

struct LinkKey {
  NodeId peer;
  LinkKind kind = LinkKind::control;
  friend auto operator<=>(const LinkKey&, const LinkKey&) = default;
};

enum class LinkTrouble : std::uint8_t {
  none,            // it is up, or there is to be none
  name_unknown,    // its name does not resolve
  not_connected,   // nobody lets us in at any address
  no_descriptors,  // there was none to connect with
};

constexpr std::string_view link_name(LinkKind kind) {
  switch (kind) {
    case LinkKind::control:
      return "control";
    case LinkKind::publish:
      return "publish";
    case LinkKind::bulk:
      return "bulk";
  }
  return "";
}

}  // namespace radixmesh
