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

// Rules for what --join asks for; the others are those of the lists.
std::optional<std::string> check_joining(const ReplicaSettings& settings) {
  if (!settings.members.empty()) return "who joins has empty node lists: they are learnt";
  if (settings.self.empty() || settings.self.size() > limits::address_bytes_max) {
    return "local_cache_addr is empty or too long: \"" + settings.self + "\"";
  }
  return std::nullopt;
}

std::optional<std::string> check_lists(const ReplicaSettings& settings) {
  if (settings.members.empty()) return "there is no member";
  if (settings.members.size() > limits::members_max) {
    return "more than " + std::to_string(limits::members_max) + " members";
  }
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
  return std::nullopt;
}

}  // namespace

std::optional<std::string> Replica::check(const ReplicaSettings& settings) {
  if (settings.page_size < 1 || settings.page_size > limits::page_tokens_max) {
    return "page_size must be from 1 to " + std::to_string(limits::page_tokens_max);
  }
  if (settings.cluster.size() > limits::cluster_bytes_max) return "the cluster's name is too long";
  if (settings.epoch.value == 0) return "the epoch must be above 0";
  return settings.join.empty() ? check_lists(settings) : check_joining(settings);
}

Replica::Replica(ReplicaSettings settings, TimePoint now)
    : settings_(std::move(settings)),
      started_(now),
      last_step_(now),
      seeds_(settings_.cluster, node_id(settings_.cluster, settings_.self), settings_.join,
             settings_.timers.suspect_after,
             2 * settings_.timers.join_wait + settings_.timers.forget_lower),
      op_log_(node_id(settings_.cluster, settings_.self),
              or_default(settings_.own_log_bytes_max, limits::own_log_bytes_max),
              or_default(settings_.other_log_bytes_max, limits::other_log_bytes_max)),
      next_session_(settings_.seed),
      registrations_(settings_.gc),
      router_(settings_.routing, settings_.page_size, settings_.epoch, settings_.seed, now),
      next_head_(now),
      next_heartbeat_(now),
      next_join_(now),
      next_look_(now),
      ring_(node_id(settings_.cluster, settings_.self),
            {settings_.timers.tick, settings_.timers.tick_retry, settings_.timers.tick_hop}, now) {
  const std::optional<std::string> broken = check(settings_);
  CHECK_THAT(!broken);
  if (settings_.join.empty()) founder_ = Founder{};
  Role role = settings_.role;
  for (const MemberSettings& each : settings_.members) {
    if (each.addr == settings_.self) role = each.role;
  }
  make_tree(role);
  for (std::uint32_t i = 0; i < settings_.members.size(); ++i) {
    const MemberSettings& each = settings_.members[i];
    add_member(each.addr, NodeRank{i}, each.role, true);
  }
  if (!joined()) {
    add_member(settings_.self, settings_.rank, role, false);
  }
  self_ = find_member(node_id(settings_.cluster, settings_.self));
  self_->pull_rate = settings_.routing.pull_rate;
  self_->epoch = settings_.epoch;
  self_->state = MemberState::alive;
  self_->introduced = true;
  // So that what answers a round of a former life, or acknowledges what that told to free, is no
  // answer to this one.
  collection_.last_round = settings_.epoch.value;
  collection_.last_free = settings_.epoch.value;
  refresh_view(now);
  check_ring(now);
  check_ready(now);
}

void Replica::make_tree(Role role) {
  if (role == Role::router) {
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
}

Replica::~Replica() = default;

void Replica::step(TimePoint now, const Input& input) {
  last_step_ = now;
  if (const auto* published = std::get_if<Published>(&input)) {
    receive_message(now, published->payload, Via::published, {});
  } else if (const auto* received = std::get_if<Received>(&input)) {
    receive_message(now, received->payload, received->is_answer ? Via::answer : Via::question,
                    received->from);
  } else if (const auto* report = std::get_if<LinkReport>(&input)) {
    on_link_report(now, *report);
  } else if (const auto* seeds = std::get_if<SeedsFound>(&input)) {
    on_seeds(now, *seeds);
  } else if (const auto* echo = std::get_if<OwnEcho>(&input)) {
    on_own_echo(now, *echo);
  } else if (const auto* subscribed = std::get_if<Subscribed>(&input)) {
    const Message marker = control(MarkerMessage{version_vector()});
    out_.owe(PublishMarker{subscribed->subscriber, encode(marker)});
  }
  // Once a turn, whatever came in it.
  if (std::holds_alternative<Tick>(input)) {
    serve_bulk();
    op_log_.give_back(limits::forgotten_frames_per_turn_max);
    take_back(now,
              or_default(settings_.pieces_per_turn_max, limits::restored_entries_per_turn_max));
    relation_->give_back(
        or_default(settings_.pieces_per_turn_max, limits::dropped_edges_per_turn_max));
  }
  tick(now);
}

void Replica::tick(TimePoint now) {
  notice_own_stall(now);
  if (now >= next_look_) look_at_members(now);
  repair_what_is_due(now);
  recover_what_is_due(now);
  if (links_changed_ && now >= next_restitch_) restitch(now);
  check_ring(now);
  ask_for_markers(now);
  if (!ready_) check_ready(now);
  publish_bookings(now);
  tell_owners(now);
  if (!recovery_) collect_what_is_due(now);
  beat(now);
}

// What concerns each member, and need not be looked at with every message.
void Replica::look_at_members(TimePoint now) {
  // Not before a tenth of a heartbeat has passed: many deadlines fall together.
  next_look_ = now + settings_.timers.hello_max;
  ask_to_join(now);
  greet(now);
  watch_silence(now);
  forget_the_gone(now);
  leave_when_due(now);
  check_ready(now);
  tell_of_absent(now);
  next_look_ = std::max(next_look_, now + settings_.timers.heartbeat / 10);
}

void Replica::look_by(TimePoint due) { next_look_ = std::min(next_look_, due); }

TimePoint Replica::next_deadline() const {
  TimePoint due = std::min({next_head_, next_heartbeat_, next_marker_ask_, next_look_, next_repair_,
                            router_.next_expiry(), std::max(next_bookings_, bookings_free_),
                            registrations_.next_due()});
  if (!recovery_) due = std::min(due, collection_due());
  if (takes_part_in_ring()) due = std::min(due, ring_.due());
  if (links_changed_) due = std::min(due, next_restitch_);
  if (recovery_) {
    const auto& staging = recovery_->staging;
    due =
        std::min(due, !staging               ? recovery_->due(joined(), settings_.timers.join_wait)
                      : staging->chunks == 0 ? recovery_->ask_again
                                             : staging->heard + settings_.timers.snapshot_silence);
  }
  const bool has_work = takes_back() || op_log_.gives_back() || donor_.has_work() ||
                        !replays_.empty() || relation_->gives_back();
  return has_work ? TimePoint::min() : due;
}

// ---- messages in -------------------------------------------------------------------------------

void Replica::receive_message(TimePoint now, std::string_view payload, Via via, NodeId from) {
  out_.begin_message();
  receive_frames(now, payload, via, from);
  out_.end_message();
}

void Replica::receive_frames(TimePoint now, std::string_view payload, Via via, NodeId from) {
  while (!payload.empty()) {
    const auto frame = take_frame(payload);
    if (!frame) {
      out_.count("malformed_frames");
      return;
    }
    const auto message = decode(*frame);
    if (!message) {
      out_.count(message.error() == WireError::unknown_control ? "unknown_control_messages"
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
    if (via == Via::answer && seeds_.find(from) != nullptr &&
        receive_from_seed(now, from, *message)) {
      continue;
    }
    if ((message->envelope.origin != from && !refused) || find_member(from) == nullptr ||
        from == self_->id) {
      receive_from_stranger(now, from, *message, via);
    } else if (via == Via::question) {
      receive_question(now, from, *message);
    } else {
      receive_answer(now, from, *message);
    }
  }
}

// Whoever is no member may say HELLO, to be told why not, and ask to be let in. One that beats was
// a member and does not know that it was forgotten: told so, it asks to be let in again.
void Replica::receive_from_stranger(TimePoint now, NodeId from, const Message& message, Via via) {
  if (via == Via::question && message.envelope.origin == from) {
    const Epoch epoch = message.envelope.epoch;
    if (const auto* hello = std::get_if<HelloMessage>(&message.body)) {
      on_hello(now, from, *hello, epoch);
    } else if (const auto* join = std::get_if<JoinMessage>(&message.body)) {
      on_join(now, from, *join);
      return;
    } else if (std::holds_alternative<HeartbeatMessage>(message.body)) {
      answer(from, Channel::control, RefusedMessage{"it is no member here"});
    }
  }
  out_.count("unknown_senders");
}

void Replica::receive_published(TimePoint now, const Message& message, std::string_view frame) {
  if (message.envelope.is_op()) {
    on_op(now, message, frame, true);
  } else if (const auto* head = std::get_if<HeadMessage>(&message.body)) {
    on_head(now, message.envelope, *head, frame);
  } else if (const auto* bookings = std::get_if<BookingsMessage>(&message.body)) {
    on_bookings(now, message.envelope, *bookings, frame);
  } else if (const auto* marker = std::get_if<MarkerMessage>(&message.body)) {
    on_marker(now, message.envelope, *marker);
  } else {
    out_.count("misplaced_messages");
  }
}

// Whether the message is of a life that was introduced. If it is not, but of the life that is
// known, something was lost in between: a HELLO goes out soon.
bool Replica::is_introduced(TimePoint now, Member& member, Epoch epoch) {
  if (member.introduced && epoch == member.epoch) return true;
  out_.count("messages_before_hello");
  if (epoch >= member.epoch && member.next_hello > now + settings_.timers.hello) {
    member.next_hello = now + settings_.timers.hello;
    look_by(member.next_hello);
  }
  return false;
}

void Replica::receive_question(TimePoint now, NodeId from, const Message& message) {
  Member& member = *find_member(from);
  const Epoch epoch = message.envelope.epoch;
  if (const auto* hello = std::get_if<HelloMessage>(&message.body)) {
    return on_hello(now, from, *hello, epoch);
  }
  if (const auto* join = std::get_if<JoinMessage>(&message.body)) {
    return on_join(now, from, *join);
  }
  if (!is_introduced(now, member, epoch)) return;
  heard_from(now, member);
  if (const auto* heartbeat = std::get_if<HeartbeatMessage>(&message.body)) {
    on_pulse(now, member, *heartbeat);
    // Its news may have taken the place of whoever is gone: its own, for one.
    const Member* still = find_member(from);
    if (still == nullptr) return out_.count("unknown_senders");
    answer(from, Channel::control, HeartbeatAckMessage{pulse_for(*still)});
  } else if (const auto* tick = std::get_if<TickMessage>(&message.body)) {
    answer(from, Channel::control, TickAckMessage{tick->initiator, tick->nonce, tick->round});
    refresh_view(now);
    send_ticks(ring_.on_tick(now, *tick));
  } else if (const auto* probe = std::get_if<ProbeRequest>(&message.body)) {
    on_probe_request(now, from, *probe);
  } else if (const auto* news = std::get_if<NewsMessage>(&message.body)) {
    on_news(now, from, news->news);
    if (news->wants_answer) send_members(from, true, false);
  } else if (const auto* replay = std::get_if<ReplayRequest>(&message.body)) {
    on_replay_request(from, *replay);
  } else if (const auto* snapshot = std::get_if<SnapshotRequest>(&message.body)) {
    on_snapshot_request(now, from, *snapshot);
  } else if (const auto* credit = std::get_if<SnapshotCredit>(&message.body)) {
    donor_.credit(now, from, *credit);
  } else if (const auto* reader = std::get_if<RegisterMessage>(&message.body)) {
    on_register(now, from, *reader);
  } else if (const auto* hold = std::get_if<HoldMessage>(&message.body)) {
    on_hold(now, from, *hold);
  } else {
    out_.count("misplaced_messages");
  }
}

void Replica::receive_answer(TimePoint now, NodeId from, const Message& message) {
  Member& member = *find_member(from);
  const Epoch epoch = message.envelope.epoch;
  if (const auto* welcome = std::get_if<WelcomeMessage>(&message.body)) {
    return on_welcome(now, from, *welcome, epoch);
  }
  if (const auto* refused = std::get_if<RefusedMessage>(&message.body)) {
    return on_refused(from, *refused);
  }
  if (const auto* let_in = std::get_if<JoinedMessage>(&message.body)) {
    return on_joined(now, *let_in);
  }
  if (!is_introduced(now, member, epoch)) return;
  heard_from(now, member);
  if (const auto* ack = std::get_if<HeartbeatAckMessage>(&message.body)) {
    health_.better();
    on_pulse(now, member, *ack);
  } else if (const auto* tick_ack = std::get_if<TickAckMessage>(&message.body)) {
    ring_.on_ack(*tick_ack);
  } else if (const auto* report = std::get_if<ProbeReport>(&message.body)) {
    on_probe_report(now, *report);
  } else if (const auto* news = std::get_if<NewsMessage>(&message.body)) {
    on_news(now, from, news->news);
  } else if (const auto* replay = std::get_if<ReplayMessage>(&message.body)) {
    on_replay(now, from, *replay);
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    on_snapshot_chunk(now, from, *chunk);
  } else if (const auto* registered = std::get_if<RegisteredMessage>(&message.body)) {
    on_registered(now, from, epoch, *registered);
  } else if (const auto* held = std::get_if<HeldMessage>(&message.body)) {
    on_held(now, from, *held);
  } else {
    out_.count("misplaced_messages");
  }
}

// ---- small things ------------------------------------------------------------------------------

Message Replica::control(Body body) const {
  const MessageType type = type_of(body);
  const std::uint8_t ttl = initial_ttl(settings_.topology, members_.size());
  return Message{Envelope{static_cast<std::uint8_t>(type), self_->id, self_->epoch, {}, ttl},
                 std::move(body)};
}

// What one message brings about is bounded: it has one frame, unless it is hostile.
void Replica::ask(NodeId peer, Channel channel, Body body) {
  if (!out_.may_ask(members_.size())) return;
  out_.owe(Ask{peer, channel, encode(control(std::move(body)))});
}

void Replica::answer(NodeId peer, Channel channel, Body body) {
  if (!out_.may_answer()) return;
  out_.owe(Answer{peer, channel, encode(control(std::move(body)))});
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
