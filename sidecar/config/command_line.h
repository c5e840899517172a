// The command line: --name VALUE or --name=VALUE. A list may be given in several flags.
#pragma once

#include <vector>

#include "sidecar/config/option_table.h"

namespace radixmesh {

struct CommandLine {
  std::vector<Written> written;
  // Asked for anywhere: then nothing else is looked at.
  bool help = false, version = false;
};

// OptionError where something is no flag, is given twice, or lacks its value.
CommandLine read_command_line(int argc, const char* const* argv, const OptionTable& table);

}  // namespace radixmesh
