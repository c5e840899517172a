// The TOML file: keys are the options' names without the dashes before them, on the top level.
//
//   prefill-cache-nodes = ["p0:5001", "p1:5001"]    # or "p0:5001,p1:5001"
//   page-size = 16
#pragma once

#include <string>
#include <vector>

#include "sidecar/config/option_table.h"

namespace radixmesh {

// In the order of the file. `path` is the value of --config in the table. OptionError names the
// file, the line and the rule where it cannot be read, is not TOML, has a section or a key that is
// no option's, or a value of another type.
std::vector<Written> read_toml_file(const std::string& path, const OptionTable& table);

}  // namespace radixmesh
