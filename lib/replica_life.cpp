// Who lives: heartbeats to the neighbours, silence and what follows from it, and the ring.
#include <xxhash.h>

#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {

// ---- signs of life -----------------------------------------------------------------------------

// Anything that a member sent, on whatever way. One that is dead lives again only when it is
// introduced anew: what arrives late, or through others, proves nothing of now. Nor does what a
// relay passes on lift a suspicion: it may have lain there. The suspect itself is asked all the
// while.
void Replica::heard_from(TimePoint now, Member& member, bool directly) {
  if (!directly && member.state == MemberState::suspect) return;
  member.last_heard = now;
  member.asked_others = false;
  if (!member.probed_for.empty()) {
    for (NodeId asker : std::exchange(member.probed_for, {})) {
      answer(asker, Channel::control, ProbeReport{member.id, true});
    }
  }
  if (member.state == MemberState::alive || !member.introduced) return;
  if (member.state == MemberState::left) return;  // in this life it does not come back
  member.accusers.clear();
  Origin& origin = origins_.at(member.id);
  if (std::exchange(origin.forgotten, false) && origin.had_ops) {
    // What was dropped of this life comes back as a whole: no op of it is applied a second time.
    want_snapshot(now, member.id, origin, "forgotten", false);
  }
  set_state(now, member, MemberState::alive);
  look_by(now);
}

void Replica::set_state(TimePoint now, Member& member, MemberState state) {
  if (member.state == state) return;
  if (member.state <= MemberState::suspect) member.lived += now - member.state_since;
  member.state = state;
  member.state_since = now;
  if (state == MemberState::alive) member.removed = false;
  view_changed();
  if (member.id != self_->id && state >= MemberState::dead) {
    member.introduced = false;
    member.hellos = 0;
    member.next_hello = now + settings_.timers.hello;
    member.probed_for.clear();
    router_.forget(now, member.id);
    member.load.reset();  // when it is back, what it repeats is news
  }
  look_by(now);
  out_.owe(MembershipChanged{member.addr, member.rank, member.role, member.epoch, state});
  // One that began another life was told of by that.
  if (state == MemberState::alive && std::exchange(member.restart_told, false)) return;
  const bool is_bad = state == MemberState::suspect || state == MemberState::dead;
  out_.log(is_bad ? LogLine::Level::warning : LogLine::Level::info,
           "node_" + std::string(state_name(state)),
           "node=" + member.addr + " epoch=" + std::to_string(member.epoch.value));
}

// ---- silence -----------------------------------------------------------------------------------

// Whoever was not run for a while heard nobody, and that was its own fault: all deadlines move by
// as much, and it trusts itself less.
void Replica::notice_own_stall(TimePoint now) {
  const Duration late = now - next_heartbeat_;
  if (late < 2 * settings_.timers.heartbeat) return;
  out_.count("own_stalls");
  health_.worse();
  for (auto& [id, member] : members_) {
    if (member.last_heard != TimePoint::min()) {
      // Nobody is accused before it was asked.
      const TimePoint least = now - settings_.timers.suspect_after / 2;
      member.last_heard = std::clamp(member.last_heard + late, least, now);
    }
    if (member.state == MemberState::suspect) {
      member.state_since = std::min(now, member.state_since + late);
    }
  }
  next_heartbeat_ = now;  // what was late is counted once
}

void Replica::watch_silence(TimePoint now) {
  // If this many seem gone at once, the one that is cut off may be this node.
  std::size_t silent = 0, living = 0;
  for (const auto& [id, member] : members_) {
    if (id == self_->id || member.state >= MemberState::dead) continue;
    ++living;
    const bool suspect = member.state == MemberState::suspect;
    if (suspect || now - member.last_heard >= settings_.timers.suspect_after) ++silent;
  }
  const bool isolated = silent > std::max<std::size_t>(2, (living + 1) / 3);
  if (isolated && !isolated_) {
    out_.count("isolations");
    out_.log(LogLine::Level::warning, "isolated", "silent=" + std::to_string(silent));
  }
  isolated_ = isolated;
  for (auto& [id, member] : members_) {
    if (id != self_->id && member.state < MemberState::dead) watch_member(now, member);
  }
}

// See mesh/suspicion.h for the times.
void Replica::watch_member(TimePoint now, Member& member) {
  const Timers& timers = settings_.timers;
  const Duration patience = health_.scaled(timers.suspect_after);
  const Duration silent = now - member.last_heard;
  if (silent < patience / 2) return look_by(member.last_heard + patience / 2);
  if (now >= member.next_probe) {
    member.next_probe = now + timers.heartbeat;
    ask(member.id, Channel::control, HeartbeatMessage{pulse_for(member)});
  }
  look_by(member.next_probe);
  if (!member.asked_others && silent >= patience * 2 / 3) ask_others_about(member);
  if (member.state == MemberState::alive) {
    if (silent >= patience) accuse(now, member);
    return look_by(member.last_heard + (member.asked_others ? patience : patience * 2 / 3));
  }
  const Duration timeout = health_.scaled(
      suspicion_timeout(timers.heartbeat, view_.places.size(), member.accusers.size()));
  if (now - member.state_since < timeout) return look_by(member.state_since + timeout);
  set_state(now, member, MemberState::dead);
  if (!isolated_) spread(now, member);
}

void Replica::accuse(TimePoint now, Member& member) {
  out_.count("suspicions");
  if (view_.places.size() > 2 && !member.others_answered) health_.worse();
  set_state(now, member, MemberState::suspect);
  // The accused is told first: it can refute, if it hears this.
  ask(member.id, Channel::control, NewsMessage{{news_of(member)}, false});
  if (!isolated_) spread(now, member);
}

// Three of the others, never the same three for all: starting behind the silent one in the order
// of ranks.
void Replica::ask_others_about(Member& member) {
  member.asked_others = true;
  member.others_answered = false;
  std::size_t asked = 0;
  for (int step = 1; asked < kProbesOfOthers && step < static_cast<int>(view_.places.size());
       ++step) {
    const auto other = neighbour(view_, member.id, step);
    if (!other || *other == self_->id || *other == member.id) continue;
    if (members_.at(*other).state != MemberState::alive) continue;
    ask(*other, Channel::control, ProbeRequest{member.id});
    ++asked;
  }
}

// "No" says that at least this node hears the asker: who hears nobody doubts itself.
void Replica::on_probe_request(TimePoint now, NodeId from, const ProbeRequest& probe) {
  Member* member = find_member(probe.target);
  if (member == nullptr || member->id == self_->id) return;
  if (member->introduced && now - member->last_heard < settings_.timers.heartbeat) {
    return answer(from, Channel::control, ProbeReport{probe.target, true});
  }
  answer(from, Channel::control, ProbeReport{probe.target, false});
  member->probed_for.insert(from);
  ask(probe.target, Channel::control, HeartbeatMessage{pulse_for(*member)});
}

void Replica::on_probe_report(TimePoint now, const ProbeReport& report) {
  Member* member = find_member(report.target);
  if (member == nullptr || member->id == self_->id) return;
  member->others_answered = true;
  if (!report.alive) return;
  if (member->state < MemberState::dead) {
    out_.count("heard_through_others");
    heard_from(now, *member);
  }
}

void Replica::note_refute(TimePoint now, Member& member, std::uint32_t refute) {
  if (refute <= member.refute) return;
  member.refute = refute;
  view_changed();
  // It says that it has not left after all: to be introduced anew.
  if (member.state == MemberState::left) set_state(now, member, MemberState::dead);
}

// What another believes of this node. A life that it did not live is outgrown, a suspicion refuted.
void Replica::on_standing(TimePoint now, const Standing& seen) {
  if (seen.epoch > self_->epoch) return outgrow_epoch(now, seen.epoch);
  if (seen.epoch != self_->epoch || seen.state == MemberState::alive || draining()) return;
  if (seen.refute < self_->refute) return;
  health_.worse();
  out_.count("suspicions_refuted");
  note_own_refute(now, seen.refute + 1);
}

// Past the bound only a new epoch is later than what was said.
void Replica::note_own_refute(TimePoint now, std::uint32_t refute) {
  if (refute > limits::refute_max) return outgrow_epoch(now, self_->epoch);
  self_->refute = refute;
  view_changed();
  spread(now, *self_);
}

// ---- heartbeats --------------------------------------------------------------------------------

// To the next two in rank order and the one before, so that the ring closes in one step over a dead
// one; HEADs to all, at their own pace.
void Replica::beat(TimePoint now) {
  if (now >= next_heartbeat_) {
    notice_own_stall(now);  // the engine's call may come before the first step after a stall
    next_heartbeat_ = now + settings_.timers.heartbeat;
    refresh_view(now);
    std::set<NodeId> beaten;
    for (int step : {1, 2, -1}) {
      const auto next = neighbour(view_, self_->id, step);
      if (!next || draining() || !beaten.insert(*next).second) continue;
      ask(*next, Channel::control, HeartbeatMessage{pulse_for(members_.at(*next))});
    }
  }
  if (dirty_) {
    dirty_ = false;
    next_head_ = std::min(next_head_, now + settings_.timers.head_dirty);
  }
  if (now >= next_head_) publish_head(now);
}

Pulse Replica::pulse_for(const Member& to) {
  Pulse pulse;
  pulse.beat = beat_;
  pulse.view_hash = view_hash_;
  pulse.seen = Standing{to.epoch, to.refute, to.state};
  pulse.load = self_->load;
  for (const VectorEntry& at : news_vector()) {
    if (pulse.digests.size() == limits::heartbeat_digests_max) break;
    const bool own = at.origin == self_->id;
    pulse.digests.push_back(
        {at, own ? own_digest() : relation_->digest(origins_.at(at.origin).holder)});
  }
  pulse.news = news_.take();
  return pulse;
}

void Replica::on_pulse(TimePoint now, Member& from, const Pulse& pulse) {
  const NodeId id = from.id;
  note_load(now, from, pulse.load);
  on_standing(now, pulse.seen);
  std::vector<VectorEntry> vector;
  for (const DigestEntry& each : pulse.digests) vector.push_back(each.at);
  note_vector(now, from, vector, false);
  for (const DigestEntry& each : pulse.digests) compare_digest(now, each.at, each.digest, id);
  on_news(now, id, pulse.news);
  if (find_member(id) != nullptr) exchange_views(now, id, pulse.view_hash);
}

// ---- the ring ----------------------------------------------------------------------------------

// Brings the picture of who is alive or suspect up to date, if anything about it changed.
void Replica::refresh_view(TimePoint now) {
  if (!view_changed_) return;
  view_.places.clear();
  view_.members = 0;
  std::vector<Visit> ring;
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    if (member.state != MemberState::left) ++view_.members;
    if (member.state > MemberState::suspect || member.rank == kAnyRank) continue;
    view_.places.push_back({id, member.rank, member.state == MemberState::suspect});
    ring.push_back({id, member.epoch, member.refute});
  }
  std::string bytes;
  for (const Place& place : view_.places) {
    bytes.append(reinterpret_cast<const char*>(&place.rank), sizeof place.rank);
  }
  for (const Visit& visit : ring) {
    bytes.append(reinterpret_cast<const char*>(&visit.node), sizeof visit.node);
    bytes.append(reinterpret_cast<const char*>(&visit.epoch), sizeof visit.epoch);
    bytes.append(reinterpret_cast<const char*>(&visit.refute), sizeof visit.refute);
  }
  view_hash_ = XXH3_64bits(bytes.data(), bytes.size());
  if (self_ != nullptr && self_->state == MemberState::alive && joined()) {
    ring_.set_view(now, std::move(ring));
  }
  view_changed_ = false;
}

void Replica::check_ring(TimePoint now) {
  refresh_view(now);
  if (!takes_part_in_ring() || now < ring_.due()) return;
  const bool was_open = !ring_.open_at().empty();
  send_ticks(ring_.step(now));
  if (!was_open && !ring_.open_at().empty()) out_.count("ring_openings");
}

void Replica::send_ticks(RingCheck::Sends sends) {
  for (RingCheck::Outgoing& each : sends) {
    ask(each.to, Channel::control, std::move(each.tick));
  }
}

}  // namespace radixmesh
