// With what radixmesh ends.
#pragma once

namespace radixmesh::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitNo = 1,
  kExitNoAnswer = 2,
  kExitNotWell = 3,
  kExitUsage = 64,
};

inline constexpr char kExitCodesText[] =
    "Exit codes:\n"
    "  0   done; diff: equal; status and nodes: answered, and with --check all is well\n"
    "  1   the sidecar refused; diff: different\n"
    "  2   no connection, no answer in time, or one that makes no sense; diff: could not compare;\n"
    "      the output cannot be written (a reader that goes away is no error)\n"
    "  3   status --check: the node is not ready, or is isolated, or what nodes --check finds: a\n"
    "      member is dead, suspect, unseen, refused, not ready, or lags for longer than --lag-max\n"
    "  64  the command line is wrong";

}  // namespace radixmesh::cli
