// What libzmq does to a subscriber whose connections end at an awkward moment.
#include "sidecar/subscriber.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

namespace radixmesh {
namespace {

constexpr SocketBounds kBounds{100, 100, 1000};

struct Published {
  Published() { socket.bind("tcp://127.0.0.1:*"); }
  std::string endpoint() {
    return socket.get(zmq::sockopt::last_endpoint).substr(std::string("tcp://").size());
  }
  // Until the subscriber has something to read; that question itself takes a part out of libzmq.
  void publish_until_it_waits(Subscriber& subscriber) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while ((subscriber.socket().get(zmq::sockopt::events) & ZMQ_POLLIN) == 0) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      (void)socket.send(zmq::str_buffer("C"), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
      (void)socket.send(zmq::str_buffer("payload"), zmq::send_flags::dontwait);
      std::this_thread::yield();
    }
  }

  zmq::context_t context{1};
  zmq::socket_t socket{context, zmq::socket_type::pub};
};

TEST_CASE("a connection that is ended while a message waits leaves nothing half read") {
  Published published;
  Subscriber subscriber(published.context, kBounds, "subscriber");
  subscriber.subscribe("C");
  subscriber.connect(NodeId{1}, published.endpoint());
  published.publish_until_it_waits(subscriber);
  CHECK(subscriber.leave(NodeId{1}, published.endpoint()));
  subscriber.disconnect(published.endpoint());
  // It was heard all the same, so that nobody takes who sent it for one who sends without end.
  const auto passed_over = subscriber.take_passed_over();
  REQUIRE(passed_over.size() == 1);
  REQUIRE(passed_over[0].size() == 2);
  CHECK(passed_over[0][1].to_string() == "payload");
  CHECK(subscriber.take_passed_over().empty());
  // libzmq aborts here where it has a first part, and no connection that has the second.
  zmq::message_t part;
  while (subscriber.socket().recv(part, zmq::recv_flags::dontwait)) {
  }
  subscriber.connect(NodeId{1}, published.endpoint());
  published.publish_until_it_waits(subscriber);
}

TEST_CASE("one connection serves all that publish at one place, until the last has left") {
  Published published;
  Subscriber subscriber(published.context, kBounds, "subscriber");
  const std::string endpoint = published.endpoint();
  subscriber.subscribe("C");
  subscriber.connect(NodeId{1}, endpoint);
  subscriber.connect(NodeId{2}, endpoint);
  CHECK(!subscriber.leave(NodeId{1}, endpoint));
  CHECK(!subscriber.leave(NodeId{3}, "127.0.0.1:1"));
  published.publish_until_it_waits(subscriber);
  CHECK(subscriber.leave(NodeId{2}, endpoint));
}

TEST_CASE("an IPv6 address may be spelt in any way") {
  zmq::context_t context{1};
  zmq::socket_t published(context, zmq::socket_type::pub);
  published.set(zmq::sockopt::ipv6, 1);
  try {
    published.bind("tcp://[::1]:*");
  } catch (const zmq::error_t&) {
    MESSAGE("no IPv6 here");
    return;
  }
  const std::string bound = published.get(zmq::sockopt::last_endpoint);
  const std::string spelt = "[0:0::0000:1]" + bound.substr(bound.rfind(':'));
  Subscriber subscriber(context, kBounds, "subscriber");
  subscriber.connect(NodeId{1}, spelt);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!subscriber.is_up(spelt)) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    subscriber.look_at_connections();
    std::this_thread::yield();
  }
  CHECK(subscriber.leave(NodeId{1}, "[::1]" + bound.substr(bound.rfind(':'))));
}

}  // namespace
}  // namespace radixmesh
