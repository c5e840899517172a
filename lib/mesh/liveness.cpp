#include "lib/mesh/liveness.h"

#include <algorithm>
#include <string>

#include "lib/base/limits.h"

namespace radixmesh {

TimePoint Liveness::last_heard(NodeId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? TimePoint::min() : found->second.last_heard;
}

Duration Liveness::lived(NodeId id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? Duration{0} : found->second.lived;
}

bool Liveness::is_removed(NodeId id) const {
  const auto found = members_.find(id);
  return found != members_.end() && found->second.removed;
}

// ---- signs of life -----------------------------------------------------------------------------

void Liveness::heard(TimePoint now, NodeId id, bool directly) {
  Member& member = parts_.roster.at(id);
  if (!directly && member.state == MemberState::suspect) return;
  Life& life = members_[id];
  life.last_heard = now;
  life.asked_others = false;
  for (NodeId asker : std::exchange(life.probed_for, {})) {
    parts_.post.answer(asker, Channel::control, ProbeReport{id, true});
  }
  if (member.state == MemberState::alive || !member.introduced) return;
  if (member.state == MemberState::left) return;  // in this life it does not come back
  life.accusers.clear();
  parts_.streams.remember(now, id);
  set_state(now, member, MemberState::alive);
  parts_.look.by(now);
}

void Liveness::heard_elsewhere(TimePoint now, NodeId id) {
  heard(now, id);
  members_[id].last_heard = now - timers_.suspect_after / 2;
}

void Liveness::set_state(TimePoint now, Member& member, MemberState state) {
  if (member.state == state) return;
  Life& life = members_[member.id];
  if (member.state <= MemberState::suspect) life.lived += now - member.state_since;
  member.state = state;
  member.state_since = now;
  if (state == MemberState::alive) life.removed = false;
  parts_.roster.changed();
  if (!parts_.roster.is_self(member) && state >= MemberState::dead) {
    member.introduced = false;
    parts_.greetings.greet_anew(now + timers_.hello, member.id);
    life.probed_for.clear();
    gone_.push_back(member.id);
  }
  parts_.look.by(now);
  parts_.out.owe(MembershipChanged{member.addr, member.rank, member.role, member.epoch, state});
  // One that began another life was told of by that.
  if (state == MemberState::alive && std::exchange(life.restart_told, false)) return;
  const bool is_bad = state == MemberState::suspect || state == MemberState::dead;
  parts_.out.log(is_bad ? LogLine::Level::warning : LogLine::Level::info,
                 "node_" + std::string(state_name(state)),
                 "node=" + member.addr + " epoch=" + std::to_string(member.epoch.value));
}

void Liveness::begin_life(TimePoint now, Member& member, Epoch epoch) {
  const bool known = member.epoch.value != 0;
  member.epoch = epoch;
  member.refute = 0;
  member.introduced = false;
  Life& life = members_[member.id];
  life.accusers.clear();
  // Who left may come back in a new life.
  if (member.state == MemberState::left) {
    member.state = MemberState::dead;
    member.state_since = now;
  }
  parts_.roster.changed();
  parts_.look.by(now);
  if (!known) return;
  parts_.out.count("epochs_begun");
  life.restart_told = member.state != MemberState::alive;
  parts_.out.log(LogLine::Level::info, "node_restarted",
                 "node=" + member.addr + " epoch=" + std::to_string(epoch.value));
}

void Liveness::forget(NodeId id) {
  members_.erase(id);
  for (auto& [other, life] : members_) {
    life.accusers.erase(id);
    life.probed_for.erase(id);
  }
}

// ---- silence -----------------------------------------------------------------------------------

void Liveness::notice_own_stall(TimePoint now) {
  const Duration late = now - next_heartbeat_;
  if (late < 2 * timers_.heartbeat) return;
  parts_.out.count("own_stalls");
  health_.worse();
  for (auto& [id, member] : parts_.roster.all()) {
    Life& life = members_[id];
    if (life.last_heard != TimePoint::min()) {
      // Nobody is accused before it was asked.
      const TimePoint least = now - timers_.suspect_after / 2;
      life.last_heard = std::clamp(life.last_heard + late, least, now);
    }
    if (member.state == MemberState::suspect) {
      member.state_since = std::min(now, member.state_since + late);
    }
  }
  next_heartbeat_ = now;  // what was late is counted once
}

void Liveness::watch_silence(TimePoint now) {
  // If this many seem gone at once, the one that is cut off may be this node.
  std::size_t silent = 0, living = 0;
  for (const auto& [id, member] : parts_.roster.all()) {
    if (parts_.roster.is_self(member) || member.state >= MemberState::dead) continue;
    ++living;
    const bool suspect = member.state == MemberState::suspect;
    if (suspect || now - members_[id].last_heard >= timers_.suspect_after) ++silent;
  }
  const bool isolated = silent > std::max<std::size_t>(2, (living + 1) / 3);
  if (isolated && !isolated_) {
    parts_.out.count("isolations");
    parts_.out.log(LogLine::Level::warning, "isolated", "silent=" + std::to_string(silent));
  }
  isolated_ = isolated;
  for (auto& [id, member] : parts_.roster.all()) {
    if (parts_.roster.is_self(member) || member.state >= MemberState::dead) continue;
    watch(now, member);
  }
}

void Liveness::watch(TimePoint now, Member& member) {
  Life& life = members_[member.id];
  NextLook& look = parts_.look;
  const Duration patience = health_.scaled(timers_.suspect_after);
  const Duration silent = now - life.last_heard;
  if (silent < patience / 2) return look.by(life.last_heard + patience / 2);
  if (now >= life.next_probe) {
    life.next_probe = now + timers_.heartbeat;
    probe(member);
  }
  look.by(life.next_probe);
  if (!life.asked_others && silent >= patience * 2 / 3) ask_others_about(member);
  if (member.state == MemberState::alive) {
    if (silent >= patience) accuse(now, member);
    return look.by(life.last_heard + (life.asked_others ? patience : patience * 2 / 3));
  }
  const std::size_t members = parts_.roster.view().places.size();
  const Duration timeout =
      health_.scaled(suspicion_timeout(timers_.heartbeat, members, life.accusers.size()));
  if (now - member.state_since < timeout) return look.by(member.state_since + timeout);
  set_state(now, member, MemberState::dead);
  if (!isolated_) parts_.news.spread(now, member);
}

void Liveness::probe(const Member& member) {
  parts_.post.ask(member.id, Channel::control, HeartbeatMessage{parts_.heads.pulse_for(member)});
}

void Liveness::accuse(TimePoint now, Member& member) {
  parts_.out.count("suspicions");
  const bool others_answered = members_[member.id].others_answered;
  if (parts_.roster.view().places.size() > 2 && !others_answered) health_.worse();
  set_state(now, member, MemberState::suspect);
  // The accused is told first: it can refute, if it hears this.
  parts_.post.ask(member.id, Channel::control, NewsMessage{{news_of(member)}, false});
  if (!isolated_) parts_.news.spread(now, member);
}

// Three of the others, never the same three for all: starting behind the silent one in the order
// of ranks.
void Liveness::ask_others_about(const Member& member) {
  Life& life = members_[member.id];
  life.asked_others = true;
  life.others_answered = false;
  const View& view = parts_.roster.view();
  std::size_t asked = 0;
  for (int step = 1; asked < kProbesOfOthers && step < static_cast<int>(view.places.size());
       ++step) {
    const auto other = neighbour(view, member.id, step);
    if (!other || *other == parts_.roster.self().id || *other == member.id) continue;
    if (parts_.roster.at(*other).state != MemberState::alive) continue;
    parts_.post.ask(*other, Channel::control, ProbeRequest{member.id});
    ++asked;
  }
}

// "No" says that at least this node hears the asker: who hears nobody doubts itself.
void Liveness::on_probe_request(TimePoint now, NodeId from, const ProbeRequest& request) {
  const Member* member = parts_.roster.find(request.target);
  if (member == nullptr || parts_.roster.is_self(*member)) return;
  Life& life = members_[member->id];
  const bool lives = member->introduced && now - life.last_heard < timers_.heartbeat;
  parts_.post.answer(from, Channel::control, ProbeReport{request.target, lives});
  if (lives) return;
  life.probed_for.insert(from);
  probe(*member);
}

void Liveness::on_probe_report(TimePoint now, const ProbeReport& report) {
  const Member* member = parts_.roster.find(report.target);
  if (member == nullptr || parts_.roster.is_self(*member)) return;
  members_[member->id].others_answered = true;
  if (!report.alive || member->state >= MemberState::dead) return;
  parts_.out.count("heard_through_others");
  heard(now, member->id);
}

void Liveness::beat(TimePoint now) {
  if (now < next_heartbeat_) return;
  notice_own_stall(now);  // the engine's call may come before the first step after a stall
  next_heartbeat_ = now + timers_.heartbeat;
  parts_.ring.refresh_view(now);
  std::set<NodeId> beaten;
  for (int step : {1, 2, -1}) {
    const auto next = neighbour(parts_.roster.view(), parts_.roster.self().id, step);
    if (!next || parts_.roster.draining() || !beaten.insert(*next).second) continue;
    probe(parts_.roster.at(*next));
  }
}

// ---- refutations -------------------------------------------------------------------------------

void Liveness::note_refute(TimePoint now, Member& member, std::uint32_t refute) {
  if (refute <= member.refute) return;
  member.refute = refute;
  parts_.roster.changed();
  if (member.state == MemberState::left) set_state(now, member, MemberState::dead);
}

void Liveness::on_standing(TimePoint now, const Standing& seen) {
  const Member& self = parts_.roster.self();
  if (seen.epoch > self.epoch) {
    outgrown_ = seen.epoch;
    return;
  }
  if (seen.epoch != self.epoch || seen.state == MemberState::alive) return;
  if (parts_.roster.draining() || seen.refute < self.refute) return;
  health_.worse();
  parts_.out.count("suspicions_refuted");
  raise_own_refute(now, seen.refute + 1);
}

// Past the bound only a new epoch is later than what was said.
void Liveness::raise_own_refute(TimePoint now, std::uint32_t refute) {
  Member& self = parts_.roster.self();
  if (refute > limits::refute_max) {
    outgrown_ = self.epoch;
    return;
  }
  self.refute = refute;
  parts_.roster.changed();
  parts_.news.spread(now, self);
}

void Liveness::begin_own_epoch(TimePoint now, Epoch epoch) {
  Member& self = parts_.roster.self();
  self.epoch = epoch;
  self.refute = 0;
  parts_.roster.changed();
  for (auto& [id, member] : parts_.roster.all()) {
    if (parts_.roster.is_self(member)) continue;
    member.introduced = false;
    parts_.greetings.greet_anew(now, id);
  }
  parts_.look.by(now);
}

}  // namespace radixmesh
