// Why the configuration cannot be used.
#pragma once

#include <stdexcept>

namespace radixmesh {

// The message is one line: where it was written (flag; variable; file:line: key), then the rule
// that it breaks, with what was written and, where there is one, the nearest right name.
struct OptionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace radixmesh
