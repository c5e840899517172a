#include "lib/replica.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/limits.h"

namespace radixmesh {
namespace {

std::size_t or_default(std::size_t value, std::size_t standard) {
  return value > 0 ? value : standard;
}

ReplicaSettings checked(ReplicaSettings settings) {
  CHECK_THAT(!check(settings));
  return settings;
}

Role own_role(const ReplicaSettings& settings) {
  for (const MemberSettings& each : settings.members) {
    if (each.addr == settings.self) return each.role;
  }
  return settings.role;
}

Picture::Settings picture_settings(const ReplicaSettings& settings) {
  return {settings.page_size, own_role(settings) != Role::router, settings.keep_remote_slots,
          settings.max_radix_cache_size};
}

OpLog op_log(const ReplicaSettings& settings) {
  return {node_id(settings.cluster, settings.self),
          or_default(settings.own_log_bytes_max, limits::own_log_bytes_max),
          or_default(settings.other_log_bytes_max, limits::other_log_bytes_max)};
}

MeshParts::Settings mesh_settings(const ReplicaSettings& settings) {
  return {{settings.cluster, settings.page_size, settings.protocol_min, settings.protocol_max},
          {settings.cluster, settings.self, settings.join, settings.rank, settings.epoch},
          settings.ready_needs};
}

}  // namespace

Replica::Replica(ReplicaSettings settings, TimePoint now)
    : settings_(checked(std::move(settings))),
      last_step_(now),
      roster_(settings_.cluster, settings_.topology),
      post_(roster_, out_, settings_.seed),
      pace_(settings_.timers.head_dirty, settings_.timers.head_idle, now),
      picture_(roster_, picture_settings(settings_)),
      donor_(roster_, post_, out_, op_log(settings_)),
      own_(roster_, donor_, out_, pace_, settings_.page_size, settings_.seed,
           settings_.timers.head_idle),
      streams_(roster_, picture_, donor_, post_, out_, pace_, settings_.timers),
      recovery_(roster_, picture_, own_, post_, out_, settings_.timers),
      placement_(settings_.routing, roster_, picture_, post_, out_, pace_, settings_.epoch,
                 settings_.seed, now),
      gc_(settings_.gc,
          {roster_, picture_, own_, streams_, donor_, post_, out_, settings_.max_radix_cache_size,
           settings_.epoch},
          now),
      mesh_(mesh_settings(settings_), settings_.timers,
            {roster_, picture_, own_, streams_, pace_, post_, out_}, now) {
  for (std::uint32_t i = 0; i < settings_.members.size(); ++i) {
    const MemberSettings& each = settings_.members[i];
    add_member(each.addr, NodeRank{i}, each.role, true);
  }
  if (settings_.members.empty()) add_member(settings_.self, settings_.rank, settings_.role, false);
  roster_.begin_own_life(roster_.id_of(settings_.self), settings_.epoch);
  mesh_.ring.run(now);
  check_ready(now);
}

Replica::~Replica() = default;

// ---- time --------------------------------------------------------------------------------------

void Replica::step(TimePoint now, const Input& input) {
  last_step_ = now;
  if (const auto* published = std::get_if<Published>(&input)) {
    receive(now, published->payload, Via::published, {});
  } else if (const auto* received = std::get_if<Received>(&input)) {
    receive(now, received->payload, received->is_answer ? Via::answer : Via::question,
            received->from);
  } else if (const auto* report = std::get_if<LinkReport>(&input)) {
    const auto [peer, kind] = report->link;
    const Member* member = roster_.find(peer);
    if (member == nullptr) {
      mesh_.joining.on_link(now, peer, report->trouble);
    } else {
      mesh_.readiness.note_link(peer, kind, report->trouble);
      // A connection that came up is greeted over at once.
      const bool is_up = kind == LinkKind::control && report->trouble == LinkTrouble::none;
      if (is_up && !member->introduced) mesh_.greetings.greet_by(now, peer);
    }
  } else if (const auto* seeds = std::get_if<SeedsFound>(&input)) {
    mesh_.joining.on_seeds_found(now, seeds->seed, seeds->addresses, seeds->here, seeds->is_known);
  } else if (const auto* echo = std::get_if<OwnEcho>(&input)) {
    mesh_.joining.on_own_echo(now, echo->peer);
  } else if (const auto* subscribed = std::get_if<Subscribed>(&input)) {
    out_.owe(PublishMarker{subscribed->subscriber,
                           post_.frame(MarkerMessage{mesh_.heads.version_vector()})});
  }
  // Once a turn, whatever came in it.
  if (std::holds_alternative<Tick>(input)) {
    donor_.serve(picture_.relation(), picture_.has_remote_slots(),
                 [this](NodeId peer, NodeId origin) { return state_for(peer, origin); });
    donor_.give_back(limits::forgotten_frames_per_turn_max);
    const std::size_t entries =
        or_default(settings_.pieces_per_turn_max, limits::restored_entries_per_turn_max);
    if (recovery_.take_back(entries)) {
      recovery_.finish();
      gc_.leases().take_back(now);
      publish_head(now);
    }
    picture_.relation().give_back(
        or_default(settings_.pieces_per_turn_max, limits::dropped_edges_per_turn_max));
  }
  tick(now);
}

void Replica::tick(TimePoint now) {
  mesh_.liveness.notice_own_stall(now);
  if (now >= mesh_.look.due()) look_at_members(now);
  donor_.expire(now, settings_.timers.donor_idle);
  streams_.repair_what_is_due(now);
  pass_on(now);
  recovery_.run(now);
  mesh_.ring.refresh_view(now);
  mesh_.subscriptions.restitch_if_due(now);
  mesh_.ring.run(now);
  mesh_.subscriptions.ask_for_markers(now);
  if (!ready()) check_ready(now);
  placement_.publish_bookings(now);
  gc_.references().tell_owners(now);
  if (!recovery_.is_running()) gc_.run(now, conditions());
  beat(now);
}

// What concerns each member, and need not be looked at with every message.
void Replica::look_at_members(TimePoint now) {
  mesh_.look.begin(now, settings_.timers.hello_max);
  if (mesh_.joining.asks(now)) mesh_.joining.ask(now, introduce(now, nullptr, {}));
  if (mesh_.joining.begins_mesh(now)) {
    gc_.leases().begin(now);
    recovery_.expect(now + settings_.timers.recover_wait);
  }
  greet(now);
  mesh_.liveness.watch_silence(now);
  pass_on(now);
  forget_the_gone(now);
  if (draining()) {
    const bool locked = picture_.cache() != nullptr && picture_.cache()->protected_tokens() > 0;
    if (now < leave_at_ && locked) {
      mesh_.look.by(now + settings_.timers.heartbeat / 10);
    } else {
      out_.owe(radixmesh::Left{});
    }
  }
  check_ready(now);
  mesh_.readiness.tell_of_absent(now);
  mesh_.look.not_before(now + settings_.timers.heartbeat / 10);
}

TimePoint Replica::next_deadline() const {
  const bool has_work =
      recovery_.takes_back() || donor_.has_work() || picture_.relation().gives_back();
  if (has_work) return TimePoint::min();
  const TimePoint due =
      std::min({pace_.next(), mesh_.liveness.next_heartbeat(), mesh_.subscriptions.due(),
                mesh_.look.due(), mesh_.ring.due(), streams_.due(), placement_.due(),
                gc_.references().due(), recovery_.due()});
  return recovery_.is_running() ? due : std::min(due, gc_.due());
}

void Replica::beat(TimePoint now) {
  mesh_.liveness.beat(now);
  if (pace_.is_due(now)) publish_head(now);
}

void Replica::publish_head(TimePoint now) {
  mesh_.heads.publish(now, own_standing(now));
  placement_.told_load();
}

void Replica::check_ready(TimePoint now) {
  if (!mesh_.readiness.check(now)) return;
  publish_head(now);  // others may send work, or must not
  mesh_.readiness.tell_change(now);
}

// ---- messages in -------------------------------------------------------------------------------

void Replica::receive(TimePoint now, std::string_view payload, Via via, NodeId from) {
  out_.begin_message();
  while (!payload.empty()) {
    const auto frame = take_frame(payload);
    if (!frame) {
      out_.count("malformed_frames");
      break;
    }
    const auto message = decode(*frame);
    if (!message) {
      out_.count(message.error() == WireError::unknown_control ? "unknown_control_messages"
                                                               : "malformed_frames");
      const auto envelope = decode_envelope(*frame);
      if (via == Via::published && envelope && envelope->is_op())
        streams_.on_unreadable(now, *envelope);
      continue;
    }
    if (via == Via::published) {
      receive_published(now, *message, *frame);
    } else if (via != Via::answer || !receive_from_seed(now, from, *message)) {
      // What a connection says of itself and what its frames say must agree. Only who refuses us
      // may be another than we think: our addresses are the same, our clusters not.
      const bool refused =
          via == Via::answer && std::holds_alternative<RefusedMessage>(message->body);
      const Member* member = roster_.find(from);
      const bool is_it = message->envelope.origin == from || refused;
      if (!is_it || member == nullptr || roster_.is_self(*member)) {
        receive_from_stranger(now, from, *message, via);
      } else if (!receive_greeting(now, from, *message, via)) {
        via == Via::question ? receive_question(now, from, *message)
                             : receive_answer(now, from, *message);
      }
    }
    pass_on(now);
  }
  out_.end_message();
}

// Whoever is no member may say HELLO, to be told why not, and ask to be let in. One that beats was
// a member and does not know that it was forgotten: told so, it asks to be let in again.
void Replica::receive_from_stranger(TimePoint now, NodeId from, const Message& message, Via via) {
  if (via == Via::question && message.envelope.origin == from) {
    if (const auto* hello = std::get_if<HelloMessage>(&message.body)) {
      on_hello(now, from, *hello, message.envelope.epoch);
    } else if (const auto* join = std::get_if<JoinMessage>(&message.body)) {
      return on_join(now, from, *join);
    } else if (std::holds_alternative<HeartbeatMessage>(message.body)) {
      post_.answer(from, Channel::control, RefusedMessage{"it is no member here"});
    }
  }
  out_.count("unknown_senders");
}

// A seed answers under its own name, which need not be the one that it was asked at. False where
// the message is not for that.
bool Replica::receive_from_seed(TimePoint now, NodeId from, const Message& message) {
  Seeds& seeds = mesh_.joining.seeds();
  if (seeds.find(from) == nullptr) return false;
  const NodeId by = message.envelope.origin;
  if (const auto* answered = std::get_if<JoinedMessage>(&message.body)) {
    if (answered->rank == kAnyRank) {
      seeds.declined(now, from, by, answered->founder);
    } else {
      seeds.let_in(now, from, by);
    }
    on_joined(now, *answered);
  } else if (const auto* news = std::get_if<NewsMessage>(&message.body)) {
    on_news(now, by, news->news);
  } else if (const auto* refused = std::get_if<RefusedMessage>(&message.body)) {
    if (roster_.joined()) return false;
    out_.count("introductions_refused");
    if (!seeds.refused(now, from, by, refused->reason)) return true;
    out_.log(LogLine::Level::error, "refused_by",
             "node=" + seeds.find(from)->addr + " reason=\"" + refused->reason + "\"");
  } else {
    return false;
  }
  return true;
}

void Replica::receive_published(TimePoint now, const Message& message, std::string_view frame) {
  const NodeId id = message.envelope.origin;
  if (message.envelope.is_op()) {
    on_op(now, message, frame, true);
  } else if (const auto* head = std::get_if<HeadMessage>(&message.body)) {
    on_head(now, message.envelope, *head, frame);
  } else if (const auto* bookings = std::get_if<BookingsMessage>(&message.body)) {
    if (placement_.on_bookings(now, message.envelope, *bookings)) {
      mesh_.subscriptions.relay(now, message.envelope, frame);
    }
  } else if (const auto* marker = std::get_if<MarkerMessage>(&message.body)) {
    const Member* member = roster_.find(id);
    const bool is_known = member != nullptr && !roster_.is_self(*member);
    if (!is_known || message.envelope.epoch < member->epoch) {
      return out_.count("misplaced_messages");
    }
    // From here on nothing of it is missed; what came before is in the vector.
    mesh_.subscriptions.on_marker(now, id);
    note_vector(now, id, marker->vector, true);
  } else {
    out_.count("misplaced_messages");
  }
}

// What may come before a member is introduced. False where it is something else, of the life that
// is introduced: of that the member is heard.
bool Replica::receive_greeting(TimePoint now, NodeId from, const Message& message, Via via) {
  const Epoch epoch = message.envelope.epoch;
  const Body& body = message.body;
  const bool asks = via == Via::question;
  if (const auto* hello = std::get_if<HelloMessage>(&body); asks && hello != nullptr) {
    on_hello(now, from, *hello, epoch);
  } else if (const auto* join = std::get_if<JoinMessage>(&body); asks && join != nullptr) {
    on_join(now, from, *join);
  } else if (const auto* welcome = std::get_if<WelcomeMessage>(&body);
             !asks && welcome != nullptr) {
    on_welcome(now, from, *welcome, epoch);
  } else if (const auto* refused = std::get_if<RefusedMessage>(&body);
             !asks && refused != nullptr) {
    mesh_.greetings.on_refused(now, from, refused->reason);
  } else if (const auto* let_in = std::get_if<JoinedMessage>(&body); !asks && let_in != nullptr) {
    on_joined(now, *let_in);
  } else {
    const Member& member = roster_.at(from);
    if (!member.introduced || epoch != member.epoch) {
      mesh_.greetings.note_lost(now, member, epoch);
      return true;
    }
    mesh_.liveness.heard(now, from);
    return false;
  }
  return true;
}

void Replica::receive_question(TimePoint now, NodeId from, const Message& message) {
  const Body& body = message.body;
  if (const auto* heartbeat = std::get_if<HeartbeatMessage>(&body)) {
    on_pulse(now, from, *heartbeat);
    // Its news may have taken the place of whoever is gone: its own, for one.
    const Member* still = roster_.find(from);
    if (still == nullptr) return out_.count("unknown_senders");
    post_.answer(from, Channel::control, HeartbeatAckMessage{mesh_.heads.pulse_for(*still)});
  } else if (const auto* tick = std::get_if<TickMessage>(&body)) {
    mesh_.ring.on_tick(now, from, *tick);
  } else if (const auto* probe = std::get_if<ProbeRequest>(&body)) {
    mesh_.liveness.on_probe_request(now, from, *probe);
  } else if (const auto* news = std::get_if<NewsMessage>(&body)) {
    on_news(now, from, news->news);
    if (news->wants_answer) mesh_.membership.send_members(from, true, false);
  } else if (const auto* replay = std::get_if<ReplayRequest>(&body)) {
    donor_.on_replay_request(from, *replay);
  } else if (const auto* snapshot = std::get_if<SnapshotRequest>(&body)) {
    donor_.on_snapshot_request(now, from, *snapshot, state_for(from, snapshot->origin));
  } else if (const auto* credit = std::get_if<SnapshotCredit>(&body)) {
    donor_.on_credit(now, from, *credit);
  } else if (const auto* reader = std::get_if<RegisterMessage>(&body)) {
    gc_.on_register(now, from, *reader, conditions());
  } else if (const auto* hold = std::get_if<HoldMessage>(&body)) {
    gc_.on_hold(now, from, *hold, conditions());
  } else {
    out_.count("misplaced_messages");
  }
}

void Replica::receive_answer(TimePoint now, NodeId from, const Message& message) {
  const Body& body = message.body;
  if (const auto* ack = std::get_if<HeartbeatAckMessage>(&body)) {
    mesh_.liveness.note_answer();
    on_pulse(now, from, *ack);
  } else if (const auto* tick_ack = std::get_if<TickAckMessage>(&body)) {
    mesh_.ring.on_ack(*tick_ack);
  } else if (const auto* report = std::get_if<ProbeReport>(&body)) {
    mesh_.liveness.on_probe_report(now, *report);
  } else if (const auto* news = std::get_if<NewsMessage>(&body)) {
    on_news(now, from, news->news);
  } else if (const auto* replay = std::get_if<ReplayMessage>(&body)) {
    on_replay(now, from, *replay);
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&body)) {
    on_snapshot_chunk(now, from, *chunk);
  } else if (const auto* registered = std::get_if<RegisteredMessage>(&body)) {
    gc_.references().registrations().on_registered(now, from, message.envelope.epoch, *registered);
  } else if (const auto* held = std::get_if<HeldMessage>(&body)) {
    gc_.on_held(now, from, *held, conditions());
  } else {
    out_.count("misplaced_messages");
  }
}

}  // namespace radixmesh
