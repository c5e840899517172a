// Who is there and how far each one is: HELLO, heartbeats, HEADs, markers, and the topology.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {

// ---- greeting ----------------------------------------------------------------------------------

Introduction Replica::introduce(const Member* to) const {
  Introduction hello;
  hello.cluster = settings_.cluster;
  hello.page_size = settings_.page_size;
  hello.fingerprint = settings_fingerprint(settings_.cluster, settings_.page_size);
  hello.addr = self_->addr;
  hello.rank = self_->rank;
  hello.role = self_->role;
  hello.engine_token = self_->engine_token;
  hello.publish_addr = settings_.publish_addr;
  hello.bulk_addr = settings_.bulk_addr;
  if (to != nullptr) hello.seen_epoch = to->epoch;
  return hello;
}

// Says HELLO to whoever is not introduced, again and again: starting order does not matter, and a
// node that is back is found. Costs nothing while the peer is not connected.
void Replica::greet(TimePoint now) {
  for (auto& [id, member] : members_) {
    if ((member.introduced && !member.asks_back) || now < member.next_hello) continue;
    member.next_hello = now + settings_.timers.hello;
    ask(id, Channel::control, HelloMessage{introduce(&member)});
  }
}

// What differs, as one sentence; nothing if the two may talk.
std::optional<std::string> Replica::disagreement(const Introduction& hello, NodeId from) const {
  const auto differs = [](std::string_view what, const std::string& here,
                          const std::string& there) {
    return std::string(what) + " differs: " + here + " here, " + there + " there";
  };
  const auto range = [](std::uint32_t low, std::uint32_t high) {
    return std::to_string(low) + " to " + std::to_string(high);
  };
  if (hello.protocol_max < kProtocolMin || hello.protocol_min > kProtocolMax) {
    return differs("protocol", range(kProtocolMin, kProtocolMax),
                   range(hello.protocol_min, hello.protocol_max));
  }
  if (hello.cluster != settings_.cluster) {
    return differs("cluster", settings_.cluster, hello.cluster);
  }
  if (hello.page_size != settings_.page_size) {
    return differs("page_size", std::to_string(settings_.page_size),
                   std::to_string(hello.page_size));
  }
  if (hello.fingerprint != settings_fingerprint(settings_.cluster, settings_.page_size)) {
    return "the fingerprint of the settings differs";
  }
  const Member* member = find_member(from);
  if (member == nullptr || node_id(settings_.cluster, hello.addr) != from) {
    return hello.addr + " is not in the node lists here";
  }
  if (member->id == self_->id) return hello.addr + " is my own address";
  if (hello.rank != member->rank) {
    return differs("rank", std::to_string(member->rank.value), std::to_string(hello.rank.value));
  }
  if (hello.role != member->role) {
    return differs("role", std::string(role_name(member->role)),
                   std::string(role_name(hello.role)));
  }
  return std::nullopt;
}

void Replica::on_introduction(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch,
                              bool is_hello) {
  if (const auto reason = disagreement(hello, from)) {
    turn_down(now, from, hello, *reason, is_hello);
    return;
  }
  Member* member = find_member(from);
  if (is_hello) {
    // Anyone may say HELLO in a member's name. So it only makes us ask back, at the address that
    // the lists name; what comes from there is believed. An earlier life is answered too: it learns
    // from seen_epoch that it must begin a higher one.
    if (!member->introduced || epoch > member->epoch) member->asks_back = true;
    answer(from, Channel::control, WelcomeMessage{introduce(member)});
    return;
  }
  member->asks_back = false;
  if (epoch > member->epoch) begin_epoch(now, from, epoch);
  if (epoch == member->epoch) {
    if (member->bulk_addr != hello.bulk_addr) {
      effects_.push_back(BulkPeer{from, hello.bulk_addr});
    }
    member->publish_addr = hello.publish_addr;
    member->bulk_addr = hello.bulk_addr;
    member->engine_token = hello.engine_token;
    member->introduced = true;
    member->refusal.clear();
    heard_from(now, *member);
  }
  if (hello.seen_epoch > self_->epoch) outgrow_epoch(now, hello.seen_epoch);
  restitch(now);
}

// Says why not, and notes it with the member whose address it is, if there is one. Logged once for
// a member, and for strangers at most once a second.
void Replica::turn_down(TimePoint now, NodeId from, const Introduction& hello,
                        const std::string& reason, bool is_hello) {
  count("introductions_refused");
  if (is_hello) answer(from, Channel::control, RefusedMessage{reason});
  Member* member = find_member(node_id(settings_.cluster, hello.addr));
  bool is_news = now >= next_stranger_line_;
  if (member != nullptr) {
    is_news = member->refusal.empty();
    member->refusal = reason;
  } else if (is_news) {
    next_stranger_line_ = now + settings_.timers.head_idle;
  }
  if (is_news) {
    log(LogLine::Level::error, "refused", "node=" + hello.addr + " reason=\"" + reason + "\"");
  }
}

void Replica::on_refused(NodeId from, const RefusedMessage& refused) {
  Member& member = *find_member(from);
  member.introduced = false;
  if (!member.refusal.empty()) return;  // known: a HELLO of either side says it every time
  member.refusal = refused.reason;
  count("introductions_refused");
  log(LogLine::Level::error, "refused_by",
      "node=" + member.addr + " reason=\"" + refused.reason + "\"");
}

// ---- life --------------------------------------------------------------------------------------

void Replica::heard_from(TimePoint now, Member& member) {
  member.last_heard = now;
  if (member.state != MemberState::alive && member.introduced) {
    set_state(member, MemberState::alive);
    restitch(now);
  }
}

void Replica::set_state(Member& member, MemberState state) {
  if (member.state == state) return;
  member.state = state;
  effects_.push_back(MembershipChanged{member.addr, member.rank, member.role, member.epoch, state});
  log(state == MemberState::alive ? LogLine::Level::info : LogLine::Level::warning,
      "node_" + std::string(state_name(state)),
      "node=" + member.addr + " epoch=" + std::to_string(member.epoch.value));
}

void Replica::watch_silence(TimePoint now) {
  bool changed = false;
  for (auto& [id, member] : members_) {
    if (id == self_->id || member.state == MemberState::dead) continue;
    const Duration silent = now - member.last_heard;
    if (silent >= settings_.timers.dead_after) {
      set_state(member, MemberState::dead);
      member.introduced = false;
      member.next_hello = now;
      changed = true;
    } else if (silent >= settings_.timers.suspect_after && member.state == MemberState::alive) {
      set_state(member, MemberState::suspect);
    }
  }
  if (changed) restitch(now);
}

// Heartbeats to the successor and HEADs to all, each at its own pace.
void Replica::beat(TimePoint now) {
  if (now >= next_heartbeat_) {
    next_heartbeat_ = now + settings_.timers.heartbeat;
    if (const auto next = successor(live_view(), self_->id)) {
      ask(*next, Channel::control, HeartbeatMessage{beat_});
    }
  }
  if (dirty_) {
    dirty_ = false;
    next_head_ = std::min(next_head_, now + settings_.timers.head_dirty);
  }
  if (now >= next_head_) publish_head(now);
}

void Replica::publish_head(TimePoint now) {
  next_head_ = now + settings_.timers.head_idle;
  HeadMessage head;
  head.beat = ++beat_;
  head.head = head_;
  head.digest = relation_->digest(kSelf);
  head.load = self_->load;
  head.vector = version_vector(false);
  effects_.push_back(Publish{Lane::control, encode(control(std::move(head)))});
}

std::vector<VectorEntry> Replica::version_vector(bool with_self) const {
  std::vector<VectorEntry> vector;
  if (with_self) vector.push_back({self_->id, self_->epoch, head_});
  for (const auto& [id, origin] : origins_) {
    if (origin.stream.epoch().value == 0) continue;
    vector.push_back({id, origin.stream.epoch(), origin.stream.applied()});
  }
  return vector;
}

void Replica::on_head(TimePoint now, const Envelope& envelope, const HeadMessage& head,
                      std::string_view frame) {
  if (envelope.origin == self_->id) {
    if (envelope.epoch > self_->epoch) outgrow_epoch(now, envelope.epoch);
    return;
  }
  Member* member = find_member(envelope.origin);
  if (member == nullptr) return count("unknown_origins");
  if (envelope.epoch < member->epoch) return count("heads_of_stale_epoch");
  note_head(now, envelope.origin, envelope.epoch, head.head);
  if (head.beat <= member->last_beat) return;  // seen already, on another way
  member->last_beat = head.beat;
  relay(envelope, frame);
  heard_from(now, *member);
  member->load = head.load;
  for (const VectorEntry& entry : head.vector) {
    if (entry.origin == self_->id) {
      if (entry.epoch > self_->epoch) outgrow_epoch(now, entry.epoch);
      continue;
    }
    if (!origins_.contains(entry.origin)) continue;
    member->vector[entry.origin] = entry;
    note_head(now, entry.origin, entry.epoch, entry.applied);
  }
  compare_digest(now, envelope.origin, origins_.at(envelope.origin), head);
}

// Equal vectors and unequal digests: something is wrong that no op will mend.
void Replica::compare_digest(TimePoint now, NodeId id, Origin& origin, const HeadMessage& head) {
  if (origin.stream.applied() != head.head || origin.wants_snapshot) return;
  if (relation_->digest(origin.holder) == head.digest) return;
  count("digest_mismatches");
  log(LogLine::Level::error, "digest_mismatch",
      "node=" + find_member(id)->addr + " seq=" + std::to_string(head.head.value) + " here=" +
          digest_hex(relation_->digest(origin.holder)) + " there=" + digest_hex(head.digest));
  origin.replaces_all = true;
  want_snapshot(now, id, origin, "digest_mismatch");
}

// ---- links -------------------------------------------------------------------------------------

std::vector<NodeId> Replica::live_view() const {
  std::vector<NodeId> view;
  for (NodeId id : by_rank_) {
    const MemberState state = members_.at(id).state;
    if (state == MemberState::alive || state == MemberState::suspect) view.push_back(id);
  }
  return view;
}

// Brings the subscriptions in line with the topology: new ones first, then those no longer needed
// go. In a mesh a link to a dead node stays, so that it is heard the moment it is back.
void Replica::restitch(TimePoint now) {
  const auto view = settings_.topology == Topology::mesh ? by_rank_ : live_view();
  const std::vector<NodeId> wanted = upstreams(settings_.topology, view, self_->id);
  for (NodeId id : wanted) {
    const Member& member = members_.at(id);
    if (!member.introduced || member.publish_addr.empty()) continue;
    std::string& addr = subscribed_[id];
    if (addr == member.publish_addr) continue;
    if (!addr.empty()) effects_.push_back(UnsubscribeFrom{id});
    addr = member.publish_addr;
    marked_.erase(id);
    effects_.push_back(SubscribeTo{id, addr});
    next_marker_ask_ = now + settings_.timers.marker;
  }
  std::erase_if(subscribed_, [&](const auto& each) {
    if (std::ranges::find(wanted, each.first) != wanted.end()) return false;
    effects_.push_back(UnsubscribeFrom{each.first});
    marked_.erase(each.first);
    return true;
  });
  check_ready(now);
}

// From here on nothing that this upstream publishes is missed; what came before is in the vector.
void Replica::on_marker(TimePoint now, const Envelope& envelope, const MarkerMessage& marker) {
  Member* member = find_member(envelope.origin);
  if (member == nullptr || member->id == self_->id || envelope.epoch < member->epoch) {
    return count("misplaced_messages");
  }
  marked_.insert(envelope.origin);
  for (const VectorEntry& entry : marker.vector) {
    if (entry.origin == self_->id) {
      if (entry.epoch > self_->epoch) outgrow_epoch(now, entry.epoch);
      continue;
    }
    if (!origins_.contains(entry.origin)) continue;
    member->vector[entry.origin] = entry;
    note_head(now, entry.origin, entry.epoch, entry.applied);
    if (ready_ || !origins_.contains(entry.origin)) continue;
    VectorEntry& needed = barrier_[entry.origin];
    if (std::tuple(needed.epoch, needed.applied) < std::tuple(entry.epoch, entry.applied)) {
      needed = entry;
    }
  }
}

// A marker may be lost like any frame, or the subscription before it.
void Replica::ask_for_markers(TimePoint now) {
  if (now < next_marker_ask_) return;
  const bool missing = std::ranges::any_of(
      subscribed_, [&](const auto& each) { return !marked_.contains(each.first); });
  next_marker_ask_ = missing ? now + settings_.timers.marker : kNever;
  if (missing) effects_.push_back(AskMarkers{});
}

// Ready once nothing is missing that existed when this node came: every upstream's marker is here,
// and all that the markers named is applied. Does not go back.
void Replica::check_ready(TimePoint now) {
  if (ready_) return;
  for (const auto& [id, member] : members_) {
    if (id == self_->id) continue;
    if (member.epoch.value == 0 && now - started_ < settings_.timers.unseen_wait) return;
  }
  for (const auto& [id, addr] : subscribed_) {
    if (members_.at(id).state == MemberState::alive && !marked_.contains(id)) return;
  }
  for (const auto& [id, needed] : barrier_) {
    const Origin& origin = origins_.at(id);
    const OriginStream& stream = origin.stream;
    if (std::tuple(stream.epoch(), stream.applied()) < std::tuple(needed.epoch, needed.applied)) {
      // What nobody alive has cannot be waited for.
      if (now - started_ >= settings_.timers.dead_after && donors_for(id, origin).empty()) continue;
      return;
    }
  }
  ready_ = true;
  log(LogLine::Level::info, "ready", "node=" + self_->addr);
}

}  // namespace radixmesh
