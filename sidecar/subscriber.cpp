#include "sidecar/subscriber.h"

#include <arpa/inet.h>

namespace radixmesh {
namespace {

// Of a message that is passed over: ours have two.
constexpr std::size_t kPartsKept = 8;

}  // namespace

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

std::string Subscriber::canonical(const std::string& endpoint) {
  const std::size_t end = endpoint.rfind(']');
  if (!endpoint.starts_with('[') || end == std::string::npos) return endpoint;
  in6_addr address{};
  char text[INET6_ADDRSTRLEN];
  const std::string number = endpoint.substr(1, end - 1);
  if (::inet_pton(AF_INET6, number.c_str(), &address) != 1) return endpoint;
  return "[" + std::string(::inet_ntop(AF_INET6, &address, text, sizeof text)) +
         endpoint.substr(end);
}

void Subscriber::connect(NodeId peer, const std::string& named) {
  const std::string endpoint = canonical(named);
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
  const auto users = users_.find(canonical(endpoint));
  if (users == users_.end()) return false;
  users->second.erase(peer);
  return users->second.empty();
}

void Subscriber::disconnect(const std::string& named) {
  const std::string endpoint = canonical(named);
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
  std::vector<zmq::message_t> parts(1);
  while (socket_.recv(parts.back(), zmq::recv_flags::dontwait) &&
         socket_.get(zmq::sockopt::rcvmore) != 0 && parts.size() < kPartsKept) {
    parts.emplace_back();
  }
  while (socket_.get(zmq::sockopt::rcvmore) != 0 &&
         socket_.recv(parts.back(), zmq::recv_flags::dontwait)) {
  }
  if (parts.front().size() > 0) passed_over_.push_back(std::move(parts));
}

void Subscriber::look_at_connections() {
  while (const auto event = monitor_.next()) {
    if (!users_.contains(event->endpoint)) continue;
    if (event->what == SocketMonitor::What::connected) up_.insert(event->endpoint);
    if (event->what == SocketMonitor::What::ended) up_.erase(event->endpoint);
  }
}

}  // namespace radixmesh
