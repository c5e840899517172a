// A socket that listens to what others publish: which topics it asked for, where it is connected
// to, and which of these connections stand. An XSUB, so that what nobody asked for is seen as well:
// a SUB would pass over it by itself, for as long as there is any.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "lib/base/ids.h"
#include "sidecar/zmq_socket.h"

namespace radixmesh {

class Subscriber {
 public:
  // `name` is its monitor's own.
  Subscriber(zmq::context_t& context, SocketBounds bounds, const std::string& name);

  zmq::socket_t& socket() { return socket_; }
  // Readable when connections came or went: then look_at_connections().
  zmq::socket_t& events() { return monitor_.events(); }

  void subscribe(const std::string& topic);
  void unsubscribe(const std::string& topic);
  bool asked_for(std::string_view topic) const { return topics_.contains(topic); }

  // Members may say that they publish at one place: one connection serves all of them. libzmq would
  // make no second one, and end the only one for whoever goes first. Throws zmq::error_t.
  void connect(NodeId peer, const std::string& endpoint);
  // Whether that was the last that was served there; then the connection is to be ended.
  bool leave(NodeId peer, const std::string& endpoint);
  // A message that waits may go with it, whoever sent it: see passed_over().
  void disconnect(const std::string& endpoint);
  // The parts of the messages that went so since this was asked last.
  std::vector<std::vector<zmq::message_t>> take_passed_over() {
    return std::exchange(passed_over_, {});
  }
  bool is_up(const std::string& endpoint) const { return up_.contains(canonical(endpoint)); }
  void look_at_connections();

 private:
  // As libzmq's monitor will name it: an IPv6 address in its shortest form.
  static std::string canonical(const std::string& endpoint);
  void end(const std::string& endpoint);
  void pass_over_message();

  zmq::socket_t socket_;
  SocketMonitor monitor_;
  std::set<std::string, std::less<>> topics_;
  std::map<std::string, std::set<NodeId>> users_;  // by endpoint
  std::set<std::string> up_;
  std::vector<std::vector<zmq::message_t>> passed_over_;
};

}  // namespace radixmesh
