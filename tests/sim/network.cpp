#include "tests/sim/network.h"

#include <algorithm>

namespace radixmesh::sim {

Network::Network(std::uint64_t seed, ReplicaSettings common)
    : random(seed), common_(std::move(common)) {
  nodes_.resize(common_.members.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    index_[node_id(common_.cluster, common_.members[i].addr)] = i;
  }
}

ReplicaSettings Network::settings_of(std::size_t node) const {
  ReplicaSettings settings = common_;
  settings.self = common_.members[node].addr;
  settings.epoch = Epoch{1'000'000 + static_cast<std::uint64_t>(now_.time_since_epoch().count()) +
                         nodes_[node].life};
  const std::string life = std::to_string(nodes_[node].life);
  settings.publish_addr = life;
  settings.bulk_addr = life;
  settings.seed = node * 1000 + nodes_[node].life;
  if (adjust) adjust(node, settings);
  return settings;
}

void Network::start(std::size_t node) {
  Node& each = nodes_[node];
  ++each.life;
  each.subscriptions.clear();
  each.replica = std::make_unique<Replica>(settings_of(node), now_);
}

void Network::crash(std::size_t node) {
  nodes_[node].replica.reset();
  nodes_[node].subscriptions.clear();
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
    TimePoint at = now_ + delay();
    if (chance(faults.reordering)) {
      std::uniform_int_distribution<std::int64_t> extra(0, faults.reorder_extra_max.count());
      at += Duration{extra(random)};
    } else {  // a link keeps its order unless told otherwise
      TimePoint& last = last_arrival_[{from, to}];
      at = last = std::max(at, last);
    }
    events_.push(
        {at, next_order_++, to, nodes_[to].life,
         [sent, input](Replica& replica, TimePoint now) { replica.step(now, input(sent)); }});
  }
}

bool Network::subscribes(std::size_t subscriber, std::size_t publisher) const {
  auto found = nodes_[subscriber].subscriptions.find(publisher);
  return running(subscriber) && found != nodes_[subscriber].subscriptions.end() &&
         found->second == nodes_[publisher].life;
}

void Network::publish(std::size_t from, const Bytes& frame) {
  for (std::size_t to = 0; to < nodes_.size(); ++to) {
    if (!subscribes(to, from)) continue;
    send(from, to, frame, true, [](std::string_view bytes) { return Published{bytes}; });
  }
}

// A subscription travels to the publisher, which then sends the marker.
void Network::ask_marker(std::size_t subscriber, std::size_t publisher) {
  const NodeId self = node_id(common_.cluster, common_.members[subscriber].addr);
  send(subscriber, publisher, "", false, [self](std::string_view) { return Subscribed{self}; });
}

void Network::perform_one(std::size_t node, const Effect& effect) {
  const NodeId self = node_id(common_.cluster, common_.members[node].addr);
  if (const auto* publish_frame = std::get_if<Publish>(&effect)) {
    publish(node, publish_frame->frame);
  } else if (const auto* marker = std::get_if<PublishMarker>(&effect)) {
    const std::size_t to = index_of(marker->subscriber);
    if (!subscribes(to, node)) return;
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
    nodes_[node].subscriptions[to] = std::stoull(subscription->publish_addr);
    ask_marker(node, to);
  } else if (std::holds_alternative<AskMarkers>(effect)) {
    for (const auto& [to, life] : nodes_[node].subscriptions) ask_marker(node, to);
  } else if (const auto* gone = std::get_if<UnsubscribeFrom>(&effect)) {
    nodes_[node].subscriptions.erase(index_of(gone->peer));
  } else if (const auto* applied = std::get_if<OpApplied>(&effect)) {
    if (on_applied) on_applied(node, *applied);
  } else if (const auto* line = std::get_if<LogLine>(&effect)) {
    log_lines.push_back(std::to_string(now_.time_since_epoch().count()) + "us node" +
                        std::to_string(node) + " " + line->event + " " + line->detail);
  }
}

void Network::perform(std::size_t node) {
  if (!running(node)) return;
  for (const Effect& effect : nodes_[node].replica->take_effects()) perform_one(node, effect);
}

bool Network::next_event(TimePoint limit) {
  TimePoint due = events_.empty() ? kNever : events_.top().at;
  std::size_t sleeper = nodes_.size();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!running(i)) continue;
    const TimePoint deadline = std::max(now_, nodes_[i].replica->next_deadline());
    if (deadline < due) {
      due = deadline;
      sleeper = i;
    }
  }
  if (due > limit) return false;
  now_ = std::max(now_, due);
  if (sleeper < nodes_.size()) {
    nodes_[sleeper].replica->step(now_, Tick{});
    perform(sleeper);
    return true;
  }
  const Event event = events_.top();
  events_.pop();
  if (running(event.to) && nodes_[event.to].life == event.life) {
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
