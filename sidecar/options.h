// The options of radixmesh-sidecar: flags, RADIXMESH_... variables and lines of a TOML file.
#pragma once

#include <stdexcept>
#include <string>

#include "lib/replica_io.h"
#include "sidecar/transport.h"

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
  bool check_config = false;

  // The three addresses, with what the options leave open.
  Transport::Addresses addresses() const;
};

// The options cannot be used; the message is one line that names the option and the rule.
struct OptionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Thrown by --help and --version: the text to print before ending with 0.
struct OptionText {
  std::string text;
};

Options parse_options(int argc, const char* const* argv);

}  // namespace radixmesh
