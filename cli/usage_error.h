// The command line cannot be used as it is: one line that names the option and the rule.
#pragma once

#include <stdexcept>

namespace radixmesh::cli {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace radixmesh::cli
