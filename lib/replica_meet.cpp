// Where nodes meet: greetings, joining, news of members, and their coming and going.
#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"
#include "lib/oplog/codec.h"
#include "lib/replica.h"

namespace radixmesh {

// ---- members come and go -----------------------------------------------------------------------

Member& Replica::add_member(const std::string& addr, NodeRank rank, Role role, bool configured) {
  Member& member = roster_.add(last_step_, addr, rank, role, configured);
  if (addr == settings_.self) {
    picture_.show(kSelf, member.id);
    return member;
  }
  streams_.add(member.id);
  out_.owe(ConnectPeer{member.id, addr});
  return member;
}

// Forgets a member wholly, as if it had never been there.
void Replica::remove_member(NodeId id) {
  streams_.remove(id);
  recovery_.forget(id);
  gc_.forget(id);
  placement_.forget(id);
  mesh_.forget(id);
  out_.owe(DropPeer{id});
  mesh_.joining.keep_in_reach(id);
  roster_.remove(id);
}

// False where the mesh is full.
bool Replica::make_room_for_member() {
  const Membership::Room room = mesh_.membership.room();
  if (room.gone) remove_member(*room.gone);
  return room.is_there;
}

// Nothing is kept for ever of who is gone.
void Replica::forget_the_gone(TimePoint now) {
  if (!mesh_.membership.looks_at_gone(now)) return;
  std::vector<NodeId> removed;
  for (const auto& [id, member] : roster_.all()) {
    if (roster_.is_self(member)) continue;
    mesh_.look.by(streams_.expire_former(now, id, settings_.timers.former_kept));
    const Membership::Fate fate =
        mesh_.membership.fate_of(now, member, streams_.at(id).forgotten, gc_.refers_until(id));
    if (fate.forgets) {
      // What it referred to is not known any more.
      gc_.references().registrations().begin_anew(now, id);
      streams_.forget(id);
    }
    if (fate.removes) removed.push_back(id);
  }
  for (NodeId id : removed) remove_member(id);
}

// ---- greetings ---------------------------------------------------------------------------------

Introduction Replica::introduce(TimePoint now, const Member* to, Epoch life) const {
  const Member& self = roster_.self();
  Introduction hello;
  hello.protocol_min = settings_.protocol_min;
  hello.protocol_max = settings_.protocol_max;
  hello.cluster = settings_.cluster;
  hello.page_size = settings_.page_size;
  hello.fingerprint = settings_fingerprint(settings_.cluster, settings_.page_size);
  hello.addr = self.addr;
  hello.rank = self.rank;
  hello.role = self.role;
  hello.engine_token = self.engine_token;
  hello.publish_addr = settings_.publish_addr;
  hello.bulk_addr = settings_.bulk_addr;
  hello.refute = self.refute;
  hello.lease = gc_.leases().own();
  hello.earlier_lease = gc_.leases().own_former(now);
  hello.beat = mesh_.heads.beat();
  hello.head = own_.head();
  hello.bookings = placement_.bookings_told();
  hello.round = gc_.last_round();
  hello.founder = self.founder;
  hello.ready = ready();
  hello.rank_given = settings_.rank != kAnyRank;
  hello.pull_rate = settings_.routing.pull_rate;
  if (to == nullptr) return hello;
  std::tie(hello.nonce, hello.stamp) = gc_.references().registrations().last_said(to->id);
  // A life that this node has not met is accused of nothing.
  const bool is_hearsay = mesh_.greetings.is_hearsay(to->id);
  hello.seen = Standing{to->epoch, to->refute, is_hearsay ? MemberState::alive : to->state};
  hello.former = streams_.former_of(*to, life);
  hello.former_lease = gc_.leases().former_of(now, *to, life);
  return hello;
}

void Replica::greet(TimePoint now) {
  if (draining() || !roster_.joined()) return;
  for (const Greetings::Due& due : mesh_.greetings.due(now)) {
    if (due.redials) out_.owe(Redial{due.id});
    if (due.asks_to_join) {
      post_.ask(due.id, Channel::control, mesh_.joining.request(introduce(now, nullptr, {})));
    }
    HelloMessage hello{introduce(now, &roster_.at(due.id), Epoch{})};
    hello.question = mesh_.greetings.ask(now, due.id, numbers_of(due.id));
    post_.ask(due.id, Channel::control, std::move(hello));
  }
}

// What this node believes of the numbers that only the member itself raises.
OwnNumbers Replica::numbers_of(NodeId id) const {
  const Origin& origin = streams_.at(id);
  OwnNumbers numbers;
  numbers.refute = roster_.at(id).refute;
  numbers.beat = mesh_.heads.last_beat(id);
  numbers.bookings = placement_.bookings_heard(id);
  numbers.head = origin.head;
  gc_.add_to(id, numbers);
  if (origin.needed) numbers.needed = *origin.needed;
  return numbers;
}

// The member's own word about its numbers. One that was believed before it was asked, and is above
// that, came from somebody else.
void Replica::correct_numbers(TimePoint now, Member& member, const Introduction& said) {
  const auto before = mesh_.greetings.take_believed(member.id, said.question);
  if (!before) return;
  const NodeId id = member.id;
  const auto wrong = [this](auto believed, auto told) {
    if (believed <= told) return false;
    out_.count("numbers_disbelieved");
    return true;
  };
  if (wrong(before->refute, said.refute)) {
    member.refute = said.refute;
    roster_.changed();
  }
  if (wrong(before->beat, said.beat)) mesh_.heads.believe_beat(id, said.beat);
  if (wrong(before->bookings, said.bookings))
    placement_.disbelieve_bookings(now, id, said.bookings);
  const bool head_was_wrong = wrong(before->head, said.head);
  if (head_was_wrong || streams_.at(id).missing.wants_snapshot) {
    streams_.believe_head(now, id, said.head);
  }
  // A marker named what never was: nobody waits for it.
  if (wrong(before->needed, Progress{member.epoch, said.head})) streams_.need_no_more(id);
  const auto word = std::pair(before->nonce, before->stamp);
  const bool word_is_wrong = wrong(word, std::pair(said.nonce, said.stamp));
  // Whoever opened the registration that stands, it is over.
  if (word_is_wrong || before->nonce < said.nonce) {
    gc_.correct_reader(id, {member.epoch, said.nonce, said.stamp}, word_is_wrong);
  }
  if (wrong(before->round, said.round)) gc_.forget_rounds(id);
}

// Anyone may say HELLO in a member's name. So it only makes us ask back, at the address that we
// know; what comes from there is believed. An earlier life is answered too: it learns from what we
// have seen that it must begin a higher one.
void Replica::on_hello(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch) {
  auto reason = mesh_.greetings.disagreement(hello, from);
  if (!reason) {
    // Who believes this life suspect, dead or gone is told otherwise; that wipes nothing.
    if (hello.seen.epoch == roster_.self().epoch) mesh_.liveness.on_standing(now, hello.seen);
    pass_on(now);
    reason = mesh_.greetings.note_hello(now, from, epoch);
  }
  if (reason) {
    mesh_.greetings.turn_down(now, hello, *reason);
    return post_.answer(from, Channel::control, RefusedMessage{*reason});
  }
  WelcomeMessage welcome{introduce(now, &roster_.at(from), epoch)};
  welcome.question = hello.question;
  post_.answer(from, Channel::control, std::move(welcome));
}

void Replica::on_welcome(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch) {
  auto reason = mesh_.greetings.disagreement(hello, from);
  if (!reason && epoch.value > limits::epoch_max) reason = "its clock is centuries ahead";
  if (reason) return mesh_.greetings.refuse(now, from, hello, *reason);
  // It goes on above whatever it is told that others know, but where that cannot be outgrown: then
  // whatever was known of it was wrong, and it is met as if for the first time.
  const Member known = roster_.at(from);
  if (epoch < known.epoch && epoch_is_last(known.epoch) && mesh_.greetings.is_fresh(from, hello)) {
    const std::uint64_t questions = mesh_.greetings.questions(from);
    remove_member(from);
    add_member(known.addr, known.rank, known.role, known.configured);
    mesh_.greetings.go_on_from(from, questions);
    out_.count("members_relearned");
  }
  Member& member = roster_.at(from);
  mesh_.greetings.note_welcome(from, epoch);
  member.role = hello.role;
  if (epoch > member.epoch) begin_life(now, from, epoch);
  if (epoch == member.epoch) {
    if (member.bulk_addr != hello.bulk_addr) out_.owe(BulkPeer{from, hello.bulk_addr});
    member.publish_addr = hello.publish_addr;
    member.bulk_addr = hello.bulk_addr;
    member.engine_token = hello.engine_token;
    member.founder = hello.founder;
    member.rank_given = hello.rank_given;
    mesh_.greetings.accept(now, from);
    correct_numbers(now, member, hello);
    mesh_.liveness.note_refute(now, member, hello.refute);
    placement_.note_welcome(from, hello.ready, hello.pull_rate);
    mesh_.joining.note_welcome(now);
    recovery_.note_former(from, hello.former);
    gc_.leases().note(now, from, hello.lease, hello.earlier_lease);
    const auto& taken_over = own_.taken_over();
    gc_.leases().note_own_former(hello.former_lease, taken_over && taken_over->epoch.value != 0);
    mesh_.membership.adopt_rank(now, member, hello.rank);
    pass_on(now);
    member.introduced = true;
    roster_.changed();
    mesh_.liveness.heard(now, from);
  }
  mesh_.liveness.on_standing(now, hello.seen);
}

// ---- news --------------------------------------------------------------------------------------

void Replica::on_news(TimePoint now, NodeId from, const std::vector<MemberNews>& news) {
  for (const MemberNews& each : news) {
    if (each.addr == roster_.self().addr) {
      mesh_.liveness.on_standing(now, Standing{each.epoch, each.refute, each.state});
      pass_on(now);
    }
    const bool is_known = mesh_.membership.on_news(now, from, each);
    pass_on(now);
    const bool lives = each.state == MemberState::alive && !each.removed;
    if (is_known || !lives || !make_room_for_member()) continue;
    Member& member = add_member(each.addr, each.rank, each.role, false);
    mesh_.membership.note_added(now, member);
    mesh_.membership.adopt_rank(now, member, each.rank);
    pass_on(now);
    out_.log(LogLine::Level::info, "node_known",
             "node=" + each.addr + " rank=" + std::to_string(each.rank.value));
  }
}

// ---- joining -----------------------------------------------------------------------------------

// Lets a node in: it has a rank from now on, and counts as soon as it answered our HELLO.
void Replica::on_join(TimePoint now, NodeId from, const JoinMessage& join) {
  if (from == roster_.self().id) return;
  const auto refuse = [&](const std::string& reason) {
    mesh_.greetings.turn_down(now, join, reason);
    post_.answer(from, Channel::control, RefusedMessage{reason});
  };
  if (const auto reason = mesh_.joining.objection_to(join, from)) return refuse(*reason);
  const Founder mine = mesh_.joining.founder();
  const bool lets_in = mesh_.joining.lets_in(join);
  if (!lets_in) post_.answer(from, Channel::control, JoinedMessage{kAnyRank, 0, mine});
  if (!roster_.joined()) return;
  if (!roster_.contains(from)) {
    if (!make_room_for_member()) return refuse("the mesh is full");
    const NodeRank rank = !lets_in                ? kAnyRank
                          : join.rank == kAnyRank ? roster_.next_rank()
                                                  : join.rank;
    mesh_.membership.note_added(now, add_member(join.addr, rank, join.role, false));
    out_.log(LogLine::Level::info, "node_joins",
             "node=" + join.addr + (lets_in ? " rank=" + std::to_string(rank.value) : ""));
  }
  // It is this node that has to ask.
  if (!lets_in) {
    return post_.ask(from, Channel::control, mesh_.joining.request(introduce(now, nullptr, {})));
  }
  Member& member = roster_.at(from);
  mesh_.joining.assign_rank(member, join);
  // Last, so that it is complete where nothing was lost.
  mesh_.membership.send_members(from, true, false);
  const auto alive = std::ranges::count_if(roster_.all(), [from](const auto& each) {
    return each.second.state == MemberState::alive && each.first != from;
  });
  post_.answer(from, Channel::control,
               JoinedMessage{member.rank, static_cast<std::uint32_t>(alive), mine});
}

void Replica::on_joined(TimePoint now, const JoinedMessage& joined) {
  switch (mesh_.joining.on_joined(now, joined)) {
    case Joining::LetIn::no:
      return;
    case Joining::LetIn::from_another_mesh:
      // All hear of the rank by that.
      return mesh_.liveness.raise_own_refute(now, roster_.self().refute + 1);
    case Joining::LetIn::first:
      gc_.leases().begin(now);
      recovery_.expect(now + settings_.timers.recover_wait);
      mesh_.news.spread(now, roster_.self());
  }
}

}  // namespace radixmesh
