// The table of options as text: --help and --print-config, each at most 100 columns wide but for
// values that are longer.
#pragma once

#include <string>

#include "sidecar/config/environment.h"
#include "sidecar/config/option_table.h"

namespace radixmesh {

// What each option means, in groups.
std::string show_help(const OptionTable& table);

// What each option is now, in groups, as a TOML file that says the same when it is read; behind
// each value is where it comes from.
std::string show_config(const OptionTable& table, const Environment& environment);

// What was left aside of the environment, as key=value for the log; empty where nothing was.
std::string show_ignored(const Environment& environment);

}  // namespace radixmesh
