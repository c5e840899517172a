#include "lib/replica.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/tree/tree_cache.h"

namespace radixmesh {
namespace {

std::size_t or_default(std::size_t value, std::size_t standard) {
  return value > 0 ? value : standard;
}

}  // namespace

std::optional<std::string> Replica::check(const ReplicaSettings& settings) {
  if (settings.page_size < 1 || settings.page_size > limits::page_tokens_max) {
    return "page_size must be from 1 to " + std::to_string(limits::page_tokens_max);
  }
  if (settings.members.empty()) return "there is no member";
  if (settings.members.size() > limits::members_max) {
    return "more than " + std::to_string(limits::members_max) + " members";
  }
  if (settings.cluster.size() > limits::cluster_bytes_max) return "the cluster's name is too long";
  std::set<std::string> seen;
  for (const MemberSettings& member : settings.members) {
    if (member.addr.empty() || member.addr.size() > limits::address_bytes_max) {
      return "an address is empty or too long: \"" + member.addr + "\"";
    }
    if (!seen.insert(member.addr).second) return member.addr + " stands in the lists twice";
  }
  if (!seen.contains(settings.self)) {
    return "local_cache_addr " + settings.self + " stands in none of the lists";
  }
  if (settings.epoch.value == 0) return "the epoch must be above 0";
  return std::nullopt;
}

Replica::Replica(ReplicaSettings settings, TimePoint now)
    : settings_(std::move(settings)),
      started_(now),
      op_log_(node_id(settings_.cluster, settings_.self),
              or_default(settings_.own_log_bytes_max, limits::own_log_bytes_max),
              or_default(settings_.other_log_bytes_max, limits::other_log_bytes_max)),
      next_session_(settings_.seed),
      next_head_(now),
      next_heartbeat_(now) {
  const std::optional<std::string> broken = check(settings_);
  CHECK_THAT(!broken);
  for (std::uint32_t i = 0; i < settings_.members.size(); ++i) {
    const MemberSettings& each = settings_.members[i];
    Member member;
    member.id = node_id(settings_.cluster, each.addr);
    member.addr = each.addr;
    member.rank = NodeRank{i};
    member.role = each.role;
    by_rank_.push_back(member.id);
    members_.emplace(member.id, std::move(member));
  }
  CHECK_THAT(members_.size() == settings_.members.size());
  self_ = find_member(node_id(settings_.cluster, settings_.self));
  self_->epoch = settings_.epoch;
  self_->state = MemberState::alive;
  self_->introduced = true;

  if (self_->role == Role::router) {
    relation_ = std::make_unique<HolderTree<RankValue>>(settings_.page_size);
  } else if (settings_.keep_remote_slots) {
    auto tree = std::make_unique<HolderTree<MemberValue>>(settings_.page_size);
    cache_ = std::make_unique<TreeCache<MemberValue>>(*tree, settings_.max_radix_cache_size);
    relation_ = std::move(tree);
  } else {
    auto tree = std::make_unique<HolderTree<OwnSlotsValue>>(settings_.page_size);
    cache_ = std::make_unique<TreeCache<OwnSlotsValue>>(*tree, settings_.max_radix_cache_size);
    relation_ = std::move(tree);
  }
  holders_.emplace(kSelf, self_->id);
  for (NodeId id : by_rank_) {
    if (id == self_->id) continue;
    Origin& origin = origins_[id];
    origin.holder = relation_->add_holder();
    holders_.emplace(origin.holder, id);
  }
  check_ready(now);
}

Replica::~Replica() = default;

void Replica::step(TimePoint now, const Input& input) {
  if (const auto* published = std::get_if<Published>(&input)) {
    receive_frames(now, published->payload, Via::published, {});
  } else if (const auto* received = std::get_if<Received>(&input)) {
    receive_frames(now, received->payload, received->is_answer ? Via::answer : Via::question,
                   received->from);
  } else if (const auto* subscribed = std::get_if<Subscribed>(&input)) {
    const Message marker = control(MarkerMessage{version_vector(true)});
    effects_.push_back(PublishMarker{subscribed->subscriber, encode(marker)});
  }
  tick(now);
}

void Replica::tick(TimePoint now) {
  greet(now);
  watch_silence(now);
  repair_what_is_due(now);
  serve_snapshots();
  ask_for_markers(now);
  check_ready(now);
  beat(now);
}

TimePoint Replica::next_deadline() const {
  TimePoint due = std::min({next_head_, next_heartbeat_, next_marker_ask_});
  for (const auto& [id, member] : members_) {
    if (!member.introduced || member.asks_back) due = std::min(due, member.next_hello);
  }
  for (NodeId id : lagging_) {
    const Origin& origin = origins_.at(id);
    due = std::min(due, origin.staging ? origin.staging->heard + settings_.timers.snapshot_silence
                                       : origin.repair.due());
  }
  return donor_.has_work() ? TimePoint::min() : due;
}

// ---- messages in -------------------------------------------------------------------------------

void Replica::receive_frames(TimePoint now, std::string_view payload, Via via, NodeId from) {
  while (!payload.empty()) {
    const auto frame = take_frame(payload);
    if (!frame) {
      count("malformed_frames");
      return;
    }
    const auto message = decode(*frame);
    if (!message) {
      count(message.error() == WireError::unknown_control ? "unknown_control_messages"
                                                          : "malformed_frames");
      const auto envelope = decode_envelope(*frame);
      if (via == Via::published && envelope && envelope->is_op()) on_unreadable_op(now, *envelope);
      continue;
    }
    if (via == Via::published) {
      receive_published(now, *message, *frame);
      continue;
    }
    // What a connection says of itself and what its frames say must agree.
    // Only who refuses us may be another than we think: our addresses are the same, our clusters
    // not.
    const bool refused =
        via == Via::answer && std::holds_alternative<RefusedMessage>(message->body);
    if ((message->envelope.origin != from && !refused) || find_member(from) == nullptr ||
        from == self_->id) {
      count("unknown_senders");
      if (via == Via::question && message->envelope.origin == from) {
        if (const auto* hello = std::get_if<HelloMessage>(&message->body)) {
          on_introduction(now, from, *hello, message->envelope.epoch, true);
        }
      }
      continue;
    }
    if (via == Via::question) {
      receive_question(now, from, *message);
    } else {
      receive_answer(now, from, *message);
    }
  }
}

void Replica::receive_published(TimePoint now, const Message& message, std::string_view frame) {
  if (message.envelope.is_op()) {
    on_op(now, message, frame, true);
  } else if (const auto* head = std::get_if<HeadMessage>(&message.body)) {
    on_head(now, message.envelope, *head, frame);
  } else if (const auto* marker = std::get_if<MarkerMessage>(&message.body)) {
    on_marker(now, message.envelope, *marker);
  } else {
    count("misplaced_messages");
  }
}

void Replica::receive_question(TimePoint now, NodeId from, const Message& message) {
  Member& member = *find_member(from);
  if (const auto* hello = std::get_if<HelloMessage>(&message.body)) {
    on_introduction(now, from, *hello, message.envelope.epoch, true);
    return;
  }
  if (!member.introduced || message.envelope.epoch != member.epoch) {
    count("messages_before_hello");
    return;
  }
  heard_from(now, member);
  if (const auto* heartbeat = std::get_if<HeartbeatMessage>(&message.body)) {
    answer(from, Channel::control, HeartbeatAckMessage{heartbeat->beat});
  } else if (const auto* replay = std::get_if<ReplayRequest>(&message.body)) {
    on_replay_request(from, *replay);
  } else if (const auto* snapshot = std::get_if<SnapshotRequest>(&message.body)) {
    on_snapshot_request(now, from, *snapshot);
  } else if (const auto* credit = std::get_if<SnapshotCredit>(&message.body)) {
    donor_.credit(now, from, *credit);
  } else {
    count("misplaced_messages");
  }
}

void Replica::receive_answer(TimePoint now, NodeId from, const Message& message) {
  Member& member = *find_member(from);
  if (const auto* welcome = std::get_if<WelcomeMessage>(&message.body)) {
    on_introduction(now, from, *welcome, message.envelope.epoch, false);
    return;
  }
  if (const auto* refused = std::get_if<RefusedMessage>(&message.body)) {
    on_refused(from, *refused);
    return;
  }
  if (!member.introduced || message.envelope.epoch != member.epoch) {
    count("messages_before_hello");
    return;
  }
  heard_from(now, member);
  if (const auto* replay = std::get_if<ReplayMessage>(&message.body)) {
    on_replay(now, from, *replay);
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    on_snapshot_chunk(now, from, *chunk);
  } else if (!std::holds_alternative<HeartbeatAckMessage>(message.body)) {
    count("misplaced_messages");
  }
}

// ---- small things ------------------------------------------------------------------------------

Message Replica::control(Body body) const {
  const MessageType type = type_of(body);
  const std::uint8_t ttl = initial_ttl(settings_.topology, members_.size());
  return Message{Envelope{static_cast<std::uint8_t>(type), self_->id, self_->epoch, {}, ttl},
                 std::move(body)};
}

void Replica::ask(NodeId peer, Channel channel, Body body) {
  effects_.push_back(Ask{peer, channel, encode(control(std::move(body)))});
}

void Replica::answer(NodeId peer, Channel channel, Body body) {
  effects_.push_back(Answer{peer, channel, encode(control(std::move(body)))});
}

void Replica::log(LogLine::Level level, std::string event, std::string detail) {
  effects_.push_back(LogLine{level, std::move(event), std::move(detail)});
}

void Replica::count(std::string_view what, std::uint64_t by) {
  auto found = counters_.find(what);
  if (found == counters_.end()) found = counters_.emplace(what, 0).first;
  found->second += by;
}

Member* Replica::find_member(NodeId id) {
  auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}
const Member* Replica::find_member(NodeId id) const {
  auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}
Replica::Origin* Replica::find_origin(NodeId id) {
  auto found = origins_.find(id);
  return found == origins_.end() ? nullptr : &found->second;
}

}  // namespace radixmesh
