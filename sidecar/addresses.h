// Where a node listens, and where it says that it does: the two differ behind a mapped port or a
// proxy.
#pragma once

#include <string>

namespace radixmesh {

// One of the three addresses, as the options give it.
struct Listening {
  std::string option;     // by which it is told, for errors
  std::string announced;  // "host:port"; port 0: the one that is bound
  std::string bound;      // "host" or "host:port"; empty: as announced. The host may be a wildcard
};

struct NodeAddresses {
  Listening control, publish, bulk;
};

}  // namespace radixmesh
