// With what radixmesh-sidecar ends.
#pragma once

namespace radixmesh {

enum ExitCode : int {
  kExitOk = 0,         // stopped by SIGTERM or SIGINT, or --help, --check-config
  kExitInternal = 1,   // something that should not happen
  kExitUsage = 64,     // an option is wrong
  kExitResource = 69,  // an address or the socket is in use, or cannot be opened
};

inline constexpr char kExitCodesText[] =
    "0 stopped by SIGTERM or SIGINT; 64 an option is wrong; 69 an address or the ipc socket is in "
    "use or cannot be opened; 1 an internal error";

}  // namespace radixmesh
