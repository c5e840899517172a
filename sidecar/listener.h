// Binds sockets to all that an address stands for.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "sidecar/addresses.h"

namespace radixmesh {

// An address cannot be bound; the message is one line.
struct BindError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Listened {
  std::string announced;
  std::vector<std::string> endpoints;  // as libzmq names what is bound
};

// Binds the socket to every address that the host to be bound stands for, all with one port. May
// wait for a name server, for a bounded time. Throws BindError where not one of them can be bound.
Listened listen(zmq::socket_t& socket, const Listening& where);

// Binds the socket again to what it was unbound from; false while the system does not let it.
bool listen_again(zmq::socket_t& socket, const std::string& endpoint);

}  // namespace radixmesh
