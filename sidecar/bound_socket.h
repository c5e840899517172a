// A socket that others connect to, with those connections.
#pragma once

#include <cstddef>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "sidecar/addresses.h"
#include "sidecar/inbound.h"
#include "sidecar/zmq_socket.h"

namespace radixmesh {

class BoundSocket {
 public:
  // `name` is its monitor's own.
  BoundSocket(zmq::context_t& context, zmq::socket_type type, SocketBounds bounds,
              const std::string& name, Inbound::Bounds inbound_bounds, Inbound::IsMember is_member);

  zmq::socket_t& socket() { return socket_; }
  // Readable when connections came or went: then look_at_connections().
  zmq::socket_t& events() { return monitor_.events(); }
  Inbound& inbound() { return inbound_; }
  const Inbound& inbound() const { return inbound_; }

  // What is announced. Throws BindError.
  std::string listen(const Listening& where);
  void look_at_connections(TimePoint now, const Intake::NothingWaits& nothing_waits);
  // Where libzmq holds too many descriptors of connections that are gone, the listener is ended,
  // and with it all that it has; and made anew, which the system may allow a moment later only.
  void look_after_listener();

 private:
  zmq::socket_t socket_;
  SocketMonitor monitor_;
  Inbound inbound_;
  std::vector<std::string> endpoints_, unbound_;  // of these, those that are to be bound again
};

}  // namespace radixmesh
