// What each verb of the command line does. All of them only ask.
#pragma once

#include "cli/command_line.h"
#include "cli/exit_codes.h"

namespace radixmesh::cli {

// Prints the answer. Throws what the client throws, and BrokenPipe; what was printed before stands.
ExitCode run_verb(const CommandLine& line);

}  // namespace radixmesh::cli
