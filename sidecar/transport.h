// The ZeroMQ sockets of a node, and nothing else: messages in, messages out, no decision.
//
//   XPUB   bound   publishes; sees subscriptions      SUB     connected to upstreams' XPUBs
//                                                     SUB     the same, for their control lane
//                                                     alone
//   ROUTER bound   control, at local_cache_addr       DEALER  one per peer, to its control ROUTER
//   ROUTER bound   bulk (replay, snapshots)           DEALER  one per peer, to its bulk ROUTER
//
// Sends never wait: what cannot go at once is dropped and counted, and repair mends it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "lib/replica_io.h"
#include "sidecar/socket_poller.h"

namespace radixmesh {

// An address cannot be bound; the message is one line.
struct BindError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Transport {
 public:
  // Binds all that is bound. `publish_addr` empty: a port of the system's choice.
  Transport(NodeId self, std::uint64_t life, const std::string& local_cache_addr,
            const std::string& publish_addr);
  ~Transport();
  Transport(const Transport&) = delete;

  const std::string& publish_addr() const { return publish_addr_; }
  const std::string& bulk_addr() const { return bulk_addr_; }

  // ---- links -----------------------------------------------------------------------------------
  void add_peer(NodeId peer, const std::string& control_addr);
  void drop_peer(NodeId peer);
  void set_bulk_peer(NodeId peer, const std::string& bulk_addr);
  void subscribe(const SubscribeTo& link);
  void unsubscribe(NodeId peer);
  void ask_markers();
  void listen_to_group(std::uint32_t group);

  // ---- out -------------------------------------------------------------------------------------
  // Frames of one lane gather into one message until flush(), or until it is full.
  void publish(const Publish& publish);
  void publish_marker(NodeId subscriber, const Bytes& frame);
  void ask(NodeId peer, Channel channel, const Bytes& frame);
  void answer(NodeId peer, Channel channel, const Bytes& frame);
  void flush();
  // How long the end waits for what was sent before.
  void linger(int milliseconds);

  // ---- in --------------------------------------------------------------------------------------
  // Becomes readable when something came in; where pending() holds, something is here already.
  int descriptor() const { return poller_.descriptor(); }
  bool pending() { return poller_.settle(); }
  // Gives up to `messages_max` waiting messages of each socket that has some to `sink` as inputs.
  // `sink` changes no link.
  template <class Sink>
  void drain(std::size_t messages_max, Sink&& sink) {
    // Repair never holds up the rest: few of its messages a turn.
    const std::size_t bulk_max = std::min(messages_max, kBulkMessagesPerTurn);
    for (const SocketPoller::Entry& each : poller_.take_ready()) {
      switch (each.kind) {
        case SocketPoller::Kind::publisher:
          drain_subscriptions(messages_max, sink);
          break;
        case SocketPoller::Kind::subscriber:
        case SocketPoller::Kind::watcher:
          drain_published(*each.socket, messages_max, sink);
          break;
        case SocketPoller::Kind::control_router:
          drain_router(control_router_, Channel::control, messages_max, sink);
          break;
        case SocketPoller::Kind::bulk_router:
          drain_router(bulk_router_, Channel::bulk, bulk_max, sink);
          break;
        case SocketPoller::Kind::control_dealer:
          drain_dealer(each.peer, *each.socket, Channel::control, messages_max, sink);
          break;
        case SocketPoller::Kind::bulk_dealer:
          drain_dealer(each.peer, *each.socket, Channel::bulk, bulk_max, sink);
          break;
      }
    }
  }

  struct Counts {
    std::uint64_t bytes_sent = 0, bytes_received = 0, messages_sent = 0, messages_received = 0;
    std::uint64_t dropped = 0, malformed = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  static constexpr std::size_t kBulkMessagesPerTurn = 4;
  struct Peer {
    std::string control_addr;
    std::string publish_addr;  // empty: not subscribed to
    bool watch_only = false;
    std::optional<zmq::socket_t> control, bulk;
  };
  struct Pending {
    std::string topic;
    Bytes frames;
  };

  zmq::socket_t make_socket(zmq::socket_type type, int high_water_mark);
  std::string bind(zmq::socket_t& socket, const std::string& addr, const char* what);
  // Opens the DEALER to a peer, or none where `addr` is empty; an earlier one is closed.
  void connect_dealer(std::optional<zmq::socket_t>& dealer, SocketPoller::Kind kind, NodeId peer,
                      const std::string& addr, int high_water_mark);
  void send_published(std::string_view topic, std::string_view payload);
  std::string marker_topic(NodeId id) const;
  static std::string topic_of(const Publish& publish);
  bool receive(zmq::socket_t& socket, std::vector<zmq::message_t>& parts);

  template <class Sink>
  void drain_subscriptions(std::size_t max, Sink& sink) {
    for (std::size_t i = 0; i < max && receive(publisher_, parts_); ++i) {
      if (const auto subscriber = marker_subscriber(parts_.at(0))) sink(Subscribed{*subscriber});
    }
  }
  template <class Sink>
  void drain_published(zmq::socket_t& socket, std::size_t max, Sink& sink) {
    for (std::size_t i = 0; i < max && receive(socket, parts_); ++i) {
      if (parts_.size() == 2) {
        sink(Published{parts_[1].to_string_view()});
      } else {
        ++counts_.malformed;
      }
    }
  }
  template <class Sink>
  void drain_router(zmq::socket_t& router, Channel channel, std::size_t max, Sink& sink) {
    for (std::size_t i = 0; i < max && receive(router, parts_); ++i) {
      const auto from = note_route(channel, parts_);
      if (from) sink(Received{*from, channel, false, parts_[1].to_string_view()});
    }
  }
  template <class Sink>
  void drain_dealer(NodeId from, zmq::socket_t& dealer, Channel channel, std::size_t max,
                    Sink& sink) {
    for (std::size_t i = 0; i < max && receive(dealer, parts_); ++i) {
      if (parts_.size() == 1) {
        sink(Received{from, channel, true, parts_[0].to_string_view()});
      } else {
        ++counts_.malformed;
      }
    }
  }
  std::optional<NodeId> marker_subscriber(const zmq::message_t& message);
  std::optional<NodeId> note_route(Channel channel, const std::vector<zmq::message_t>& parts);

  NodeId self_;
  std::string identity_, host_, publish_addr_, bulk_addr_;
  zmq::context_t context_;
  zmq::socket_t publisher_, subscriber_, watcher_, control_router_, bulk_router_;
  SocketPoller poller_;
  std::map<NodeId, Peer> peers_;
  // The connection over which each peer last asked: its answers go there.
  std::map<std::pair<NodeId, Channel>, std::string> routes_;
  std::pair<NodeId, Channel> stranger_;
  std::optional<Pending> pending_;
  std::string group_topic_;
  std::vector<zmq::message_t> parts_;
  Counts counts_;
};

}  // namespace radixmesh
