// The RADIXMESH_... variables: options, what other programs of the project read, and what
// Kubernetes sets. Any other is taken for a mistyped option.
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/kubernetes_variables.h"
#include "sidecar/config/option_table.h"

namespace radixmesh {

struct Environment {
  std::vector<Written> written;
  // Set by Kubernetes: how many, and the beginnings of their names, each once.
  std::size_t ignored = 0;
  std::vector<std::string> ignored_services;
};

// Of all variables those whose name begins with RADIXMESH_, in any case of letters.
Variables own_variables(const char* const* environment);

// OptionError where one is not known. An empty variable of an option counts as not set.
Environment read_environment(const Variables& variables, const OptionTable& table);

}  // namespace radixmesh
