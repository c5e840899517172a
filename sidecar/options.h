// The configuration of radixmesh-sidecar, from flags, RADIXMESH_... variables and a TOML file.
// sidecar/config/option_list.cpp has the options.
#pragma once

#include <string>

#include "lib/replica_io.h"
#include "sidecar/addresses.h"
#include "sidecar/config/option_error.h"

namespace radixmesh {

struct Options {
  ReplicaSettings replica;  // but for epoch and bound endpoints, which exist only at run time
  std::string ipc_path;
  // Where others reach this node; empty: at a port of the system's choice on the host of
  // local_cache_addr.
  std::string publish_addr, bulk_addr;
  // "host" or "host:port" that is bound, where that differs from what is announced.
  std::string bind, publish_bind, bulk_bind;
  Duration client_lease{};  // 0: the leases of a silent client stand
  std::string log_level = "info";
  std::string log_format = "text";
  bool check_config = false, print_config = false;
  std::string ignored_variables;  // a line's detail for the log; empty: none were

  // The three addresses, with what the options leave open.
  NodeAddresses addresses() const;
};

// Thrown where text is asked for instead: what to print before ending with 0.
struct OptionText {
  std::string text;
};

// OptionError where the configuration cannot be used. `environment` is NAME=VALUE texts, and a null
// pointer behind them.
Options parse_options(int argc, const char* const* argv, const char* const* environment);

}  // namespace radixmesh
