// Who is there: members come from the lists, by joining (replica_join.cpp), and by what others
// tell.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// One that joined and died is remembered for as long as it had lived, within bounds: who came for a
// moment is soon forgotten.
Duration kept_for(const Member& member, const Timers& timers) {
  return std::clamp(member.lived, timers.reap_after_min, timers.reap_after);
}

}  // namespace

Member& Replica::add_member(const std::string& addr, NodeRank rank, Role role, bool configured) {
  const NodeId id = node_id(settings_.cluster, addr);
  Member& member = members_[id];
  member.id = id;
  member.addr = addr;
  member.rank = rank;
  member.role = role;
  member.configured = configured;
  if (configured) member.founder = Founder{};
  member.state_since = last_step_;
  const auto place = [this](NodeId each) { return std::tuple(members_.at(each).rank, each); };
  by_rank_.insert(std::ranges::upper_bound(by_rank_, place(id), {}, place), id);
  view_changed();
  if (addr == settings_.self) {
    holders_.emplace(kSelf, id);
    return member;
  }
  Origin& origin = origins_[id];
  origin.holder = relation_->add_holder();
  holders_.emplace(origin.holder, id);
  out_.owe(ConnectPeer{id, addr});
  return member;
}

// Forgets a member wholly, as if it had never been there.
void Replica::remove_member(NodeId id) {
  Origin& origin = origins_.at(id);
  abandon_staging(origin);
  drop_former(origin);
  donor_.replaced(id);
  op_log_.forget(id);
  holders_.erase(origin.holder);
  relation_->drop_holder(origin.holder);
  origins_.erase(id);
  lagging_.erase(id);
  barrier_.erase(id);
  next_exchange_.erase(id);
  end_reader(id);
  forget_rounds_of(id);
  collection_.readers.forget(id);
  registrations_.drop(id);
  if (subscribed_.erase(id) > 0) out_.owe(UnsubscribeFrom{id});
  marked_.erase(id);
  out_.owe(DropPeer{id});
  // Who let this node in stays within its reach.
  if (const Seed* seed = seeds_.find(id); seed != nullptr && seed->connected) {
    out_.owe(ConnectPeer{id, seed->addr});
  }
  std::erase(by_rank_, id);
  members_.erase(id);
  for (auto& [other, member] : members_) {
    member.vector.erase(id);
    member.accusers.erase(id);
    member.probed_for.erase(id);
  }
  view_changed();
}

// Whatever was known of it was wrong: it is met as if for the first time.
void Replica::relearn(NodeId id) {
  const Member old = members_.at(id);
  remove_member(id);
  // Questions go on: an answer to an earlier one is no answer to the next.
  add_member(old.addr, old.rank, old.role, old.configured).questions = old.questions;
  out_.count("members_relearned");
}

// False where the mesh is full. Who is gone, and stands in no list, makes way; so many that never
// answered themselves are let in.
bool Replica::make_room_for_member() {
  std::size_t unproven = 0;
  const Member* gone = nullptr;
  for (const auto& [id, member] : members_) {
    if (member.configured || id == self_->id) continue;
    if (member.epoch.value == 0) ++unproven;
    if (member.state < MemberState::dead || member.introduced) continue;
    if (gone == nullptr || member.state_since < gone->state_since) gone = &member;
  }
  if (unproven >= limits::unproven_members_max) return false;
  if (members_.size() < limits::members_max) return true;
  if (gone == nullptr) return false;
  remove_member(gone->id);
  return true;
}

void Replica::rank_changed() {
  std::ranges::sort(by_rank_, {},
                    [this](NodeId id) { return std::tuple(members_.at(id).rank, id); });
  view_changed();
}

// The highest known and one; the lowest that is free where that is past the bound.
NodeRank Replica::next_rank() const {
  std::set<std::uint32_t> taken;
  for (const auto& [id, member] : members_) {
    if (member.rank != kAnyRank) taken.insert(member.rank.value);
  }
  std::uint32_t rank = taken.empty() ? 0 : *taken.rbegin() + 1;
  if (rank > limits::rank_max) {
    for (rank = 0; taken.contains(rank);) ++rank;
  }
  return NodeRank{rank};
}

// ---- news --------------------------------------------------------------------------------------

MemberNews Replica::news_of(const Member& member) const {
  return MemberNews{member.addr,  member.rank,   member.role,
                    member.epoch, member.refute, member.state};
}

// Told with the next HEADs and heartbeats; the first goes out at once.
void Replica::spread(TimePoint now, const Member& member) {
  news_.add(news_of(member), members_.size());
  next_head_ = std::min(next_head_, now);
}

void Replica::on_news(TimePoint now, NodeId from, const std::vector<MemberNews>& news) {
  for (const MemberNews& each : news) on_news_of(now, from, each);
}

// Later news win: by epoch, then by the counter of refutations. But what was heard of a member
// itself, a moment ago, is better than what another says of it.
void Replica::on_news_of(TimePoint now, NodeId from, const MemberNews& news) {
  const NodeId id = node_id(settings_.cluster, news.addr);
  if (id == self_->id) return on_news_of_self(now, news);
  Member* member = find_member(id);
  if (member == nullptr) {
    if (news.state != MemberState::alive || news.removed || !make_room_for_member()) return;
    member = &add_member(news.addr, news.rank, news.role, false);
    member->next_hello = now;
    look_by(now);
    settle_rank(now, *member);
    out_.log(LogLine::Level::info, "node_known",
             "node=" + news.addr + " rank=" + std::to_string(news.rank.value));
    return;
  }
  if (news.removed) {
    // The word is of a life, and no other.
    if (news.epoch == member->epoch && member->hello_epoch <= member->epoch)
      on_removal(now, *member);
    return;
  }
  if (news.epoch < member->epoch) return;
  const bool own_word = from == id && news.refute >= member->refute;
  if (own_word) adopt_rank(now, *member, news.rank);
  if (news.epoch > member->epoch || news.refute > member->refute) {
    // It lived, as someone knows: that may be a while ago. What is new of it becomes known by its
    // own WELCOME.
    const bool this_life = news.epoch == member->epoch && news.state == MemberState::alive;
    if (member->state == MemberState::suspect && this_life) {
      heard_from(now, *member);
      member->last_heard = now - settings_.timers.suspect_after / 2;
    }
    if (!(own_word && news.state == MemberState::left)) return doubt(now, *member);
  }
  if (news.refute < member->refute || news.state == MemberState::alive) return;
  if (news.state != MemberState::left) member->accusers.insert(from);
  if (news.state <= member->state) return;
  if (news.state == MemberState::left) return set_state(now, *member, MemberState::left);
  const Duration doubt = settings_.timers.suspect_after / 2;
  if (member->last_heard != TimePoint::min() && now - member->last_heard < doubt) {
    out_.count("accusations_doubted");
    return ask(id, Channel::control, NewsMessage{{news}, false});  // so that it can refute
  }
  if (member->state == MemberState::alive) {
    set_state(now, *member, MemberState::suspect);
  } else if (news.state == MemberState::dead && member->state == MemberState::suspect) {
    set_state(now, *member, MemberState::dead);
  }
}

void Replica::on_news_of_self(TimePoint now, const MemberNews& news) {
  on_standing(now, Standing{news.epoch, news.refute, news.state});
  // Someone believes in another rank than this node has: the later word is its own.
  if (news.epoch != self_->epoch || news.rank == self_->rank || news.rank == kAnyRank) return;
  if (self_->configured || !joined() || news.refute < self_->refute) return;
  note_own_refute(now, news.refute + 1);
}

// The rank of one that joined may change: it is what its owner says.
void Replica::adopt_rank(TimePoint now, Member& member, NodeRank rank) {
  if (!member.configured && rank != kAnyRank && rank != member.rank) {
    member.rank = rank;
    rank_changed();
  }
  settle_rank(now, member);
}

// Two that joined through different members may have been handed the same rank. The one whose
// identity is the higher number takes another; so does the other one where the first keeps its own
// (its operator gave it, or it is listed). Between two meshes that have met only JOIN decides.
void Replica::settle_rank(TimePoint now, Member& other) {
  const bool same = other.rank == self_->rank && other.founder == founder_;
  if (!same) other.same_rank_since = kNever;
  if (!same || self_->configured || settings_.rank != kAnyRank) return;
  other.same_rank_since = std::min(other.same_rank_since, now);
  if (!other.rank_given && other.id > self_->id &&
      now - other.same_rank_since < settings_.timers.audit / 2)
    return;
  self_->rank = next_rank();
  rank_changed();
  out_.count("ranks_settled");
  out_.log(LogLine::Level::info, "rank_settled",
           "rank=" + std::to_string(self_->rank.value) + " other=" + other.addr);
  note_own_refute(now, self_->refute + 1);
}

// ---- equal views -------------------------------------------------------------------------------

// Whoever sees another set of members than we do is told all that we know, and answers likewise.
void Replica::exchange_views(TimePoint now, NodeId with, std::uint64_t view_hash) {
  refresh_view(now);
  if (view_hash == view_hash_) return;
  TimePoint& next = next_exchange_.try_emplace(with, now).first->second;
  if (now < next) return;
  next = now + settings_.timers.view_exchange;
  out_.count("views_exchanged");
  send_members(with, false, true);
}

void Replica::send_members(NodeId to, bool as_answer, bool wants_answer) {
  NewsMessage message;
  const auto send = [&] {
    message.wants_answer = std::exchange(wants_answer, false);
    if (as_answer) {
      answer(to, Channel::control, message);
    } else {
      ask(to, Channel::control, message);
    }
    message.news.clear();
  };
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    if (member.epoch.value == 0 || member.rank == kAnyRank) continue;
    message.news.push_back(news_of(member));
    if (message.news.size() == limits::news_per_message_max) send();
  }
  if (!message.news.empty()) send();
}

// ---- leaving -----------------------------------------------------------------------------------

void Replica::drain(TimePoint now) {
  if (draining()) return;
  leave_at_ = now + settings_.timers.drain_wait;
  look_by(now);
  out_.log(LogLine::Level::info, "draining", "node=" + self_->addr);
  set_state(now, *self_, MemberState::left);
  spread(now, *self_);
  publish_head(now);
  // Straight as well: who is not subscribed, or misses the HEAD, need not find out by silence.
  for (const auto& [id, member] : members_) {
    if (id == self_->id || !member.introduced) continue;
    ask(id, Channel::control, NewsMessage{{news_of(*self_)}, false});
  }
}

void Replica::leave_when_due(TimePoint now) {
  if (!draining()) return;
  const bool locked = cache_ != nullptr && cache_->protected_tokens() > 0;
  if (now < leave_at_ && locked) return look_by(now + settings_.timers.heartbeat / 10);
  out_.owe(radixmesh::Left{});
}

// Nothing is kept for ever of who is gone: its entries go first, and one that had joined goes
// wholly later.
void Replica::forget_the_gone(TimePoint now) {
  if (now < next_forget_) return;  // minutes are not counted with every message
  next_forget_ = now + settings_.timers.heartbeat / 10;
  std::vector<NodeId> reaped;
  for (auto& [id, member] : members_) {
    if (id == self_->id) continue;
    Origin& origin = origins_.at(id);
    if (origin.former && now - origin.former->since >= settings_.timers.former_kept) {
      drop_former(origin);
    }
    if (origin.former) look_by(origin.former->since + settings_.timers.former_kept);
    if (member.state < MemberState::dead) continue;
    const Duration gone = now - member.state_since;
    if (!origin.forgotten && gone >= settings_.timers.forget_after) forget(id, origin);
    const bool never_came = member.epoch.value == 0 && gone >= settings_.timers.former_kept;
    const bool reap =
        member.removed || never_came ||
        gone >= (member.state == MemberState::left ? settings_.timers.forget_after
                                                   : kept_for(member, settings_.timers));
    // As long as the lease of what it refers to here stands, it is known why that must stay.
    const TimePoint refers = collection_.readers.refers_until(id);
    if (!member.configured && reap && now >= refers) reaped.push_back(id);
    if (member.removed && now < refers) look_by(refers);
    if (!origin.forgotten) look_by(member.state_since + settings_.timers.forget_after);
  }
  for (NodeId id : reaped) remove_member(id);
}

// An operator's word, passed on once. Who lives shows by that that the word was wrong.
void Replica::on_removal(TimePoint now, Member& member) {
  if (member.configured || member.state == MemberState::alive || member.removed) return;
  member.removed = true;
  MemberNews news = news_of(member);
  news.removed = true;
  news_.add(news, members_.size());
  next_head_ = std::min(next_head_, now);
  next_forget_ = now;
  look_by(now);
  out_.count("members_removed");
  out_.log(LogLine::Level::info, "member_removed", "node=" + member.addr);
}

Replica::Result<MemberRemoved> Replica::member_remove(TimePoint now, std::string_view addr) {
  const auto refuse = [&](RefusalCode code, const std::string& rule) {
    return tl::make_unexpected(Refusal{code, std::string(addr) + rule});
  };
  const NodeId id = node_id(settings_.cluster, std::string(addr));
  Member* member = find_member(id);
  if (member == nullptr) return refuse(RefusalCode::fix_request, " is no member here");
  if (id == self_->id) {
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
  return MemberRemoved{std::string(addr),
                       std::max(collection_.readers.refers_until(id), now) - now};
}

// Its entries go; its epoch stays known, so that nothing of an earlier life ever counts again.
void Replica::forget(NodeId id, Origin& origin) {
  registrations_.begin_anew(last_step_, id);  // what it referred to is not known any more
  origin.forgotten = true;
  if (origin.stream.applied().value == 0) return;
  origin.had_ops = true;
  out_.count("origins_forgotten");
  abandon_staging(origin);
  drop_former(origin);
  donor_.replaced(id);
  op_log_.forget(id);
  hold_nothing(id, origin);
  origin.stream.begin_epoch(origin.stream.epoch());
  origin.stream.pause(true);
  origin.head = {};
  origin.wants_snapshot = origin.replaces_all = false;
  origin.repair.disarm();
  lagging_.erase(id);
}

}  // namespace radixmesh
