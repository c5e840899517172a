#include "tests/sim/network.h"

#include <algorithm>

#include "lib/base/check.h"

namespace radixmesh::sim {
namespace {

// Turns in a row in which time does not go on: as many as serving a snapshot may take, and more.
constexpr int kIdleTurnsMax = 100'000;

}  // namespace

Network::Network(std::uint64_t seed, ReplicaSettings common)
    : random(seed), common_(std::move(common)) {
  for (const MemberSettings& member : common_.members) {
    index_[node_id(common_.cluster, member.addr)] = nodes_.size();
    nodes_.emplace_back().member = member;
  }
}

std::size_t Network::add_joiner(MemberSettings settings, std::vector<std::string> seeds) {
  index_[node_id(common_.cluster, settings.addr)] = nodes_.size();
  Node& node = nodes_.emplace_back();
  node.member = std::move(settings);
  node.join = std::move(seeds);
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
  settings.publish_addr = life;
  settings.bulk_addr = life;
  settings.seed = node * 1000 + each.life;
  if (adjust) adjust(node, settings);
  return settings;
}

void Network::start(std::size_t node) {
  Node& each = nodes_[node];
  ++each.life;
  each.left = false;
  each.paused_until = {};
  each.subscriptions.clear();
  each.replica = std::make_unique<Replica>(settings_of(node), now_);
  perform(node);
}

void Network::crash(std::size_t node) {
  nodes_[node].replica.reset();
  nodes_[node].subscriptions.clear();
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
  const double mean = static_cast<double>(faults.delay_mean.count());
  return Duration{50 + static_cast<std::int64_t>(
                           std::exponential_distribution<>(1 / std::max(1.0, mean))(random))};
}

void Network::send(std::size_t from, std::size_t to, const Bytes& sent, bool published,
                   std::function<Input(std::string_view)> input) {
  ++messages;
  bytes += sent.size();
  if (!running(to) || cut.contains({from, to})) return;
  if (published && faults.burst > 0) {
    int& left = bursts_[{from, to}];
    if (left == 0 && chance(faults.burst)) left = faults.burst_length;
    if (left > 0) {
      --left;
      return;
    }
  }
  if (chance(faults.loss)) return;
  const int copies = chance(faults.duplication) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    int& in_flight = in_flight_[{from, to}];
    if (published && faults.in_flight_max > 0 && in_flight >= faults.in_flight_max) return;
    ++in_flight;
    TimePoint at = now_ + delay() + nodes_[from].slowness + nodes_[to].slowness;
    if (chance(faults.reordering)) {
      std::uniform_int_distribution<std::int64_t> extra(0, faults.reorder_extra_max.count());
      at += Duration{extra(random)};
    } else {  // a link keeps its order unless told otherwise
      TimePoint& last = last_arrival_[{from, to}];
      at = last = std::max(at, last);
    }
    const Bytes arriving = chance(faults.corruption) ? corrupted(sent) : sent;
    events_.push({at, next_order_++, from, to, nodes_[to].life,
                  [arriving, input](Replica& replica, TimePoint now) {
                    replica.step(now, input(arriving));
                  }});
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

bool Network::subscribes(std::size_t subscriber, std::size_t publisher, Lane lane) const {
  auto found = nodes_[subscriber].subscriptions.find(publisher);
  return running(subscriber) && found != nodes_[subscriber].subscriptions.end() &&
         found->second.life == nodes_[publisher].life &&
         (lane == Lane::control || !found->second.watch_only);
}

void Network::publish(std::size_t from, Lane lane, const Bytes& frame) {
  for (std::size_t to = 0; to < nodes_.size(); ++to) {
    if (!subscribes(to, from, lane)) continue;
    if (lane == Lane::ops) {
      ++op_messages;
      op_bytes += frame.size();
    }
    send(from, to, frame, true, [](std::string_view bytes) { return Published{bytes}; });
  }
}

// A subscription travels to the publisher, which then sends the marker.
void Network::ask_marker(std::size_t subscriber, std::size_t publisher) {
  const NodeId self = node_id(common_.cluster, addr(subscriber));
  send(subscriber, publisher, "", false, [self](std::string_view) { return Subscribed{self}; });
}

void Network::perform_one(std::size_t node, const Effect& effect) {
  const NodeId self = node_id(common_.cluster, addr(node));
  if (const auto* publish_frame = std::get_if<Publish>(&effect)) {
    publish(node, publish_frame->lane, publish_frame->frame);
  } else if (const auto* marker = std::get_if<PublishMarker>(&effect)) {
    const std::size_t to = index_of(marker->subscriber);
    if (!subscribes(to, node, Lane::ops)) return;
    send(node, to, marker->frame, true, [](std::string_view bytes) { return Published{bytes}; });
  } else if (const auto* question = std::get_if<Ask>(&effect)) {
    send(node, index_of(question->peer), question->frame, false,
         [self, channel = question->channel](std::string_view bytes) {
           return Received{self, channel, false, bytes};
         });
  } else if (const auto* reply = std::get_if<Answer>(&effect)) {
    send(node, index_of(reply->peer), reply->frame, false,
         [self, channel = reply->channel](std::string_view bytes) {
           return Received{self, channel, true, bytes};
         });
  } else if (const auto* subscription = std::get_if<SubscribeTo>(&effect)) {
    const std::size_t to = index_of(subscription->peer);
    if (to == nodes_.size() || subscription->publish_addr.empty()) return;
    nodes_[node].subscriptions[to] = {
        std::strtoull(subscription->publish_addr.c_str(), nullptr, 10), subscription->watch_only};
    ask_marker(node, to);
  } else if (std::holds_alternative<AskMarkers>(effect)) {
    for (const auto& [to, link] : nodes_[node].subscriptions) ask_marker(node, to);
  } else if (const auto* gone = std::get_if<UnsubscribeFrom>(&effect)) {
    nodes_[node].subscriptions.erase(index_of(gone->peer));
  } else if (const auto* applied = std::get_if<OpApplied>(&effect)) {
    if (on_applied) on_applied(node, *applied);
  } else if (std::holds_alternative<Left>(effect)) {
    nodes_[node].left = true;
  } else if (const auto* line = std::get_if<LogLine>(&effect)) {
    log_lines.push_back(std::to_string(now_.time_since_epoch().count()) + "us node" +
                        std::to_string(node) + " " + line->event + " " + line->detail);
  }
}

void Network::perform(std::size_t node) {
  if (!running(node)) return;
  for (const Effect& effect : nodes_[node].replica->take_effects()) perform_one(node, effect);
  if (nodes_[node].left) return crash(node);
  set_deadline(node, std::max(now_, nodes_[node].replica->next_deadline()));
}

bool Network::next_event(TimePoint limit) {
  const TimePoint arrival = events_.empty() ? kNever : events_.top().at;
  const TimePoint deadline = deadlines_.empty() ? kNever : deadlines_.begin()->first;
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
    events_.push(std::move(event));
    return true;
  }
  --in_flight_[{event.from, event.to}];
  if (arrives) {
    event.deliver(*nodes_[event.to].replica, now_);
    perform(event.to);
  }
  return true;
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
