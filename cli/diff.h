// The verb that has two sockets.
#pragma once

#include "cli/command_line.h"
#include "cli/exit_codes.h"

namespace radixmesh::cli {

ExitCode run_diff(const CommandLine& line);

}  // namespace radixmesh::cli
