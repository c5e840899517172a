// The ZeroMQ sockets of a node, and nothing else: messages in, messages out, no decision.
//
//   XPUB   bound   publishes; sees subscriptions      XSUB    connected to upstreams' XPUBs
//                                                     XSUB    the same, for their control lane
//                                                     alone
//   ROUTER bound   control, at local_cache_addr       DEALER  one per peer, to its control ROUTER
//   ROUTER bound   bulk (replay, snapshots)           DEALER  one per peer, to its bulk ROUTER
//
// Sends never wait: what cannot go at once is dropped and counted, and repair mends it. Sockets are
// connected to numbers only; who finds them is mesh/dialer.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "lib/base/link.h"
#include "lib/replica_io.h"
#include "sidecar/bound_socket.h"
#include "sidecar/outbound.h"
#include "sidecar/socket_poller.h"
#include "sidecar/subscriber.h"
#include "sidecar/turn_budget.h"
#include "sidecar/zmq_socket.h"

namespace radixmesh {

class Transport {
 public:
  // Binds all of them. `connections_max`: that others may make to each.
  Transport(NodeId self, std::uint64_t life, const NodeAddresses& addresses,
            std::size_t connections_max);
  ~Transport();
  Transport(const Transport&) = delete;

  const std::string& publish_addr() const { return publish_addr_; }
  const std::string& bulk_addr() const { return bulk_addr_; }

  // ---- links -----------------------------------------------------------------------------------
  void add_peer(NodeId peer) { peers_[peer]; }
  void drop_peer(NodeId peer);
  // How the peer is listened to, once its publish link is connected.
  void set_watch_only(NodeId peer, bool watch_only);
  // False where there is no descriptor for it: to be tried again.
  bool connect(LinkKey link, const std::string& endpoint);
  void disconnect(LinkKey link, const std::string& endpoint);
  bool is_up(LinkKey link, const std::string& endpoint);
  // It was not up before.
  void came_up() { outbound_.came_up(); }
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
  // Gives waiting messages to `sink` as inputs, up to `messages_max` of each socket and as far as
  // the budget goes. `sink` changes no link.
  template <class Sink>
  void drain(TurnBudget& budget, std::size_t messages_max, Sink&& sink) {
    now_ = steady_now();
    std::vector<SocketPoller::Entry> ready = poller_.take_ready();
    // Who was not reached by the last turn comes first in this one.
    const auto first = std::ranges::find(ready, resume_at_, &SocketPoller::Entry::socket);
    if (first != ready.end()) std::ranges::rotate(ready, first);
    resume_at_ = nullptr;
    for (const SocketPoller::Entry& each : ready) {
      if (budget.exhausted()) {
        resume_at_ = each.socket;
        break;
      }
      drain_one(each, budget, messages_max, sink);
    }
    close_broken();
  }
  // Signs of life, and connections that are cut; to be called every
  // limits::connections_looked_at_every.
  void look_after(TimePoint now);

  struct Counts {
    std::uint64_t bytes_sent = 0, bytes_received = 0, messages_sent = 0, messages_received = 0;
    std::uint64_t dropped = 0, malformed = 0, misdirected = 0;
  };
  const Counts& counts() const { return counts_; }
  // Connections that others made; inbound.h says what each of these is.
  std::size_t connections() const { return of_inbound(&Inbound::size); }
  std::size_t connections_hanging() const { return of_inbound(&Inbound::hanging); }
  // ... those that we made among them.
  std::uint64_t connections_cut() const { return of_inbound(&Inbound::cuts) + outbound_.cuts(); }
  std::uint64_t connections_endless() const {
    return of_inbound(&Inbound::endless) + outbound_.endless();
  }

 private:
  static constexpr std::size_t kBulkMessagesPerTurn = 4;
  // Anybody may ask, and nothing that comes here is urgent: the engine's calls come in between.
  static constexpr std::size_t kQuestionsPerTurn = 16;
  // More than any message of ours has.
  static constexpr std::size_t kPartsMax = 4;
  struct Peer {
    std::optional<zmq::socket_t> control, bulk;
    bool watch_only = false;
    TimePoint last_control{}, last_bulk{};  // when something was sent there
  };
  struct Pending {
    std::string topic;
    Bytes frames;
  };

  template <class Number>
  Number of_inbound(Number (Inbound::*number)() const) const {
    return (control_.inbound().*number)() + (publisher_.inbound().*number)() +
           (bulk_.inbound().*number)();
  }
  bool connect_dealer(LinkKey link, const std::string& endpoint);
  void close_dealer(std::optional<zmq::socket_t>& dealer);
  void close_broken();
  // Not at once: who misbehaves once does it again.
  void connect_given_up();
  Subscriber& subscriber_of(const Peer& peer) { return peer.watch_only ? watcher_ : subscriber_; }
  Intake::NothingWaits nothing_waits() {
    return [this] { return poller_.nothing_waits(); };
  }
  void look_at_connections();
  // Who sends a message of more parts than any of ours has.
  void cut_sender(zmq::socket_t& socket);
  void say_something(NodeId id, Peer& peer, TimePoint now);
  // Of the parts from this one on, with what frames them.
  std::size_t sent_bytes(std::size_t first_part) const;
  // A message came over a connection that we made.
  void note_heard();
  void note_passed_over(Subscriber& subscriber);
  // Whose message it is that came to a bound socket.
  void note_heard(BoundSocket& bound, std::optional<NodeId> from);
  void send_published(std::string_view topic, std::string_view payload);
  // The next message into parts_, if there is one and the budget allows it. Of one with too many
  // parts come the first; the rest is passed over, in this turn or in later ones.
  bool receive(zmq::socket_t& socket, TurnBudget& budget);
  // The same from a DEALER, to which nobody sends a second part: where there is one, that socket is
  // not read again, and closed after the turn. Between two parts the connection may end, and
  // libzmq, whose DEALERs that queue nothing then lose what is left, aborts the process.
  bool receive_one_part(zmq::socket_t& socket, TurnBudget& budget);
  bool take_part(zmq::socket_t& socket, zmq::message_t& part, TurnBudget& budget);
  bool pass_over_rest(zmq::socket_t& socket, TurnBudget& budget);

  template <class Sink>
  void drain_one(const SocketPoller::Entry& each, TurnBudget& budget, std::size_t messages_max,
                 Sink& sink) {
    // Repair never holds up the rest: few of its messages a turn.
    const std::size_t bulk_max = std::min(messages_max, kBulkMessagesPerTurn);
    switch (each.kind) {
      case SocketPoller::Kind::monitor:
        return look_at_connections();
      case SocketPoller::Kind::publisher:
        return drain_subscriptions(budget, messages_max, sink);
      case SocketPoller::Kind::subscriber:
      case SocketPoller::Kind::watcher:
        return drain_published(each.socket == &watcher_.socket() ? watcher_ : subscriber_, budget,
                               messages_max, sink);
      case SocketPoller::Kind::control_router:
        return drain_router(control_, Channel::control, budget,
                            std::min(messages_max, kQuestionsPerTurn), sink);
      case SocketPoller::Kind::bulk_router:
        return drain_router(bulk_, Channel::bulk, budget, bulk_max, sink);
      case SocketPoller::Kind::control_dealer:
        return drain_dealer(each, Channel::control, budget, messages_max, sink);
      case SocketPoller::Kind::bulk_dealer:
        return drain_dealer(each, Channel::bulk, budget, bulk_max, sink);
    }
  }
  template <class Sink>
  void drain_subscriptions(TurnBudget& budget, std::size_t max, Sink& sink) {
    for (std::size_t i = 0; i < max && receive(publisher_.socket(), budget); ++i) {
      if (const auto subscriber = note_subscription()) sink(Subscribed{*subscriber});
    }
  }
  template <class Sink>
  void drain_published(Subscriber& from, TurnBudget& budget, std::size_t max, Sink& sink) {
    for (std::size_t i = 0; i < max && receive(from.socket(), budget); ++i) {
      note_heard();
      if (parts_.size() != 2) {
        ++counts_.malformed;
      } else if (from.asked_for(parts_[0].to_string_view())) {
        sink(Published{parts_[1].to_string_view()});
      }
    }
  }
  template <class Sink>
  void drain_router(BoundSocket& router, Channel channel, TurnBudget& budget, std::size_t max,
                    Sink& sink) {
    for (std::size_t i = 0; i < max && receive(router.socket(), budget); ++i) {
      const auto from = note_route(router, channel);
      if (from) sink(Received{*from, channel, false, parts_[1].to_string_view()});
      if (own_echo_) sink(OwnEcho{*std::exchange(own_echo_, std::nullopt)});
    }
  }
  template <class Sink>
  void drain_dealer(const SocketPoller::Entry& dealer, Channel channel, TurnBudget& budget,
                    std::size_t max, Sink& sink) {
    for (std::size_t i = 0; i < max && receive_one_part(*dealer.socket, budget); ++i) {
      note_heard();
      sink(Received{dealer.peer, channel, true, parts_[0].to_string_view()});
    }
  }
  // A subscription that came in: of whose marker, if that is what it is.
  std::optional<NodeId> note_subscription();
  std::optional<NodeId> note_route(BoundSocket& router, Channel channel);

  NodeId self_;
  std::string identity_, publish_addr_, bulk_addr_;
  zmq::context_t context_;
  Inbound::IsMember is_member_;
  BoundSocket control_, publisher_, bulk_;
  Subscriber subscriber_, watcher_;
  Outbound outbound_;
  SocketPoller poller_;
  std::map<NodeId, Peer> peers_;
  // The connection over which each peer last asked: its answers go there.
  std::map<std::pair<NodeId, Channel>, std::string> routes_;
  std::pair<NodeId, Channel> stranger_;
  std::optional<NodeId> own_echo_;  // under this name for a peer it has connected to itself
  std::optional<Pending> pending_;
  std::string group_topic_;
  std::vector<zmq::message_t> parts_;
  std::map<LinkKey, std::string> given_up_;  // closed as broken: where they were connected to
  std::set<zmq::socket_t*> broken_;          // DEALERs that are to be closed
  std::set<zmq::socket_t*> amid_;       // those whose next part is of a message to be passed over
  zmq::socket_t* resume_at_ = nullptr;  // the first that the last turn did not reach
  TimePoint now_{};                     // of this turn
  Counts counts_;
};

}  // namespace radixmesh
