// The options of radixmesh-sidecar: the one place where each has its name, kind, default and text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/config/option_table.h"
#include "sidecar/options.h"

namespace radixmesh {

// What is written and becomes a part of the settings only together with something else.
struct Given {
  std::vector<std::string> prefill, decode, unified, router;
  std::optional<Role> role;
  std::int64_t rank = -1;  // -1: any
  std::string config_path;
};

// Sets what has another default here than in the core, and adds a row for each option.
void list_options(OptionTable& table, Options& options, Given& given);

}  // namespace radixmesh
