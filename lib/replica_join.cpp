// How a node that is in nobody's lists comes into a mesh, or begins one; and how two meshes that
// began apart become one.
//
//   JOIN to all that the names of --join stand for
//     ├─ someone lets it in ──────────────────────────► in that mesh
//     └─ nobody is there, or all who are wait for it ──► begins one, after join_wait
//                                                            │ meets a mesh with a lower founder
//                                                            ▼
//                                     JOIN to a member of that: in it, under the rank it is given
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {

// Each address that a seed stands for is one to ask. Those that it no longer stands for are let go.
void Replica::on_seeds(TimePoint now, const SeedsFound& found) {
  for (NodeId ended : seeds_.found(found.seed, found.addresses, found.here, found.is_known)) {
    if (find_member(ended) == nullptr) out_.owe(DropPeer{ended});
  }
  const bool any_new = std::ranges::any_of(seeds_.all(), [](const auto& each) {
    return each.second.answered == TimePoint::min() && !each.second.connected;
  });
  if (!any_new) return;
  next_join_ = now;
  look_by(now);
}

// What was sent there came back: that connection leads nowhere.
void Replica::on_own_echo(TimePoint now, const OwnEcho& echo) {
  Seed* seed = seeds_.find(echo.peer);
  if (seed == nullptr || find_member(echo.peer) != nullptr) return;
  seeds_.note_own(now, echo.peer);
  if (std::exchange(seed->connected, false)) out_.owe(DropPeer{echo.peer});
}

// Goes on asking while it knows nobody that lives: then nobody may know of it either. And now and
// then later: a mesh that began apart may have come within reach.
void Replica::ask_to_join(TimePoint now) {
  if (draining() || self_->configured) return;
  const Member* lower = member_of_lower_mesh();
  const bool alone = !joined() || view_.places.size() <= 1;
  const Timers& timers = settings_.timers;
  const Duration find_pause = alone ? timers.find_seeds : timers.find_others;
  if (now >= last_find_seeds_ + find_pause) {
    last_find_seeds_ = now;
    out_.owe(FindSeeds{});
  }
  const Duration pause = alone || lower != nullptr ? timers.hello : timers.find_others;
  next_join_ = std::min(next_join_, now + pause);
  if (now >= next_join_) {
    next_join_ = now + pause;
    if (lower != nullptr) ask(lower->id, Channel::control, request_to_join());
    ask_seeds(now);
  }
  look_by(std::min(next_join_, last_find_seeds_ + find_pause));
  if (!joined()) begin_mesh_when_due(now);
}

// Those that are somebody whom it does not know.
void Replica::ask_seeds(TimePoint now) {
  for (auto& [id, seed] : seeds_.all()) {
    if (seeds_.is_own(now, id, seed)) continue;
    const Member* known = find_member(seed.by);
    const bool is_met = joined() && known != nullptr && known->state == MemberState::alive;
    const bool is_member = find_member(id) != nullptr;
    if (is_met) {
      if (!is_member && std::exchange(seed.connected, false)) out_.owe(DropPeer{id});
      continue;
    }
    if (!std::exchange(seed.connected, true) && !is_member) {
      out_.owe(ConnectPeer{id, seed.addr});
    }
    ask(id, Channel::control, request_to_join());
  }
}

// A rank that was handed out may have been given to another since; only what the operator gave is
// asked for.
JoinMessage Replica::request_to_join() const {
  JoinMessage join{introduce(last_step_, nullptr, Epoch{})};
  join.rank = settings_.rank;
  return join;
}

Founder Replica::would_be_founder() const { return {self_->addr, settings_.epoch}; }

void Replica::begin_mesh_when_due(TimePoint now) {
  const TimePoint due = started_ + settings_.timers.join_wait;
  if (now < due) return look_by(due);
  // Whoever told of members is let in: only the last word is missing.
  if (members_.size() > 1 || !seeds_.why_not_begin(now, would_be_founder()).empty()) return;
  founder_ = would_be_founder();
  self_->rank = settings_.rank == kAnyRank ? NodeRank{0} : settings_.rank;
  rank_changed();
  started_ = now;
  if (recovery_) recovery_->expect(now + settings_.timers.recover_wait);
  out_.count("meshes_begun");
  // Mistyped, perhaps.
  const std::string unresolved = seeds_.unresolved();
  out_.log(unresolved.empty() ? LogLine::Level::info : LogLine::Level::warning, "mesh_begun",
           "node=" + self_->addr + " rank=" + std::to_string(self_->rank.value) +
               (unresolved.empty() ? "" : " reason=\"" + unresolved + " does not resolve\""));
}

// ---- letting others in -------------------------------------------------------------------------

std::optional<std::string> Replica::objection_to(const JoinMessage& join, NodeId from) const {
  const Member* known = find_member(from);
  if (const auto reason = settings_disagreement(join)) return reason;
  if (node_id(settings_.cluster, join.addr) != from) return "the address is not the identity";
  const bool is_known = known != nullptr && (known->configured || !known->publish_addr.empty());
  if (is_known && join.role != known->role) {
    return join.addr + " is known here as " + std::string(role_name(known->role));
  }
  if (join.rank != kAnyRank && join.rank.value > limits::given_rank_max) {
    return "a rank is at most " + std::to_string(limits::given_rank_max);
  }
  // Whose rank was handed out can take another.
  for (const auto& [id, member] : members_) {
    if (id == from || join.rank == kAnyRank || member.rank != join.rank) continue;
    const bool is_given = id == self_->id ? settings_.rank != kAnyRank : member.rank_given;
    if (!member.configured && (!is_given || member.state >= MemberState::dead)) continue;
    return "rank " + std::to_string(join.rank.value) + " is taken by " + member.addr;
  }
  return std::nullopt;
}

// Lets a node in: it has a rank from now on, and counts as soon as it answered our HELLO.
void Replica::on_join(TimePoint now, NodeId from, const JoinMessage& join) {
  if (from == self_->id) return;
  const auto refuse = [&](const std::string& reason) {
    turn_down(now, join, reason);
    answer(from, Channel::control, RefusedMessage{reason});
  };
  if (const auto reason = objection_to(join, from)) return refuse(*reason);
  const Founder mine = founder_.value_or(would_be_founder());
  const bool lets_in = joined() && (!join.founder || *join.founder >= mine);
  Member* member = find_member(from);
  if (!lets_in) answer(from, Channel::control, JoinedMessage{kAnyRank, 0, mine});
  if (!joined()) return;
  if (member == nullptr && !make_room_for_member()) return refuse("the mesh is full");
  if (member == nullptr) {
    const NodeRank rank = !lets_in ? kAnyRank : join.rank == kAnyRank ? next_rank() : join.rank;
    member = &add_member(join.addr, rank, join.role, false);
    member->next_hello = now;
    look_by(now);
    out_.log(LogLine::Level::info, "node_joins",
             "node=" + join.addr + (lets_in ? " rank=" + std::to_string(rank.value) : ""));
  }
  // It is this node that has to ask.
  if (!lets_in) return ask(from, Channel::control, request_to_join());
  const bool is_taken = std::ranges::any_of(members_, [&](const auto& each) {
    return each.first != from && each.second.rank == member->rank;
  });
  if (!member->configured && join.founder != founder_ && (is_taken || member->rank == kAnyRank)) {
    member->rank = join.rank == kAnyRank ? next_rank() : join.rank;
    rank_changed();
  }
  // Last, so that it is complete where nothing was lost.
  send_members(from, true, false);
  const auto alive = std::ranges::count_if(members_, [from](const auto& each) {
    return each.second.state == MemberState::alive && each.first != from;
  });
  answer(from, Channel::control,
         JoinedMessage{member->rank, static_cast<std::uint32_t>(alive), mine});
}

// ---- being let in ------------------------------------------------------------------------------

const Member* Replica::member_of_lower_mesh() const {
  const Member* lowest = nullptr;
  for (const auto& [id, member] : members_) {
    if (!joined() || member.state != MemberState::alive || !member.introduced) continue;
    const Founder& least = lowest != nullptr ? *lowest->founder : *founder_;
    if (member.founder && *member.founder < least) lowest = &member;
  }
  return lowest;
}

void Replica::on_joined(TimePoint now, const JoinedMessage& joined) {
  if (joined.rank == kAnyRank || (founder_ && *founder_ <= joined.founder)) return;
  // Some of the news before it were lost: ask again. Of many only as many are taken as may be known
  // without having answered themselves; the rest come when views are compared.
  const std::size_t least = std::min<std::size_t>(joined.members, limits::unproven_members_max);
  if (members_.size() - 1 < least) return out_.count("joins_incomplete");
  const bool began_apart = std::exchange(founder_, joined.founder).has_value();
  self_->rank = joined.rank;
  rank_changed();
  out_.log(LogLine::Level::info, began_apart ? "mesh_joined" : "joined",
           "node=" + self_->addr + " rank=" + std::to_string(joined.rank.value));
  if (began_apart) return note_own_refute(now, self_->refute + 1);  // all hear of the rank by that
  started_ = now;
  if (recovery_) recovery_->expect(now + settings_.timers.recover_wait);
  spread(now, *self_);
}

// A seed answers under its own name, which need not be the one that it was asked at.
bool Replica::receive_from_seed(TimePoint now, NodeId from, const Message& message) {
  const NodeId by = message.envelope.origin;
  if (const auto* answered = std::get_if<JoinedMessage>(&message.body)) {
    if (answered->rank == kAnyRank) {
      seeds_.declined(now, from, by, answered->founder);
    } else {
      seeds_.let_in(now, from, by);
    }
    on_joined(now, *answered);
  } else if (const auto* news = std::get_if<NewsMessage>(&message.body)) {
    on_news(now, by, news->news);
  } else if (const auto* refused = std::get_if<RefusedMessage>(&message.body)) {
    if (joined()) return false;
    out_.count("introductions_refused");
    if (!seeds_.refused(now, from, by, refused->reason)) return true;
    out_.log(LogLine::Level::error, "refused_by",
             "node=" + seeds_.find(from)->addr + " reason=\"" + refused->reason + "\"");
  } else {
    return false;
  }
  return true;
}

}  // namespace radixmesh
