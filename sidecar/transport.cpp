#include "sidecar/transport.h"

#include <netdb.h>

#include <cstring>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// High-water marks count messages; a message has at most 64 KiB, as frames gather up to that.
constexpr int kPublishMessages = 1000;
constexpr int kControlMessages = 1000, kControlAskMessages = 100;
constexpr int kBulkMessages = 64;
// Two DEALERs a peer, and a few: libzmq's own bound is 1,023.
constexpr int kSocketsMax = static_cast<int>(2 * limits::members_max + 64);
constexpr std::size_t kGatheredBytesMax = limits::frame_bytes_max;
// Identities: 'N', the node's id, its life. The first byte must not be zero.
constexpr char kIdentityMark = 'N';
constexpr std::size_t kIdentityBytes = 1 + 8 + 8;

constexpr std::string_view kControlTopic = "C", kOpsTopic = "S", kRelayedTopic = "R";
// On a reconnect libzmq sends subscriptions in the order of their bytes: a marker topic that sorts
// after the lanes proves that they are in force.
constexpr char kMarkerTopicByte = '\xFF';

void put_u64(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t get_u64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (char byte : bytes.substr(0, 8)) value = (value << 8) | static_cast<std::uint8_t>(byte);
  return value;
}

std::string host_of(const std::string& addr) { return addr.substr(0, addr.rfind(':')); }

// ZeroMQ binds to numeric addresses and interfaces only, so a name is looked up here.
std::string numeric(const std::string& addr) {
  std::string host = host_of(addr);
  const std::string port = addr.substr(addr.rfind(':') + 1);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) {
    throw BindError("cannot bind " + addr + ": the host's name is not known");
  }
  char text[NI_MAXHOST] = {};
  ::getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  const bool six = found->ai_family == AF_INET6;
  ::freeaddrinfo(found);
  return (six ? "[" + std::string(text) + "]" : std::string(text)) + ":" + port;
}

}  // namespace

Transport::Transport(NodeId self, std::uint64_t life, const std::string& local_cache_addr,
                     const std::string& publish_addr)
    : self_(self), host_(host_of(local_cache_addr)), context_(1) {
  identity_.push_back(kIdentityMark);
  put_u64(identity_, self.value);
  put_u64(identity_, life);
  context_.set(zmq::ctxopt::blocky, 0);  // a context ends without waiting for unsent messages
  context_.set(zmq::ctxopt::max_sockets, kSocketsMax);

  subscriber_ = make_socket(zmq::socket_type::sub, kPublishMessages);
  subscriber_.set(zmq::sockopt::subscribe, kControlTopic);
  subscriber_.set(zmq::sockopt::subscribe, kOpsTopic);
  subscriber_.set(zmq::sockopt::subscribe, marker_topic(self_));
  watcher_ = make_socket(zmq::socket_type::sub, kPublishMessages);
  watcher_.set(zmq::sockopt::subscribe, kControlTopic);

  control_router_ = make_socket(zmq::socket_type::router, kControlMessages);
  bulk_router_ = make_socket(zmq::socket_type::router, kBulkMessages);
  for (zmq::socket_t* router : {&control_router_, &bulk_router_}) {
    router->set(zmq::sockopt::router_mandatory, 1);  // an unknown peer is an error, not silence
    router->set(zmq::sockopt::router_handover, 1);   // a reconnect with the same identity is let in
  }
  bind(control_router_, local_cache_addr, "--local-cache-addr");
  publisher_ = make_socket(zmq::socket_type::xpub, kPublishMessages);
  publisher_.set(zmq::sockopt::xpub_verbose, 1);  // a repeated marker subscription is reported too
  // What comes in are subscriptions, ours of at most 10 bytes: no stranger can fill it with topics.
  publisher_.set(zmq::sockopt::maxmsgsize, std::int64_t{64});
  publish_addr_ =
      bind(publisher_, publish_addr.empty() ? host_ + ":0" : publish_addr, "--publish-addr");
  bulk_addr_ = bind(bulk_router_, host_ + ":0", "bulk address");
  poller_.add(SocketPoller::Kind::publisher, {}, publisher_);
  poller_.add(SocketPoller::Kind::subscriber, {}, subscriber_);
  poller_.add(SocketPoller::Kind::watcher, {}, watcher_);
  poller_.add(SocketPoller::Kind::control_router, {}, control_router_);
  poller_.add(SocketPoller::Kind::bulk_router, {}, bulk_router_);
}

Transport::~Transport() = default;

zmq::socket_t Transport::make_socket(zmq::socket_type type, int high_water_mark) {
  zmq::socket_t socket(context_, type);
  socket.set(zmq::sockopt::linger, 0);  // ending never waits for a peer
  socket.set(zmq::sockopt::sndhwm, high_water_mark);
  socket.set(zmq::sockopt::rcvhwm, high_water_mark);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(limits::message_bytes_max));
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

// Returns the address as others reach it: the given host, and the port that was bound.
std::string Transport::bind(zmq::socket_t& socket, const std::string& addr, const char* what) {
  const std::string where = numeric(addr);
  if (where.front() == '[') socket.set(zmq::sockopt::ipv6, 1);
  try {
    const bool any_port = where.ends_with(":0");
    socket.bind("tcp://" + (any_port ? where.substr(0, where.size() - 1) + "*" : where));
  } catch (const zmq::error_t& error) {
    const std::string reason =
        error.num() == EADDRINUSE ? "the address is in use" : std::string(error.what());
    throw BindError(std::string(what) + ": cannot bind " + addr + ": " + reason);
  }
  const std::string bound = socket.get(zmq::sockopt::last_endpoint);
  return host_of(addr) + bound.substr(bound.rfind(':'));
}

void Transport::connect_dealer(std::optional<zmq::socket_t>& dealer, SocketPoller::Kind kind,
                               NodeId peer, const std::string& addr, int high_water_mark) {
  if (dealer) poller_.remove(*dealer);
  dealer.reset();
  if (addr.empty()) return;
  try {
    zmq::socket_t socket = make_socket(zmq::socket_type::dealer, high_water_mark);
    socket.set(zmq::sockopt::routing_id, identity_);
    socket.set(zmq::sockopt::immediate, 1);  // nothing is queued for a peer that is not connected
    socket.set(zmq::sockopt::ipv6, addr.starts_with('[') ? 1 : 0);
    socket.connect("tcp://" + addr);
    dealer = std::move(socket);
    poller_.add(kind, peer, *dealer);
  } catch (const zmq::error_t&) {
    ++counts_.malformed;  // someone named a place that is none
  }
}

void Transport::add_peer(NodeId id, const std::string& control_addr) {
  Peer& peer = peers_[id];
  if (peer.control && peer.control_addr == control_addr) return;
  peer.control_addr = control_addr;
  connect_dealer(peer.control, SocketPoller::Kind::control_dealer, id, control_addr,
                 kControlAskMessages);
}

void Transport::drop_peer(NodeId id) {
  unsubscribe(id);
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  for (auto* dealer : {&found->second.control, &found->second.bulk}) {
    if (*dealer) poller_.remove(**dealer);
  }
  peers_.erase(found);
  routes_.erase({id, Channel::control});
  routes_.erase({id, Channel::bulk});
}

void Transport::set_bulk_peer(NodeId id, const std::string& bulk_addr) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  connect_dealer(found->second.bulk, SocketPoller::Kind::bulk_dealer, id, bulk_addr, kBulkMessages);
}

void Transport::subscribe(const SubscribeTo& link) {
  auto found = peers_.find(link.peer);
  if (found == peers_.end() || link.publish_addr.empty()) return;
  zmq::socket_t& socket = link.watch_only ? watcher_ : subscriber_;
  try {
    poller_.touched(socket);
    if (link.publish_addr.starts_with('[')) socket.set(zmq::sockopt::ipv6, 1);
    socket.connect("tcp://" + link.publish_addr);
    found->second.publish_addr = link.publish_addr;
    found->second.watch_only = link.watch_only;
  } catch (const zmq::error_t&) {
    ++counts_.malformed;
  }
}

void Transport::unsubscribe(NodeId id) {
  auto found = peers_.find(id);
  if (found == peers_.end() || found->second.publish_addr.empty()) return;
  zmq::socket_t& socket = found->second.watch_only ? watcher_ : subscriber_;
  poller_.touched(socket);
  try {
    socket.disconnect("tcp://" + std::exchange(found->second.publish_addr, ""));
  } catch (const zmq::error_t&) {
    ++counts_.malformed;
  }
}

void Transport::ask_markers() {
  poller_.touched(subscriber_);
  subscriber_.set(zmq::sockopt::unsubscribe, marker_topic(self_));
  subscriber_.set(zmq::sockopt::subscribe, marker_topic(self_));
}

std::string Transport::marker_topic(NodeId id) const {
  std::string topic(1, kMarkerTopicByte);
  put_u64(topic, id.value);
  return topic;
}

// ---- out ---------------------------------------------------------------------------------------

std::string Transport::topic_of(const Publish& publish) {
  if (publish.lane == Lane::control) return std::string(kControlTopic);
  if (publish.lane == Lane::ops) return std::string(kOpsTopic);
  std::string topic(kRelayedTopic);
  for (int shift = 24; shift >= 0; shift -= 8) {
    topic.push_back(static_cast<char>(publish.group >> shift));
  }
  return topic;
}

void Transport::listen_to_group(std::uint32_t group) {
  poller_.touched(subscriber_);
  if (!group_topic_.empty()) subscriber_.set(zmq::sockopt::unsubscribe, group_topic_);
  group_topic_ = topic_of(Publish{Lane::relayed, {}, group});
  subscriber_.set(zmq::sockopt::subscribe, group_topic_);
}

void Transport::publish(const Publish& publish) {
  const std::string topic = topic_of(publish);
  if (pending_ && (pending_->topic != topic ||
                   pending_->frames.size() + publish.frame.size() > kGatheredBytesMax)) {
    flush();
  }
  if (!pending_) pending_ = Pending{topic, {}};
  pending_->frames += publish.frame;
}

void Transport::publish_marker(NodeId subscriber, const Bytes& frame) {
  flush();  // what was published before comes before
  send_published(marker_topic(subscriber), frame);
}

void Transport::flush() {
  if (!pending_) return;
  send_published(pending_->topic, pending_->frames);
  pending_.reset();
}

void Transport::linger(int milliseconds) {
  for (zmq::socket_t* socket : {&publisher_, &control_router_, &bulk_router_}) {
    socket->set(zmq::sockopt::linger, milliseconds);
  }
  for (auto& [id, peer] : peers_) {
    if (peer.control) peer.control->set(zmq::sockopt::linger, milliseconds);
  }
}

void Transport::send_published(std::string_view topic, std::string_view payload) {
  zmq::message_t first(topic), second(payload);
  poller_.touched(publisher_);
  // An XPUB never waits: where a subscriber's queue is full it drops, and repair mends it.
  if (publisher_.send(first, zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
    (void)publisher_.send(second, zmq::send_flags::dontwait);
  }
  counts_.bytes_sent += topic.size() + payload.size();
  ++counts_.messages_sent;
}

void Transport::ask(NodeId id, Channel channel, const Bytes& frame) {
  auto found = peers_.find(id);
  if (found == peers_.end()) return;
  auto& dealer = channel == Channel::control ? found->second.control : found->second.bulk;
  zmq::message_t message(frame);
  if (dealer) poller_.touched(*dealer);
  if (!dealer || !dealer->send(message, zmq::send_flags::dontwait)) {
    ++counts_.dropped;
    return;
  }
  counts_.bytes_sent += frame.size();
  ++counts_.messages_sent;
}

void Transport::answer(NodeId id, Channel channel, const Bytes& frame) {
  auto route = routes_.find({id, channel});
  if (route == routes_.end()) {
    ++counts_.dropped;
    return;
  }
  zmq::socket_t& router = channel == Channel::control ? control_router_ : bulk_router_;
  zmq::message_t to(route->second), message(frame);
  poller_.touched(router);
  try {
    if (!router.send(to, zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
      ++counts_.dropped;
      return;
    }
    (void)router.send(message, zmq::send_flags::dontwait);
  } catch (const zmq::error_t&) {
    ++counts_.dropped;  // EHOSTUNREACH: the peer is gone
    return;
  }
  counts_.bytes_sent += frame.size();
  ++counts_.messages_sent;
}

// ---- in ----------------------------------------------------------------------------------------

bool Transport::receive(zmq::socket_t& socket, std::vector<zmq::message_t>& parts) {
  parts.clear();
  do {
    zmq::message_t part;
    if (!socket.recv(part, zmq::recv_flags::dontwait)) return false;
    counts_.bytes_received += part.size();
    // More parts than any message of ours has are read and dropped.
    if (parts.size() < 4) parts.push_back(std::move(part));
  } while (socket.get(zmq::sockopt::rcvmore) != 0);
  ++counts_.messages_received;
  return true;
}

std::optional<NodeId> Transport::marker_subscriber(const zmq::message_t& message) {
  const std::string_view bytes = message.to_string_view();
  if (bytes.size() != 10 || bytes[0] != 1 || bytes[1] != kMarkerTopicByte) return std::nullopt;
  return NodeId{get_u64(bytes.substr(2))};
}

std::optional<NodeId> Transport::note_route(Channel channel,
                                            const std::vector<zmq::message_t>& parts) {
  const std::string_view identity = parts[0].to_string_view();
  if (parts.size() != 2 || identity.size() != kIdentityBytes || identity[0] != kIdentityMark) {
    ++counts_.malformed;
    return std::nullopt;
  }
  const NodeId from{get_u64(identity.substr(1))};
  const auto key = std::pair(from, channel);
  // A stranger may be told why it is refused; only the last one is remembered.
  if (!peers_.contains(from)) {
    if (stranger_ != key && !peers_.contains(stranger_.first)) routes_.erase(stranger_);
    stranger_ = key;
  }
  routes_[key] = identity;
  return from;
}

}  // namespace radixmesh
