// Where a node listens, and where it says that it does: the two differ behind a mapped port or a
// proxy.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>
#include <zmq.hpp>

namespace radixmesh {

// An address cannot be bound; the message is one line.
struct BindError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One of the three addresses, as the options give it.
struct Listening {
  std::string option;     // by which it is told, for errors
  std::string announced;  // "host:port"; port 0: the one that is bound
  std::string bound;      // "host" or "host:port"; empty: as announced. The host may be a wildcard
};

// Binds the socket to every address that the host to be bound stands for, all with one port, and
// returns what is announced. May wait for a name server, for a bounded time. Throws BindError where
// not one of them can be bound.
std::string listen(zmq::socket_t& socket, const Listening& where);

}  // namespace radixmesh
