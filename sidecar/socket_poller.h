// Which of many ZeroMQ sockets have something to read, without asking each: a node of a large mesh
// has hundreds, of which one or two have.
//
// A ZeroMQ socket has a descriptor that becomes readable when something happened to it, and any
// operation on the socket may take that notice back before its message was seen. So a socket that
// was touched is asked before the next wait, and the others need not be.
//
//   settle() ─► nothing to read: wait for descriptor() ─► take_ready() ─► read, send, touched()
//      └─────── something: do not wait ────────────────────────┘
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>
#include <zmq.hpp>

#include "lib/base/ids.h"

namespace radixmesh {

class SocketPoller {
 public:
  // What a socket is for: they are read in this order.
  enum class Kind : std::uint8_t {
    monitor,
    publisher,
    subscriber,
    watcher,
    control_router,
    bulk_router,
    control_dealer,
    bulk_dealer,
  };
  struct Entry {
    Kind kind;
    NodeId peer;  // of a dealer
    zmq::socket_t* socket;
    int descriptor = -1;
    bool writable = false;  // when it was asked last
  };

  SocketPoller();
  ~SocketPoller();
  SocketPoller(const SocketPoller&) = delete;

  // The socket must be removed before it is closed or moved.
  void add(Kind kind, NodeId peer, zmq::socket_t& socket);
  void remove(zmq::socket_t& socket);
  // Whether something can be sent there: as of the last settle() or take_ready(), which ask what
  // has changed.
  bool writable(zmq::socket_t& socket) const;
  // To be called after sending, subscribing, and reading that may have left something.
  void touched(zmq::socket_t& socket);

  // Readable when take_ready() may find something that settle() has not.
  int descriptor() const { return epoll_; }
  // Whether one of the sockets that were touched has something to read.
  bool settle();
  // Whether none at all has.
  bool nothing_waits();
  // The sockets that have, in the order of their kinds. They count as touched.
  std::vector<Entry> take_ready();

 private:
  // Asks the socket.
  static bool readable(Entry& entry);

  int epoll_ = -1;
  std::map<void*, std::unique_ptr<Entry>> entries_;  // by the socket's handle
  std::set<Entry*> touched_;
};

}  // namespace radixmesh
