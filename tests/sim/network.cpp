#include "tests/sim/network.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/host.h"
#include "lib/base/node_id.h"
#include "lib/oplog/codec.h"

namespace radixmesh::sim {
namespace {

// Turns in a row in which time does not go on: as many as serving a snapshot may take, and more.
constexpr int kIdleTurnsMax = 100'000;

}  // namespace

Network::Network(std::uint64_t seed, ReplicaSettings common)
    : random(seed), common_(std::move(common)) {
  for (const MemberSettings& member : common_.members) add_node(member);
}

Network::Node& Network::add_node(MemberSettings member) {
  Node& node = nodes_.emplace_back();
  node.id = node_id(common_.cluster, member.addr);
  node.member = std::move(member);
  index_[node.id] = nodes_.size() - 1;
  for (Node& each : nodes_) each.links.resize(nodes_.size());
  return node;
}

std::size_t Network::add_joiner(MemberSettings settings, std::vector<std::string> seeds) {
  add_node(std::move(settings)).join = std::move(seeds);
  return nodes_.size() - 1;
}

ReplicaSettings Network::settings_of(std::size_t node) const {
  const Node& each = nodes_[node];
  ReplicaSettings settings = common_;
  settings.self = each.member.addr;
  if (!each.join.empty()) {
    settings.members.clear();
    settings.join = each.join;
    settings.role = each.member.role;
  }
  const auto clock = (now_.time_since_epoch() + each.clock_step).count();
  settings.epoch = Epoch{1'000'000'000 + static_cast<std::uint64_t>(clock) + each.life};
  const std::string life = std::to_string(each.life);
  const std::string host = dials_ ? std::string(host_of(each.member.addr)) + ":" : "";
  settings.publish_addr = host + life;
  settings.bulk_addr = host + life;
  settings.seed = node * 1000 + each.life;
  if (adjust) adjust(node, settings);
  return settings;
}

NodeId Network::id(const std::string& addr) const { return node_id(common_.cluster, addr); }

void Network::start(std::size_t node) {
  Node& each = nodes_[node];
  ++each.life;
  each.left = false;
  each.paused_until = {};
  unsubscribe_from_all(node);
  each.subscriptions.clear();
  if (dials_) dials_->started(node, each.member.addr);
  each.replica = std::make_unique<Replica>(settings_of(node), now_);
  perform(node);
}

void Network::crash(std::size_t node) {
  nodes_[node].replica.reset();
  if (dials_) dials_->stopped(node);
  unsubscribe_from_all(node);
  set_deadline(node, kNever);
}

void Network::set_deadline(std::size_t node, TimePoint deadline) {
  Node& each = nodes_[node];
  if (each.deadline == deadline) return;
  deadlines_.erase({each.deadline, node});
  each.deadline = deadline;
  if (deadline != kNever) deadlines_.insert({deadline, node});
}

bool Network::chance(double probability) {
  return probability > 0 && std::uniform_real_distribution<>(0, 1)(random) < probability;
}

Duration Network::delay() {
  if (faults.delay_fixed) {
    std::uniform_int_distribution<std::int64_t> jitter(0, faults.jitter_max.count());
    return *faults.delay_fixed + Duration{jitter(random)};
  }
  const double mean = static_cast<double>(faults.delay_mean.count());
  return Duration{50 + static_cast<std::int64_t>(
                           std::exponential_distribution<>(1 / std::max(1.0, mean))(random))};
}

Network::ParcelNumber Network::pack(Bytes bytes) {
  if (free_parcels_.empty()) {
    free_parcels_.push_back(static_cast<ParcelNumber>(parcels_.size()));
    parcels_.emplace_back();
  }
  const ParcelNumber number = free_parcels_.back();
  free_parcels_.pop_back();
  parcels_[number] = {std::move(bytes), 1};
  return number;
}

void Network::release(ParcelNumber parcel) {
  if (--parcels_[parcel].uses > 0) return;
  parcels_[parcel].bytes = Bytes();
  free_parcels_.push_back(parcel);
}

void Network::send(std::size_t from, std::size_t to, const Bytes& sent, Way way, Channel channel) {
  const ParcelNumber parcel = pack(sent);
  send_parcel(from, to, parcel, way, channel);
  release(parcel);
}

void Network::send_parcel(std::size_t from, std::size_t to, ParcelNumber parcel, Way way,
                          Channel channel) {
  ++messages;
  bytes += parcels_[parcel].bytes.size();
  if (dials_ && !is_connected(from, to, way, channel)) return;
  if (!running(to) || (!cut.empty() && cut.contains({from, to}))) return;
  if (!side.empty() && side[from] != side[to]) return;
  Link& way_there = link(from, to);
  const bool published = way == Way::published;
  if (published && faults.burst > 0) {
    int& left = way_there.burst;
    if (left == 0 && chance(faults.burst)) left = faults.burst_length;
    if (left > 0) {
      --left;
      return;
    }
  }
  if (chance(faults.loss)) return;
  const int copies = chance(faults.duplication) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (published && faults.in_flight_max > 0 && way_there.in_flight >= faults.in_flight_max) {
      return;
    }
    ++way_there.in_flight;
    TimePoint at = now_ + delay() + nodes_[from].slowness + nodes_[to].slowness;
    if (chance(faults.reordering)) {
      std::uniform_int_distribution<std::int64_t> extra(0, faults.reorder_extra_max.count());
      at += Duration{extra(random)};
    } else {  // a link keeps its order unless told otherwise
      at = way_there.last_arrival = std::max(at, way_there.last_arrival);
    }
    ParcelNumber arriving = parcel;
    if (chance(faults.corruption)) {
      arriving = pack(corrupted(parcels_[parcel].bytes));
    } else {
      ++parcels_[parcel].uses;
    }
    events_.push({at, next_order_++, static_cast<std::uint32_t>(from),
                  static_cast<std::uint32_t>(to), nodes_[to].life, arriving, way, channel});
  }
}

// One byte is another; or the end is missing.
Bytes Network::corrupted(Bytes sent) {
  if (sent.empty()) return sent;
  const std::size_t at = random() % sent.size();
  if (random() % 4 == 0) {
    sent.resize(at);
  } else {
    sent[at] = static_cast<char>(sent[at] ^ (1 << (random() % 8)));
  }
  return sent;
}

bool Network::subscribes(std::size_t subscriber, std::size_t publisher, Lane lane,
                         std::uint32_t group) const {
  if (!running(subscriber)) return false;
  if (lane == Lane::relayed && nodes_[subscriber].group != group) return false;
  const Link& each = nodes_[publisher].links[subscriber];
  return each.subscribed && each.subscribed_life == nodes_[publisher].life &&
         (lane == Lane::control || !each.watch_only);
}

void Network::subscribe(std::size_t subscriber, std::size_t publisher, std::uint64_t life,
                        bool watch) {
  unsubscribe(subscriber, publisher);
  std::vector<std::uint32_t>& all = nodes_[publisher].subscribers;
  all.insert(std::ranges::lower_bound(all, subscriber), static_cast<std::uint32_t>(subscriber));
  Link& each = link(publisher, subscriber);
  each.subscribed = true;
  each.subscribed_life = life;
  each.watch_only = watch;
}

void Network::unsubscribe(std::size_t subscriber, std::size_t publisher) {
  if (publisher == nodes_.size()) return;
  if (!std::exchange(link(publisher, subscriber).subscribed, false)) return;
  std::erase(nodes_[publisher].subscribers, subscriber);
}

void Network::unsubscribe_from_all(std::size_t subscriber) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) unsubscribe(subscriber, i);
}

void Network::publish(std::size_t from, const Publish& what) {
  std::string_view bytes = what.frame;
  const Envelope envelope = *decode_envelope(*take_frame(bytes));
  const bool is_op = envelope.is_op();
  const bool is_insert = envelope.type == static_cast<std::uint8_t>(MessageType::insert);
  const ParcelNumber parcel = pack(what.frame);
  for (const std::uint32_t to : nodes_[from].subscribers) {
    if (!subscribes(to, from, what.lane, what.group)) continue;
    if (is_op) {
      ++op_messages;
      op_bytes += what.frame.size();
    }
    if (is_insert) {
      ++insert_messages;
      insert_bytes += what.frame.size();
    }
    send_parcel(from, to, parcel, Way::published, Channel::control);
  }
  release(parcel);
}

// A subscription travels to the publisher, which then sends the marker.
void Network::ask_marker(std::size_t subscriber, std::size_t publisher) {
  send(subscriber, publisher, "", Way::subscribed);
}

// Answers come back over the connection of who asked; what is published, over the subscriber's.
bool Network::is_connected(std::size_t from, std::size_t to, Way way, Channel channel) const {
  if (to >= nodes_.size()) return false;
  const bool is_publish = way == Way::published || way == Way::subscribed;
  const LinkKind kind = is_publish                 ? LinkKind::publish
                        : channel == Channel::bulk ? LinkKind::bulk
                                                   : LinkKind::control;
  const bool goes_out = way == Way::question || way == Way::subscribed;
  return goes_out ? dials_->is_up(from, {nodes_[to].id, kind})
                  : dials_->is_up(to, {nodes_[from].id, kind});
}

void Network::perform_link(std::size_t node, const Effect& effect) {
  if (const auto* peer = std::get_if<ConnectPeer>(&effect)) {
    dials_->want(now_, node, {peer->peer, LinkKind::control}, peer->addr);
  } else if (const auto* bulk = std::get_if<BulkPeer>(&effect)) {
    dials_->want(now_, node, {bulk->peer, LinkKind::bulk}, bulk->bulk_addr);
  } else if (const auto* wanted = std::get_if<SubscribeTo>(&effect)) {
    nodes_[node].subscriptions[wanted->peer] = *wanted;
    dials_->want(now_, node, {wanted->peer, LinkKind::publish}, wanted->publish_addr);
  } else if (const auto* gone = std::get_if<UnsubscribeFrom>(&effect)) {
    nodes_[node].subscriptions.erase(gone->peer);
    dials_->drop(node, {gone->peer, LinkKind::publish});
  } else if (const auto* redial = std::get_if<Redial>(&effect)) {
    dials_->redial(now_, node, {redial->peer, LinkKind::control});
  } else if (const auto* dropped = std::get_if<DropPeer>(&effect)) {
    nodes_[node].subscriptions.erase(dropped->peer);
    for (const LinkKind kind : kLinkKinds) dials_->drop(node, {dropped->peer, kind});
  } else if (std::holds_alternative<FindSeeds>(effect)) {
    for (const std::string& seed : nodes_[node].join) dials_->find_seed(now_, node, seed);
  }
}

// The subscription goes with the connection.
void Network::on_publish_link(std::size_t node, const LinkReport& report) {
  const auto wanted = nodes_[node].subscriptions.find(report.link.peer);
  const std::size_t to = index_of(report.link.peer);
  if (to == nodes_.size()) return;
  if (report.trouble != LinkTrouble::none || wanted == nodes_[node].subscriptions.end()) {
    return unsubscribe(node, to);
  }
  const std::string port(port_of(wanted->second.publish_addr));
  subscribe(node, to, std::strtoull(port.c_str(), nullptr, 10), wanted->second.watch_only);
  ask_marker(node, to);
}

void Network::step_dials() {
  for (const Dials::Told& each : dials_->step(now_)) {
    if (!running(each.node)) continue;
    if (const auto* report = std::get_if<LinkReport>(&each.what)) {
      if (report->link.kind == LinkKind::publish) on_publish_link(each.node, *report);
      nodes_[each.node].replica->step(now_, *report);
    } else {
      SeedsFound found = std::get<SeedsFound>(each.what);
      if (resolve && !found.addresses.empty()) found.addresses = resolve(each.node, found.seed);
      nodes_[each.node].replica->step(now_, found);
    }
    perform(each.node);
  }
}

void Network::perform_one(std::size_t node, const Effect& effect) {
  if (dials_) perform_link(node, effect);
  if (const auto* publish_frame = std::get_if<Publish>(&effect)) {
    publish(node, *publish_frame);
  } else if (const auto* marker = std::get_if<PublishMarker>(&effect)) {
    const std::size_t to = index_of(marker->subscriber);
    if (!subscribes(to, node, Lane::ops, 0)) return;
    send(node, to, marker->frame, Way::published);
  } else if (const auto* question = std::get_if<Ask>(&effect)) {
    send(node, index_of(question->peer), question->frame, Way::question, question->channel);
  } else if (const auto* reply = std::get_if<Answer>(&effect)) {
    send(node, index_of(reply->peer), reply->frame, Way::answer, reply->channel);
  } else if (const auto* subscription = std::get_if<SubscribeTo>(&effect)) {
    const std::size_t to = index_of(subscription->peer);
    if (dials_ || to == nodes_.size() || subscription->publish_addr.empty()) return;
    const std::uint64_t life = std::strtoull(subscription->publish_addr.c_str(), nullptr, 10);
    subscribe(node, to, life, subscription->watch_only);
    ask_marker(node, to);
  } else if (const auto* listen = std::get_if<ListenToGroup>(&effect)) {
    nodes_[node].group = listen->group;
  } else if (std::holds_alternative<FindSeeds>(effect)) {
    if (dials_) return;
    for (const std::string& seed : nodes_[node].join) {
      const auto found = resolve ? resolve(node, seed) : std::vector{seed};
      nodes_[node].replica->step(now_, SeedsFound{seed, found, {}, true});
    }
  } else if (std::holds_alternative<AskMarkers>(effect)) {
    for (std::size_t to = 0; to < nodes_.size(); ++to) {
      if (link(to, node).subscribed) ask_marker(node, to);
    }
  } else if (const auto* gone = std::get_if<UnsubscribeFrom>(&effect)) {
    unsubscribe(node, index_of(gone->peer));
  } else if (const auto* applied = std::get_if<OpApplied>(&effect)) {
    if (on_applied) on_applied(node, *applied);
  } else if (const auto* changed = std::get_if<MembershipChanged>(&effect)) {
    if (on_membership) on_membership(node, *changed);
  } else if (const auto* freed = std::get_if<GcFree>(&effect)) {
    if (on_gc_free) on_gc_free(node, *freed);
  } else if (std::holds_alternative<Left>(effect)) {
    nodes_[node].left = true;
  } else if (const auto* line = std::get_if<LogLine>(&effect)) {
    if (!keeps_log) return;
    log_lines.push_back(std::to_string(now_.time_since_epoch().count()) + "us node" +
                        std::to_string(node) + " " + line->event + " " + line->detail);
  }
}

void Network::perform(std::size_t node) {
  if (!running(node)) return;
  const std::vector<Effect> owed = nodes_[node].replica->take_effects();
  if (on_owed_too) on_owed_too(node, owed);
  if (on_owed) on_owed(node, owed);
  for (const Effect& effect : owed) perform_one(node, effect);
  if (nodes_[node].left) return crash(node);
  // Work that goes on over turns takes its time, in which others are heard.
  const TimePoint due = nodes_[node].replica->next_deadline();
  set_deadline(node, due <= now_ ? now_ + turn_takes : due);
}

void Network::arrive(std::size_t node, const Input& input) {
  if (!running(node) || paused(node)) return;
  nodes_[node].replica->step(now_, input);
  perform(node);
}

bool Network::next_event(TimePoint limit) {
  const TimePoint arrival = events_.empty() ? kNever : events_.top().at;
  const TimePoint deadline = deadlines_.empty() ? kNever : deadlines_.begin()->first;
  const TimePoint dials_due = dials_ ? dials_->next_due() : kNever;
  if (dials_due < std::min({arrival, deadline, limit})) {
    now_ = std::max(now_, dials_due);
    step_dials();
    return true;
  }
  if (std::min(arrival, deadline) > limit) return false;
  now_ = std::max(now_, std::min(arrival, deadline));
  if (deadline < arrival) {
    const std::size_t node = deadlines_.begin()->second;
    if (paused(node)) {
      set_deadline(node, nodes_[node].paused_until);
      return true;
    }
    nodes_[node].replica->step(now_, Tick{});
    perform(node);
    // Due again at once means that a shell would spin.
    idle_turns_ = nodes_[node].deadline == now_ ? idle_turns_ + 1 : 0;
    CHECK_THAT(idle_turns_ < kIdleTurnsMax, node);
    return true;
  }
  Event event = events_.top();
  events_.pop();
  const bool arrives = running(event.to) && nodes_[event.to].life == event.life;
  if (arrives && paused(event.to)) {
    event.at = nodes_[event.to].paused_until;  // in the same order, as orders do not change
    events_.push(event);
    return true;
  }
  --link(event.from, event.to).in_flight;
  if (arrives) deliver(event);
  release(event.parcel);
  return true;
}

void Network::deliver(const Event& event) {
  if (event.way == Way::question && answers_instead) {
    const auto said = answers_instead(event.from, event.to, parcels_[event.parcel].bytes);
    if (said) return send(event.to, event.from, *said, Way::answer, event.channel);
  }
  const Bytes& payload = parcels_[event.parcel].bytes;  // until effects pack others
  Replica& replica = *nodes_[event.to].replica;
  const NodeId sender = nodes_[event.from].id;
  arrived_from_ = event.from;
  if (event.way == Way::published) {
    replica.step(now_, Published{payload});
  } else if (event.way == Way::subscribed) {
    replica.step(now_, Subscribed{sender});
  } else {
    replica.step(now_, Received{sender, event.channel, event.way == Way::answer, payload});
  }
  perform(event.to);
  arrived_from_.reset();
}

void Network::run_for(Duration duration) {
  const TimePoint end = now_ + duration;
  while (next_event(end)) {
  }
  now_ = end;
}

bool Network::run_until(const std::function<bool()>& condition, Duration limit) {
  const TimePoint end = now_ + limit;
  while (!condition()) {
    if (!next_event(end)) {
      now_ = end;
      return condition();
    }
  }
  return true;
}

}  // namespace radixmesh::sim
