#include "sidecar/transport.h"

#include <cerrno>
#include <system_error>

#include "lib/base/limits.h"
#include "sidecar/topics.h"

namespace radixmesh {
namespace {

// Two DEALERs a peer, and a few: libzmq's own bound is 1,023.
constexpr int kSocketsMax = static_cast<int>(2 * limits::members_max + 64);
constexpr std::size_t kGatheredBytesMax = limits::frame_bytes_max;
// Identities: 'N', the node's id, its life, and the id of whom the connection is meant for, which
// may be missing. The first byte must not be zero.
constexpr char kIdentityMark = 'N';
constexpr std::size_t kIdentityBytes = 1 + 8 + 8, kIdentityWithPeerBytes = kIdentityBytes + 8;

constexpr std::string_view kScheme = "tcp://";

constexpr SocketBounds kControlBounds{limits::control_messages_max, limits::questions_waiting_max,
                                      limits::message_bytes_max};
constexpr SocketBounds kBulkBounds{limits::bulk_messages_max, limits::questions_waiting_max,
                                   limits::bulk_question_bytes_max};
// What comes in are subscriptions, ours of at most 10 bytes.
constexpr SocketBounds kPublisherBounds{limits::published_messages_max,
                                        limits::subscription_messages_max, 64};
// Of the sockets with which we connect: what comes in is of members.
constexpr SocketBounds kSubscriberBounds{limits::published_messages_max, limits::heard_messages_max,
                                         limits::message_bytes_max};
constexpr SocketBounds kControlAskBounds{limits::control_messages_max, limits::control_messages_max,
                                         limits::message_bytes_max};
constexpr SocketBounds kBulkAskBounds{limits::bulk_messages_max, limits::bulk_messages_max,
                                      limits::message_bytes_max};

// What ZMTP sends with each part, up to 255 bytes and above; and with a subscription at most.
constexpr std::size_t kPartHeader = 2, kLongPartHeader = 9, kSubscribeCommand = 16;

constexpr Intake::Bounds intake_of(SocketBounds bounds) {
  const std::size_t message = bounds.message_bytes_max + kLongPartHeader;
  return {message + limits::read_ahead_bytes_max,
          static_cast<std::size_t>(bounds.received_max) * 2 * message};
}
// Which socket one of our own connections is of is not known.
static_assert(limits::heard_messages_max >= limits::control_messages_max);
static_assert(limits::heard_messages_max >= limits::bulk_messages_max);

}  // namespace

Transport::Transport(NodeId self, std::uint64_t life, const NodeAddresses& addresses,
                     std::size_t connections_max)
    : self_(self),
      context_([] {
        zmq::context_t context(1);
        context.set(zmq::ctxopt::blocky, 0);  // it ends without waiting for unsent messages
        context.set(zmq::ctxopt::max_sockets, kSocketsMax);
        return context;
      }()),
      is_member_([this](NodeId id) { return peers_.contains(id); }),
      control_(context_, zmq::socket_type::router, kControlBounds, "control",
               {connections_max, intake_of(kControlBounds)}, is_member_),
      publisher_(context_, zmq::socket_type::xpub, kPublisherBounds, "publisher",
                 {connections_max, intake_of(kPublisherBounds)}, is_member_),
      bulk_(context_, zmq::socket_type::router, kBulkBounds, "bulk",
            {connections_max, intake_of(kBulkBounds)}, is_member_),
      subscriber_(context_, kSubscriberBounds, "subscriber"),
      watcher_(context_, kSubscriberBounds, "watcher"),
      outbound_(intake_of(kSubscriberBounds)) {
  identity_.push_back(kIdentityMark);
  put_u64(identity_, self.value);
  put_u64(identity_, life);
  subscriber_.subscribe(topic_of(Lane::control));
  subscriber_.subscribe(topic_of(Lane::ops));
  subscriber_.subscribe(marker_topic(self_));
  watcher_.subscribe(watcher_topic(self_));
  watcher_.subscribe(topic_of(Lane::control));
  for (BoundSocket* router : {&control_, &bulk_}) {
    router->socket().set(zmq::sockopt::router_mandatory, 1);  // an unknown peer is an error
    router->socket().set(zmq::sockopt::router_handover, 1);   // the same identity anew is let in
  }
  // A repeated marker subscription is reported too, and each end of one: topics are counted.
  publisher_.socket().set(zmq::sockopt::xpub_verboser, 1);
  control_.listen(addresses.control);
  publish_addr_ = publisher_.listen(addresses.publish);
  bulk_addr_ = bulk_.listen(addresses.bulk);
  poller_.add(SocketPoller::Kind::publisher, {}, publisher_.socket());
  poller_.add(SocketPoller::Kind::subscriber, {}, subscriber_.socket());
  poller_.add(SocketPoller::Kind::watcher, {}, watcher_.socket());
  poller_.add(SocketPoller::Kind::control_router, {}, control_.socket());
  poller_.add(SocketPoller::Kind::bulk_router, {}, bulk_.socket());
  for (BoundSocket* bound : {&control_, &publisher_, &bulk_}) {
    poller_.add(SocketPoller::Kind::monitor, {}, bound->events());
  }
  for (Subscriber* subscriber : {&subscriber_, &watcher_}) {
    poller_.add(SocketPoller::Kind::monitor, {}, subscriber->events());
  }
}

Transport::~Transport() = default;

// ---- links -------------------------------------------------------------------------------------

bool Transport::connect(LinkKey link, const std::string& endpoint) {
  if (!peers_.contains(link.peer)) return true;
  try {
    if (link.kind != LinkKind::publish) return connect_dealer(link, endpoint);
    Subscriber& subscriber = subscriber_of(peers_.at(link.peer));
    poller_.touched(subscriber.socket());
    subscriber.connect(link.peer, endpoint);
    note_passed_over(subscriber);
    return true;
  } catch (const zmq::error_t& error) {
    if (error.num() == EMFILE || error.num() == ENFILE) return false;
    ++counts_.malformed;  // someone named a place that is none
    return true;
  } catch (const std::system_error&) {
    return false;  // what the system has no more of now it may have later
  }
}

bool Transport::connect_dealer(LinkKey link, const std::string& endpoint) {
  const bool control = link.kind == LinkKind::control;
  Peer& peer = peers_.at(link.peer);
  auto& dealer = control ? peer.control : peer.bulk;
  close_dealer(dealer);
  given_up_.erase(link);
  zmq::socket_t socket =
      make_socket(context_, zmq::socket_type::dealer, control ? kControlAskBounds : kBulkAskBounds);
  // Whom it is meant for is a part of it: where two names stand for one place, the second of our
  // connections there would take the first one's away.
  std::string identity = identity_;
  put_u64(identity, link.peer.value);
  socket.set(zmq::sockopt::routing_id, identity);
  socket.set(zmq::sockopt::immediate, 1);  // nothing is queued for a peer that is not connected
  socket.set(zmq::sockopt::ipv6, endpoint.starts_with('[') ? 1 : 0);
  socket.connect(std::string(kScheme) + endpoint);
  dealer = std::move(socket);
  poller_.add(control ? SocketPoller::Kind::control_dealer : SocketPoller::Kind::bulk_dealer,
              link.peer, *dealer);
  return true;
}

void Transport::disconnect(LinkKey link, const std::string& endpoint) {
  const auto found = peers_.find(link.peer);
  if (found == peers_.end()) return;
  given_up_.erase(link);
  if (link.kind == LinkKind::control) return close_dealer(found->second.control);
  if (link.kind == LinkKind::bulk) return close_dealer(found->second.bulk);
  Subscriber& subscriber = subscriber_of(found->second);
  if (!subscriber.leave(link.peer, endpoint)) return;
  poller_.touched(subscriber.socket());
  amid_.erase(&subscriber.socket());
  subscriber.disconnect(endpoint);
  note_passed_over(subscriber);
}

// Messages that went with another's connection are lost, and repaired; but they were heard of who
// sent them, who is not amid one without end.
void Transport::note_passed_over(Subscriber& subscriber) {
  for (std::vector<zmq::message_t>& parts : subscriber.take_passed_over()) {
    parts_ = std::move(parts);
    note_heard();
  }
}

void Transport::close_dealer(std::optional<zmq::socket_t>& dealer) {
  if (!dealer) return;
  poller_.remove(*dealer);
  if (resume_at_ == &*dealer) resume_at_ = nullptr;
  broken_.erase(&*dealer);
  dealer.reset();
}

void Transport::close_broken() {
  if (broken_.empty()) return;
  for (auto& [id, peer] : peers_) {
    for (const LinkKind kind : {LinkKind::control, LinkKind::bulk}) {
      auto& dealer = kind == LinkKind::control ? peer.control : peer.bulk;
      if (!dealer || !broken_.contains(&*dealer)) continue;
      given_up_[{id, kind}] = dealer->get(zmq::sockopt::last_endpoint).substr(kScheme.size());
      close_dealer(dealer);
    }
  }
}

void Transport::connect_given_up() {
  for (const auto& [link, endpoint] : std::exchange(given_up_, {})) {
    if (!connect(link, endpoint)) given_up_[link] = endpoint;
  }
}

void Transport::drop_peer(NodeId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  close_dealer(found->second.control);
  close_dealer(found->second.bulk);
  for (const LinkKind kind : kLinkKinds) given_up_.erase({id, kind});
  peers_.erase(found);
  routes_.erase({id, Channel::control});
  routes_.erase({id, Channel::bulk});
}

void Transport::set_watch_only(NodeId id, bool watch_only) {
  const auto found = peers_.find(id);
  if (found != peers_.end()) found->second.watch_only = watch_only;
}

// A DEALER that queues nothing for whom it is not connected to can send only where it is.
bool Transport::is_up(LinkKey link, const std::string& endpoint) {
  const auto found = peers_.find(link.peer);
  if (found == peers_.end()) return false;
  if (link.kind == LinkKind::publish) return subscriber_of(found->second).is_up(endpoint);
  auto& dealer = link.kind == LinkKind::control ? found->second.control : found->second.bulk;
  return dealer && poller_.writable(*dealer);
}

// ---- connections -------------------------------------------------------------------------------

void Transport::look_at_connections() {
  for (BoundSocket* bound : {&control_, &publisher_, &bulk_}) {
    bound->look_at_connections(now_, nothing_waits());
  }
  for (Subscriber* subscriber : {&subscriber_, &watcher_}) subscriber->look_at_connections();
}

// An empty message: who counts silent connections need not know what it is.
void Transport::say_something(NodeId id, Peer& peer, TimePoint now) {
  for (const Channel channel : {Channel::control, Channel::bulk}) {
    const TimePoint last = channel == Channel::control ? peer.last_control : peer.last_bulk;
    if (now - last >= limits::sign_of_life_every) ask(id, channel, {});
  }
}

void Transport::look_after(TimePoint now) {
  now_ = now;
  look_at_connections();
  for (BoundSocket* bound : {&control_, &publisher_, &bulk_}) {
    bound->inbound().look_after(now, nothing_waits());
    poller_.touched(bound->socket());
    bound->look_after_listener();
  }
  outbound_.look_after(now, nothing_waits(), [this](int descriptor) {
    return control_.inbound().knows(descriptor) || publisher_.inbound().knows(descriptor) ||
           bulk_.inbound().knows(descriptor);
  });
  connect_given_up();
  for (auto& [id, peer] : peers_) say_something(id, peer, now);
}

void Transport::ask_markers() {
  poller_.touched(subscriber_.socket());
  subscriber_.unsubscribe(marker_topic(self_));
  subscriber_.subscribe(marker_topic(self_));
}

// ---- out ---------------------------------------------------------------------------------------

void Transport::listen_to_group(std::uint32_t group) {
  poller_.touched(subscriber_.socket());
  if (!group_topic_.empty()) subscriber_.unsubscribe(group_topic_);
  group_topic_ = topic_of(Lane::relayed, group);
  subscriber_.subscribe(group_topic_);
}

void Transport::publish(const Publish& publish) {
  const std::string topic = topic_of(publish.lane, publish.group);
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
  for (BoundSocket* bound : {&publisher_, &control_, &bulk_}) {
    bound->socket().set(zmq::sockopt::linger, milliseconds);
  }
  for (auto& [id, peer] : peers_) {
    if (peer.control) peer.control->set(zmq::sockopt::linger, milliseconds);
  }
}

void Transport::send_published(std::string_view topic, std::string_view payload) {
  zmq::message_t first(topic), second(payload);
  poller_.touched(publisher_.socket());
  // An XPUB never waits: where a subscriber's queue is full it drops, and repair mends it.
  if (publisher_.socket().send(first, zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
    (void)publisher_.socket().send(second, zmq::send_flags::dontwait);
  }
  counts_.bytes_sent += topic.size() + payload.size();
  ++counts_.messages_sent;
}

void Transport::ask(NodeId id, Channel channel, const Bytes& frame) {
  auto found = peers_.find(id);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  auto& dealer = channel == Channel::control ? peer.control : peer.bulk;
  zmq::message_t message(frame);
  if (dealer) poller_.touched(*dealer);
  if (!dealer || !dealer->send(message, zmq::send_flags::dontwait)) {
    if (!frame.empty()) ++counts_.dropped;
    return;
  }
  (channel == Channel::control ? peer.last_control : peer.last_bulk) = now_;
  counts_.bytes_sent += frame.size();
  ++counts_.messages_sent;
}

void Transport::answer(NodeId id, Channel channel, const Bytes& frame) {
  auto route = routes_.find({id, channel});
  if (route == routes_.end()) {
    ++counts_.dropped;
    return;
  }
  zmq::socket_t& router = channel == Channel::control ? control_.socket() : bulk_.socket();
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

bool Transport::receive(zmq::socket_t& socket, TurnBudget& budget) {
  if (budget.exhausted() || !pass_over_rest(socket, budget)) return false;
  parts_.clear();
  do {
    parts_.emplace_back();
    if (!take_part(socket, parts_.back(), budget)) return false;
    if (parts_.size() <= kPartsMax) continue;
    cut_sender(socket);
    amid_.insert(&socket);
    break;
  } while (socket.get(zmq::sockopt::rcvmore) != 0);
  ++counts_.messages_received;
  return true;
}

bool Transport::receive_one_part(zmq::socket_t& socket, TurnBudget& budget) {
  if (budget.exhausted() || broken_.contains(&socket)) return false;
  parts_.clear();
  parts_.emplace_back();
  if (!take_part(socket, parts_.back(), budget)) return false;
  if (socket.get(zmq::sockopt::rcvmore) == 0) {
    ++counts_.messages_received;
    return true;
  }
  ++counts_.malformed;
  broken_.insert(&socket);
  return false;
}

bool Transport::take_part(zmq::socket_t& socket, zmq::message_t& part, TurnBudget& budget) {
  if (!socket.recv(part, zmq::recv_flags::dontwait)) return false;
  counts_.bytes_received += part.size();
  budget.took(part.size());
  return true;
}

bool Transport::pass_over_rest(zmq::socket_t& socket, TurnBudget& budget) {
  constexpr int kPartsPerLook = 64;
  if (!amid_.contains(&socket)) return true;
  zmq::message_t part;
  for (int i = 0; socket.get(zmq::sockopt::rcvmore) != 0; ++i) {
    if (i % kPartsPerLook == 0 && budget.exhausted()) return false;
    if (!take_part(socket, part, budget)) return false;
  }
  amid_.erase(&socket);
  return true;
}

void Transport::cut_sender(zmq::socket_t& socket) {
  const int descriptor = ::zmq_msg_get(parts_.back().handle(), ZMQ_SRCFD);
  for (BoundSocket* bound : {&control_, &publisher_, &bulk_}) {
    if (&bound->socket() != &socket) continue;
    if (!bound->inbound().knows(descriptor)) bound->look_at_connections(now_, nothing_waits());
    bound->inbound().cut(descriptor);
    return;
  }
  outbound_.cut(descriptor);
}

std::size_t Transport::sent_bytes(std::size_t first_part) const {
  std::size_t bytes = 0;
  for (std::size_t i = first_part; i < parts_.size(); ++i) {
    bytes += parts_[i].size() + (parts_[i].size() > 255 ? kLongPartHeader : kPartHeader);
  }
  return bytes;
}

void Transport::note_heard() {
  outbound_.heard(::zmq_msg_get(parts_.back().handle(), ZMQ_SRCFD), sent_bytes(0));
}

void Transport::note_heard(BoundSocket& bound, std::optional<NodeId> from) {
  // No descriptor: the connection has ended already.
  const int descriptor = ::zmq_msg_get(parts_.back().handle(), ZMQ_SRCFD);
  if (!bound.inbound().knows(descriptor)) bound.look_at_connections(now_, nothing_waits());
  // A ROUTER puts the sender's identity before what was sent; a subscription is sent as a command.
  const std::size_t bytes =
      &bound == &publisher_ ? sent_bytes(0) + kSubscribeCommand : sent_bytes(1);
  bound.inbound().heard(now_, descriptor, bytes, from);
}

// libzmq has stored the topic already; who sends one that does not exist would send more.
std::optional<NodeId> Transport::note_subscription() {
  const std::string_view bytes = parts_.at(0).to_string_view();
  const int descriptor = ::zmq_msg_get(parts_.at(0).handle(), ZMQ_SRCFD);
  const bool is_one = !bytes.empty() && (bytes[0] == 0 || bytes[0] == 1);
  const Topic topic = read_topic(is_one ? bytes.substr(1) : std::string_view{});
  note_heard(publisher_, topic.subscriber);
  if (!topic.exists) {
    ++counts_.malformed;
    publisher_.inbound().cut(descriptor);
    return std::nullopt;
  }
  const bool begins = bytes[0] == 1;
  if (!publisher_.inbound().subscribed(descriptor, bytes.substr(1), begins) || !begins) {
    return std::nullopt;
  }
  return topic.is_marker ? topic.subscriber : std::nullopt;
}

std::optional<NodeId> Transport::note_route(BoundSocket& router, Channel channel) {
  const std::string_view identity = parts_[0].to_string_view();
  const bool has_peer = identity.size() == kIdentityWithPeerBytes;
  if (parts_.size() != 2 || (identity.size() != kIdentityBytes && !has_peer) ||
      identity[0] != kIdentityMark) {
    ++counts_.malformed;
    note_heard(router, std::nullopt);
    return std::nullopt;
  }
  const NodeId from{get_u64(identity.substr(1))};
  note_heard(router, from);
  // Its name for that member stands for this place, for now: what it says is not for us.
  const NodeId meant{has_peer ? get_u64(identity.substr(kIdentityBytes)) : self_.value};
  if (meant != self_ && peers_.contains(meant)) {
    ++counts_.misdirected;
    if (identity.starts_with(identity_)) own_echo_ = meant;
    return std::nullopt;
  }
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
