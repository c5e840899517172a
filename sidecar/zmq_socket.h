// ZeroMQ sockets as all of ours are: bounded, never waiting, and cut when the other side is gone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <zmq.hpp>

namespace radixmesh {

// Of each connection.
struct SocketBounds {
  int sent_max = 0, received_max = 0;  // messages that wait
  std::size_t message_bytes_max = 0;   // who sends more is cut
};
zmq::socket_t make_socket(zmq::context_t& context, zmq::socket_type type, SocketBounds bounds);

// What happens to a socket's connections.
class SocketMonitor {
 public:
  enum class What : std::uint8_t { accepted, connected, ended };
  struct Event {
    What what = What::ended;
    int descriptor = -1;   // of the connection; -1 where it is not known
    std::string endpoint;  // "host:port": of one that we made, where it goes to
  };
  // `name` is the monitor's own. The socket must outlive this.
  SocketMonitor(zmq::context_t& context, zmq::socket_t& socket, const std::string& name);
  ~SocketMonitor();
  SocketMonitor(const SocketMonitor&) = delete;

  // What is to be polled for.
  zmq::socket_t& events() { return pair_; }
  // The next one, or nothing. Events of other kinds are passed over.
  std::optional<Event> next();

 private:
  zmq::socket_t& watched_;
  zmq::socket_t pair_;
};

}  // namespace radixmesh
