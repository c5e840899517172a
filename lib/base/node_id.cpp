#include "lib/base/node_id.h"

#include <xxhash.h>

#include <string>

namespace radixmesh {

NodeId node_id(std::string_view cluster, std::string_view addr) {
  std::string text(cluster);
  text.push_back('\0');
  text.append(addr);
  return NodeId{XXH3_64bits(text.data(), text.size())};
}

}  // namespace radixmesh
