// Binds sockets to all that an address stands for.
#pragma once

#include <stdexcept>
#include <string>
#include <zmq.hpp>

#include "sidecar/addresses.h"

namespace radixmesh {

// An address cannot be bound; the message is one line.
struct BindError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Binds the socket to every address that the host to be bound stands for, all with one port, and
// returns what is announced. May wait for a name server, for a bounded time. Throws BindError where
// not one of them can be bound.
std::string listen(zmq::socket_t& socket, const Listening& where);

}  // namespace radixmesh
