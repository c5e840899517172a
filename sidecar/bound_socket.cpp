#include "sidecar/bound_socket.h"

#include <utility>

#include "sidecar/listener.h"

namespace radixmesh {

BoundSocket::BoundSocket(zmq::context_t& context, zmq::socket_type type, SocketBounds bounds,
                         const std::string& name, Inbound::Bounds inbound_bounds,
                         Inbound::IsMember is_member)
    : socket_(make_socket(context, type, bounds)),
      monitor_(context, socket_, name),
      inbound_(inbound_bounds, std::move(is_member)) {}

std::string BoundSocket::listen(const Listening& where) {
  Listened listened = radixmesh::listen(socket_, where);
  endpoints_ = std::move(listened.endpoints);
  return std::move(listened.announced);
}

void BoundSocket::look_at_connections(TimePoint now, const Intake::NothingWaits& nothing_waits) {
  while (const auto event = monitor_.next()) {
    if (event->what == SocketMonitor::What::accepted) {
      inbound_.accepted(now, event->descriptor);
    } else if (event->what == SocketMonitor::What::ended) {
      inbound_.ended(event->descriptor);
    }
  }
  if (inbound_.crowded()) inbound_.look_after(now, nothing_waits);
}

void BoundSocket::look_after_listener() {
  if (inbound_.too_many_hang()) {
    for (const std::string& endpoint : endpoints_) {
      try {
        socket_.unbind(endpoint);
      } catch (const zmq::error_t&) {
        continue;  // it waits to be bound
      }
      unbound_.push_back(endpoint);
    }
    inbound_.forget_hanging();
  }
  std::erase_if(unbound_,
                [this](const std::string& endpoint) { return listen_again(socket_, endpoint); });
}

}  // namespace radixmesh
