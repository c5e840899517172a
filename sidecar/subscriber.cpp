#include "sidecar/subscriber.h"

namespace radixmesh {

Subscriber::Subscriber(zmq::context_t& context, SocketBounds bounds, const std::string& name)
    : socket_(make_socket(context, zmq::socket_type::xsub, bounds)),
      monitor_(context, socket_, name) {}

void Subscriber::subscribe(const std::string& topic) {
  topics_.insert(topic);
  (void)socket_.send(zmq::buffer('\x01' + topic), zmq::send_flags::dontwait);
}

void Subscriber::unsubscribe(const std::string& topic) {
  topics_.erase(topic);
  (void)socket_.send(zmq::buffer('\x00' + topic), zmq::send_flags::dontwait);
}

void Subscriber::connect(NodeId peer, const std::string& endpoint) {
  std::set<NodeId>& users = users_[endpoint];
  // Where it does not come up libzmq may have given it up: it does after what is no ZMTP.
  if (!users.empty() && !is_up(endpoint)) end(endpoint);
  if (users.empty() || !is_up(endpoint)) {
    socket_.set(zmq::sockopt::ipv6, endpoint.starts_with('[') ? 1 : 0);
    socket_.connect("tcp://" + endpoint);
  }
  users.insert(peer);
}

bool Subscriber::leave(NodeId peer, const std::string& endpoint) {
  const auto users = users_.find(endpoint);
  if (users == users_.end()) return false;
  users->second.erase(peer);
  return users->second.empty();
}

void Subscriber::disconnect(const std::string& endpoint) {
  users_.erase(endpoint);
  up_.erase(endpoint);
  end(endpoint);
}

void Subscriber::end(const std::string& endpoint) {
  pass_over_message();
  try {
    socket_.disconnect("tcp://" + endpoint);
  } catch (const zmq::error_t&) {
    return;  // it was no more
  }
}

// libzmq takes the first part of a message out of its connection when it is asked whether there is
// one, and aborts where the rest is asked for and the connection is no more.
void Subscriber::pass_over_message() {
  zmq::message_t part;
  while (socket_.recv(part, zmq::recv_flags::dontwait) && socket_.get(zmq::sockopt::rcvmore) != 0) {
  }
}

void Subscriber::look_at_connections() {
  while (const auto event = monitor_.next()) {
    if (!users_.contains(event->endpoint)) continue;
    if (event->what == SocketMonitor::What::connected) up_.insert(event->endpoint);
    if (event->what == SocketMonitor::What::ended) up_.erase(event->endpoint);
  }
}

}  // namespace radixmesh
