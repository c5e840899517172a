// radixmesh [--socket PATH] [--json] [--timeout SECONDS] VERB ...
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"

namespace radixmesh::cli {

// The fields that the verb does not have keep their first values.
struct CommandLine {
  std::string verb;
  std::string socket;
  bool json = false;
  std::chrono::milliseconds timeout{5000};  // of each answer

  bool all = false;                   // status, nodes: every field
  bool check = false;                 // status, nodes: ends with 3 where something is not well
  double lag_seconds_max = 5;         // status, nodes: what lags for longer is not well
  std::vector<TokenId> tokens;        // match, route, explain
  CacheNamespace name_space;          // match, route, explain
  std::optional<std::string> holder;  // tree
  std::uint64_t limit = 1000;         // tree: rows; 0: all
  std::uint64_t count = 0;            // tail: events, 0: without end; ping: round trips
  std::string socket_a, socket_b;     // diff
  bool entries = false;               // diff
  bool run = false;                   // gc
  std::string member;                 // member remove
};

// Thrown by --help and --version: the text to print before ending with 0.
struct CommandLineText {
  std::string text;
};

// Reads the file or stdin that TOKENS name. Throws UsageError.
CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace radixmesh::cli
