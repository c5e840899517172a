#include "lib/mesh/joining.h"

#include <algorithm>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

Joining::Joining(Settings settings, const Timers& timers, Roster& roster,
                 const Greetings& greetings, NextLook& look, Post& post, Outbox& out, TimePoint now)
    : settings_(std::move(settings)),
      timers_(timers),
      roster_(roster),
      greetings_(greetings),
      look_(look),
      post_(post),
      out_(out),
      seeds_(settings_.cluster, node_id(settings_.cluster, settings_.addr), settings_.names,
             timers.suspect_after, 2 * timers.join_wait + timers.forget_lower),
      since_(now),
      next_join_(now) {}

// ---- seeds -------------------------------------------------------------------------------------

void Joining::on_seeds_found(TimePoint now, const std::string& name,
                             const std::vector<std::string>& addresses,
                             const std::vector<std::string>& here, bool is_known) {
  for (NodeId ended : seeds_.found(name, addresses, here, is_known)) {
    if (!roster_.contains(ended)) out_.owe(DropPeer{ended});
  }
  const bool any_new = std::ranges::any_of(seeds_.all(), [](const auto& each) {
    return each.second.answered == TimePoint::min() && !each.second.connected;
  });
  if (!any_new) return;
  next_join_ = now;
  look_.by(now);
}

void Joining::on_own_echo(TimePoint now, NodeId peer) {
  Seed* seed = seeds_.find(peer);
  if (seed == nullptr || roster_.contains(peer)) return;
  seeds_.note_own(now, peer);
  if (std::exchange(seed->connected, false)) out_.owe(DropPeer{peer});
}

void Joining::on_link(TimePoint now, NodeId peer, LinkTrouble trouble) {
  Seed* seed = seeds_.find(peer);
  if (seed == nullptr) return;
  seed->trouble = trouble;
  // What it was asked before is lost.
  if (trouble != LinkTrouble::none) return;
  next_join_ = std::min(next_join_, now);
  look_.by(now);
}

void Joining::keep_in_reach(NodeId id) {
  const Seed* seed = seeds_.find(id);
  if (seed != nullptr && seed->connected) out_.owe(ConnectPeer{id, seed->addr});
}

// ---- asking ------------------------------------------------------------------------------------

bool Joining::asks(TimePoint now) {
  if (roster_.draining() || roster_.self().configured) return false;
  if (now >= last_find_ + find_pause()) {
    last_find_ = now;
    out_.owe(FindSeeds{});
  }
  const bool is_soon = is_alone() || member_of_lower_mesh() != nullptr;
  const Duration pause = is_soon ? timers_.hello : timers_.find_others;
  next_join_ = std::min(next_join_, now + pause);
  const bool asks = now >= next_join_;
  if (asks) next_join_ = now + pause;
  look_.by(std::min(next_join_, last_find_ + find_pause()));
  return asks;
}

JoinMessage Joining::request(const Introduction& self) const {
  JoinMessage join{self};
  join.rank = settings_.rank;
  return join;
}

void Joining::ask_all(TimePoint now, const JoinMessage& request) {
  if (const Member* lower = member_of_lower_mesh()) {
    post_.ask(lower->id, Channel::control, request);
  }
  ask_seeds(now, request);
}

// Those that are somebody whom it does not know.
void Joining::ask_seeds(TimePoint now, const JoinMessage& request) {
  for (auto& [id, seed] : seeds_.all()) {
    if (seeds_.is_own(now, id, seed)) continue;
    const Member* known = roster_.find(seed.by);
    const bool is_met = roster_.joined() && known != nullptr && known->state == MemberState::alive;
    const bool is_member = roster_.contains(id);
    if (is_met) {
      if (!is_member && std::exchange(seed.connected, false)) out_.owe(DropPeer{id});
      continue;
    }
    if (!std::exchange(seed.connected, true) && !is_member) out_.owe(ConnectPeer{id, seed.addr});
    post_.ask(id, Channel::control, request);
  }
}

void Joining::note_welcome(TimePoint now) {
  if (member_of_lower_mesh() == nullptr) return;
  next_join_ = std::min(next_join_, now + timers_.hello);
  look_.by(next_join_);
}

const Member* Joining::member_of_lower_mesh() const {
  const Member* lowest = nullptr;
  if (!roster_.joined()) return nullptr;
  for (const auto& [id, member] : roster_.all()) {
    if (member.state != MemberState::alive || !member.introduced || !member.founder) continue;
    const Founder& least = lowest != nullptr ? *lowest->founder : *roster_.self().founder;
    if (*member.founder < least) lowest = &member;
  }
  return lowest;
}

bool Joining::begins_mesh(TimePoint now) {
  Member& self = roster_.self();
  if (roster_.draining() || self.configured || roster_.joined()) return false;
  const TimePoint due = since_ + timers_.join_wait;
  if (now < due) {
    look_.by(due);
    return false;
  }
  // Whoever told of members is let in: only the last word is missing.
  if (roster_.size() > 1 || !seeds_.why_not_begin(now, would_be_founder()).empty()) return false;
  self.founder = would_be_founder();
  roster_.set_rank(self, settings_.rank == kAnyRank ? NodeRank{0} : settings_.rank);
  since_ = now;
  out_.count("meshes_begun");
  // Mistyped, perhaps.
  const std::string unresolved = seeds_.unresolved();
  out_.log(unresolved.empty() ? LogLine::Level::info : LogLine::Level::warning, "mesh_begun",
           "node=" + self.addr + " rank=" + std::to_string(self.rank.value) +
               (unresolved.empty() ? "" : " reason=\"" + unresolved + " does not resolve\""));
  return true;
}

Joining::LetIn Joining::on_joined(TimePoint now, const JoinedMessage& joined) {
  Member& self = roster_.self();
  if (joined.rank == kAnyRank || (self.founder && *self.founder <= joined.founder)) {
    return LetIn::no;
  }
  // Some of the news before it were lost: ask again. Of many only as many are taken as may be known
  // without having answered themselves; the rest come when views are compared.
  const std::size_t least = std::min<std::size_t>(joined.members, limits::unproven_members_max);
  if (roster_.size() - 1 < least) {
    out_.count("joins_incomplete");
    return LetIn::no;
  }
  const bool began_apart = std::exchange(self.founder, joined.founder).has_value();
  roster_.set_rank(self, joined.rank);
  out_.log(LogLine::Level::info, began_apart ? "mesh_joined" : "joined",
           "node=" + self.addr + " rank=" + std::to_string(joined.rank.value));
  if (began_apart) return LetIn::from_another_mesh;
  since_ = now;
  return LetIn::first;
}

// ---- letting others in -------------------------------------------------------------------------

std::optional<std::string> Joining::objection_to(const JoinMessage& join, NodeId from) const {
  const Member* known = roster_.find(from);
  if (auto reason = greetings_.settings_disagreement(join)) return reason;
  if (roster_.id_of(join.addr) != from) return "the address is not the identity";
  const bool is_known = known != nullptr && (known->configured || !known->publish_addr.empty());
  if (is_known && join.role != known->role) {
    return join.addr + " is known here as " + std::string(role_name(known->role));
  }
  if (join.rank != kAnyRank && join.rank.value > limits::given_rank_max) {
    return "a rank is at most " + std::to_string(limits::given_rank_max);
  }
  // Whose rank was handed out can take another.
  for (const auto& [id, member] : roster_.all()) {
    if (id == from || join.rank == kAnyRank || member.rank != join.rank) continue;
    const bool is_given = roster_.is_self(member) ? settings_.rank != kAnyRank : member.rank_given;
    if (!member.configured && (!is_given || member.state >= MemberState::dead)) continue;
    return "rank " + std::to_string(join.rank.value) + " is taken by " + member.addr;
  }
  return std::nullopt;
}

Founder Joining::founder() const { return roster_.self().founder.value_or(would_be_founder()); }

bool Joining::lets_in(const JoinMessage& join) const {
  return roster_.joined() && (!join.founder || *join.founder >= founder());
}

void Joining::assign_rank(Member& member, const JoinMessage& join) {
  const bool is_taken = std::ranges::any_of(roster_.all(), [&](const auto& each) {
    return each.first != member.id && each.second.rank == member.rank;
  });
  const bool from_elsewhere = join.founder != roster_.self().founder;
  if (member.configured || !from_elsewhere || (!is_taken && member.rank != kAnyRank)) return;
  roster_.set_rank(member, join.rank == kAnyRank ? roster_.next_rank() : join.rank);
}

std::string Joining::why_not(TimePoint now) const {
  const std::string reason = seeds_.why_not_begin(now, would_be_founder());
  const auto left = std::chrono::ceil<std::chrono::seconds>(since_ + timers_.join_wait - now);
  const auto seconds = std::max<std::int64_t>(0, left.count());
  return "it is in no mesh yet: " + (reason.empty() ? "nobody is there to ask; it begins one in " +
                                                          std::to_string(seconds) + " s"
                                                    : reason);
}

}  // namespace radixmesh
