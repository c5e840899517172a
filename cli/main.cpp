// radixmesh: looks at a sidecar from the command line, and changes nothing.
#include <csignal>
#include <exception>

#include "cli/command_line.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/usage_error.h"
#include "cli/verbs.h"
#include "ipc/client.h"
#include "ipc/standard_descriptors.h"

namespace radixmesh::cli {
namespace {

int run(int argc, const char* const* argv) {
  try {
    return run_verb(parse_command_line(argc, argv));
  } catch (const CommandLineText& wanted) {
    print(wanted.text);
    return kExitOk;
  } catch (const UsageError& error) {
    complain(error.what());
    return kExitUsage;
  } catch (const ipc::CallError& error) {
    complain(error.what());
    return kExitNo;
  } catch (const std::exception& error) {
    complain(error.what());
    return kExitNoAnswer;
  }
}

}  // namespace
}  // namespace radixmesh::cli

int main(int argc, char** argv) {
  radixmesh::ipc::fill_standard_descriptors();
  // A reader that goes away is seen where it is written to, as BrokenPipe.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return radixmesh::cli::run(argc, argv);
  } catch (const radixmesh::cli::BrokenPipe&) {
    return radixmesh::cli::kExitOk;
  } catch (const std::exception& error) {
    // Where --help itself cannot be written.
    radixmesh::cli::complain(error.what());
    return radixmesh::cli::kExitNoAnswer;
  }
}
