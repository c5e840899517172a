#include "lib/mesh/membership.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

// ---- news --------------------------------------------------------------------------------------

bool Membership::on_news(TimePoint now, NodeId from, const MemberNews& news) {
  Member* member = parts_.roster.find(parts_.roster.id_of(news.addr));
  if (member == nullptr) return false;
  if (parts_.roster.is_self(*member)) {
    on_news_of_self(now, news);
  } else if (news.removed) {
    // The word is of a life, and no other.
    const bool of_this_life =
        news.epoch == member->epoch && parts_.greetings.hello_epoch(member->id) <= member->epoch;
    if (of_this_life) on_removal(now, *member);
  } else if (news.epoch >= member->epoch && !on_later_news(now, from, *member, news)) {
    on_accusation(now, from, *member, news);
  }
  return true;
}

// What is said by its owner, or is new of it. True where that is all.
bool Membership::on_later_news(TimePoint now, NodeId from, Member& member, const MemberNews& news) {
  const bool own_word = from == member.id && news.refute >= member.refute;
  if (own_word) adopt_rank(now, member, news.rank);
  if (news.epoch <= member.epoch && news.refute <= member.refute) return false;
  // It lived, as someone knows: that may be a while ago. What is new of it becomes known by its own
  // WELCOME.
  const bool this_life = news.epoch == member.epoch && news.state == MemberState::alive;
  if (member.state == MemberState::suspect && this_life) {
    parts_.liveness.heard_elsewhere(now, member.id);
  }
  if (own_word && news.state == MemberState::left) return false;
  parts_.greetings.doubt(now, member.id);
  return true;
}

void Membership::on_accusation(TimePoint now, NodeId from, Member& member, const MemberNews& news) {
  if (news.refute < member.refute || news.state == MemberState::alive) return;
  if (news.state != MemberState::left) parts_.liveness.note_accuser(member.id, from);
  if (news.state <= member.state) return;
  if (news.state == MemberState::left) {
    return parts_.liveness.set_state(now, member, MemberState::left);
  }
  const TimePoint heard = parts_.liveness.last_heard(member.id);
  if (heard != TimePoint::min() && now - heard < timers_.suspect_after / 2) {
    parts_.out.count("accusations_doubted");
    // So that it can refute.
    return parts_.post.ask(member.id, Channel::control, NewsMessage{{news}, false});
  }
  if (member.state == MemberState::alive) {
    parts_.liveness.set_state(now, member, MemberState::suspect);
  } else if (news.state == MemberState::dead && member.state == MemberState::suspect) {
    parts_.liveness.set_state(now, member, MemberState::dead);
  }
}

void Membership::on_news_of_self(TimePoint now, const MemberNews& news) {
  const Member& self = parts_.roster.self();
  // Someone believes in another rank than this node has: the later word is its own.
  if (news.epoch != self.epoch || news.rank == self.rank || news.rank == kAnyRank) return;
  if (self.configured || !parts_.roster.joined() || news.refute < self.refute) return;
  parts_.liveness.raise_own_refute(now, news.refute + 1);
}

// Who is gone, and stands in no list, makes way; so many that never answered themselves are let in.
Membership::Room Membership::room() const {
  std::size_t unproven = 0;
  const Member* gone = nullptr;
  for (const auto& [id, member] : parts_.roster.all()) {
    if (member.configured || parts_.roster.is_self(member)) continue;
    if (member.epoch.value == 0) ++unproven;
    if (member.state < MemberState::dead || member.introduced) continue;
    if (gone == nullptr || member.state_since < gone->state_since) gone = &member;
  }
  if (unproven >= limits::unproven_members_max) return {};
  if (parts_.roster.size() < limits::members_max) return {true, std::nullopt};
  if (gone == nullptr) return {};
  return {true, gone->id};
}

void Membership::note_added(TimePoint now, Member& member) {
  parts_.greetings.greet_anew(now, member.id);
  parts_.look.by(now);
}

// ---- ranks -------------------------------------------------------------------------------------

void Membership::adopt_rank(TimePoint now, Member& member, NodeRank rank) {
  if (!member.configured && rank != kAnyRank && rank != member.rank) {
    parts_.roster.set_rank(member, rank);
  }
  settle_rank(now, member);
}

// Two that joined through different members may have been handed the same rank. The one whose
// identity is the higher number takes another; so does the other one where the first keeps its own
// (its operator gave it, or it is listed). Between two meshes that have met only JOIN decides.
void Membership::settle_rank(TimePoint now, const Member& other) {
  Member& self = parts_.roster.self();
  const bool same = other.rank == self.rank && other.founder == self.founder;
  if (!same) {
    same_rank_since_.erase(other.id);
    return;
  }
  if (self.configured || given_ != kAnyRank) return;
  const TimePoint since = same_rank_since_.try_emplace(other.id, now).first->second;
  if (!other.rank_given && other.id > self.id && now - since < timers_.audit / 2) return;
  parts_.roster.set_rank(self, parts_.roster.next_rank());
  parts_.out.count("ranks_settled");
  parts_.out.log(LogLine::Level::info, "rank_settled",
                 "rank=" + std::to_string(self.rank.value) + " other=" + other.addr);
  parts_.liveness.raise_own_refute(now, self.refute + 1);
}

// ---- equal views -------------------------------------------------------------------------------

void Membership::exchange_views(TimePoint now, NodeId with, std::uint64_t view_hash) {
  parts_.ring.refresh_view(now);
  if (view_hash == parts_.roster.view_hash()) return;
  TimePoint& next = next_exchange_.try_emplace(with, now).first->second;
  if (now < next) return;
  next = now + timers_.view_exchange;
  parts_.out.count("views_exchanged");
  send_members(with, false, true);
}

void Membership::send_members(NodeId to, bool as_answer, bool wants_answer) {
  NewsMessage message;
  const auto send = [&] {
    message.wants_answer = std::exchange(wants_answer, false);
    if (as_answer) {
      parts_.post.answer(to, Channel::control, message);
    } else {
      parts_.post.ask(to, Channel::control, message);
    }
    message.news.clear();
  };
  for (NodeId id : parts_.roster.by_rank()) {
    const Member& member = parts_.roster.at(id);
    if (member.epoch.value == 0 || member.rank == kAnyRank) continue;
    message.news.push_back(news_of(member));
    if (message.news.size() == limits::news_per_message_max) send();
  }
  if (!message.news.empty()) send();
}

// ---- who is gone -------------------------------------------------------------------------------

bool Membership::looks_at_gone(TimePoint now) {
  if (now < next_forget_) return false;
  next_forget_ = now + timers_.heartbeat / 10;
  return true;
}

// One that joined and died is remembered for as long as it had lived, within bounds: who came for a
// moment is soon forgotten.
Membership::Fate Membership::fate_of(TimePoint now, const Member& member, bool is_forgotten,
                                     TimePoint refers_until) {
  if (member.state < MemberState::dead) return {};
  Fate fate;
  const Duration gone = now - member.state_since;
  fate.forgets = !is_forgotten && gone >= timers_.forget_after;
  const bool never_came = member.epoch.value == 0 && gone >= timers_.former_kept;
  const bool removed = parts_.liveness.is_removed(member.id);
  const Duration kept = member.state == MemberState::left
                            ? timers_.forget_after
                            : std::clamp(parts_.liveness.lived(member.id), timers_.reap_after_min,
                                         timers_.reap_after);
  const bool is_over = removed || never_came || gone >= kept;
  fate.removes = !member.configured && is_over && now >= refers_until;
  if (removed && now < refers_until) parts_.look.by(refers_until);
  if (!is_forgotten && !fate.forgets) parts_.look.by(member.state_since + timers_.forget_after);
  return fate;
}

std::optional<Refusal> Membership::remove(TimePoint now, std::string_view addr) {
  const auto refuse = [&](RefusalCode code, const std::string& rule) {
    return Refusal{code, std::string(addr) + rule};
  };
  const Member* member = parts_.roster.find(parts_.roster.id_of(addr));
  if (member == nullptr) return refuse(RefusalCode::fix_request, " is no member here");
  if (parts_.roster.is_self(*member)) {
    return refuse(RefusalCode::fix_request, " is this node itself: drain it");
  }
  if (member->configured) {
    return refuse(RefusalCode::fix_request, " stands in the lists: only who joined can be removed");
  }
  if (member->state == MemberState::alive) {
    return refuse(RefusalCode::fix_request, " is alive: drain it");
  }
  if (member->state == MemberState::suspect) {
    return refuse(RefusalCode::retry_later, " is suspect: whether it is dead is not known yet");
  }
  on_removal(now, *member);
  return std::nullopt;
}

// Passed on once. Who lives shows by that that the word was wrong.
void Membership::on_removal(TimePoint now, const Member& member) {
  if (member.configured || member.state == MemberState::alive) return;
  if (parts_.liveness.is_removed(member.id)) return;
  parts_.liveness.note_removed(member.id);
  MemberNews news = news_of(member);
  news.removed = true;
  parts_.news.spread(now, std::move(news));
  next_forget_ = now;
  parts_.look.by(now);
  parts_.out.count("members_removed");
  parts_.out.log(LogLine::Level::info, "member_removed", "node=" + member.addr);
}

void Membership::forget(NodeId id) {
  same_rank_since_.erase(id);
  next_exchange_.erase(id);
}

}  // namespace radixmesh
