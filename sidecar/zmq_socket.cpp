#include "sidecar/zmq_socket.h"

#include <cstring>

namespace radixmesh {

zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type, SocketBounds bounds) {
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::linger, 0);  // ending never waits for a peer
  socket.set(zmq::sockopt::sndhwm, bounds.sent_max);
  socket.set(zmq::sockopt::rcvhwm, bounds.received_max);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(bounds.message_bytes_max));
  socket.set(zmq::sockopt::reconnect_ivl, 100);       // ms; doubles up to the next
  socket.set(zmq::sockopt::reconnect_ivl_max, 2000);  // ms
  socket.set(zmq::sockopt::handshake_ivl, 5000);      // ms: who connects and says nothing is cut
  socket.set(zmq::sockopt::connect_timeout, 2000);    // ms
  // Half-open connections are found by the kernel: libzmq's own heartbeats abort the process when
  // they meet a full queue (libzmq issue 3937), so they stay off.
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, 5);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, 2);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
  socket.set(zmq::sockopt::tcp_maxrt, 10000);  // ms that sent data may stay unacknowledged
  return socket;
}

SocketMonitor::SocketMonitor(zmq::context_t& context, zmq::socket_t& socket,
                             const std::string& name)
    : watched_(socket), pair_(context, zmq::socket_type::pair) {
  const std::string endpoint = "inproc://" + name;
  constexpr int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                         ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
  if (::zmq_socket_monitor(socket.handle(), endpoint.c_str(), events) != 0) throw zmq::error_t();
  pair_.set(zmq::sockopt::linger, 0);
  pair_.set(zmq::sockopt::rcvhwm, 0);  // a full one would stop libzmq's own thread
  pair_.connect(endpoint);
}

// In this order: libzmq's thread must not find the pair closed (libzmq issue 3575).
SocketMonitor::~SocketMonitor() { ::zmq_socket_monitor(watched_.handle(), nullptr, 0); }

std::optional<SocketMonitor::Event> SocketMonitor::next() {
  zmq::message_t first, second;
  while (pair_.recv(first, zmq::recv_flags::dontwait)) {
    if (!pair_.recv(second, zmq::recv_flags::dontwait) || first.size() != 6) continue;
    std::uint16_t kind = 0;
    std::uint32_t value = 0;
    std::memcpy(&kind, first.data(), sizeof kind);
    std::memcpy(&value, static_cast<const char*>(first.data()) + sizeof kind, sizeof value);
    std::string endpoint = second.to_string();
    if (endpoint.starts_with("tcp://")) endpoint.erase(0, 6);
    switch (kind) {
      case ZMQ_EVENT_ACCEPTED:
        return Event{What::accepted, static_cast<int>(value), std::move(endpoint)};
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return Event{What::connected, -1, std::move(endpoint)};
      case ZMQ_EVENT_DISCONNECTED:
      case ZMQ_EVENT_CLOSED:
        return Event{What::ended, static_cast<int>(value), std::move(endpoint)};
      default:
        break;
    }
  }
  return std::nullopt;
}

}  // namespace radixmesh
