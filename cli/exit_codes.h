// With what radixmesh ends.
#pragma once

namespace radixmesh::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitNo = 1,
  kExitNoAnswer = 2,
  kExitUsage = 64,
};

inline constexpr char kExitCodesText[] =
    "Exit codes:\n"
    "  0   done; diff: equal\n"
    "  1   the sidecar refused; diff: different\n"
    "  2   no connection, no answer in time, or one that makes no sense; diff: could not compare;\n"
    "      the output cannot be written\n"
    "  64  the command line is wrong";

}  // namespace radixmesh::cli
