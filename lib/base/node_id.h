// A node's identity: its `local_cache_addr` within a cluster name.
#pragma once

#include <string_view>

#include "lib/base/ids.h"

namespace radixmesh {

// XXH3_64 of cluster, a zero byte, and the address. So it stands on the wire.
NodeId node_id(std::string_view cluster, std::string_view addr);

}  // namespace radixmesh
