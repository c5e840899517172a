// With what radixmesh-sidecar ends.
#pragma once

namespace radixmesh {

enum ExitCode : int {
  kExitOk = 0,         // stopped by SIGTERM or SIGINT, or --help and the like
  kExitInternal = 1,   // something that should not happen
  kExitUsage = 64,     // an option is wrong
  kExitResource = 69,  // an address or the socket is in use, or cannot be opened; or stdout is full
};

inline constexpr char kExitCodesText[] =
    "0 stopped by SIGTERM or SIGINT; 64 an option is wrong; 69 an address or the ipc socket is in "
    "use or cannot be opened, or the standard output cannot be written; 1 an internal error";

}  // namespace radixmesh
