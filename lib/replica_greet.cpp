// HELLO and WELCOME: two nodes find out whether they may talk, and where the other one is.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// Without an answer, until another address is tried.
constexpr std::uint32_t kHellosBeforeRedial = 6;

// Each value with whose it is: the sentence is read on both sides.
std::string differs(std::string_view what, const std::string& value, const std::string& addr,
                    const std::string& other_value, const std::string& other_addr) {
  return std::string(what) + " differs: " + value + " at " + addr + ", " + other_value + " at " +
         other_addr;
}

std::string answered_by_another(const std::string& addr) {
  return "another process answers at the address " + addr;
}

}  // namespace

// What is still here of the life before `life`: kept apart already, or about to end.
Former Replica::former_of(const Member& member, Epoch life) const {
  const auto found = origins_.find(member.id);
  if (found == origins_.end() || cache_ == nullptr) return {};
  const Origin& origin = found->second;
  const bool slots = settings_.keep_remote_slots;
  if (origin.former) {
    const FormerLife& former = *origin.former;
    return Former{former.epoch, former.applied, former.engine_token, slots};
  }
  const bool ends = member.epoch.value != 0 && member.epoch < life;
  if (!ends || origin.replaces_all || origin.stream.applied().value == 0) return {};
  return Former{origin.stream.epoch(), origin.stream.applied(), member.engine_token, slots};
}

// Of references that lives before `life` granted; 0 where all have lapsed.
Duration Replica::former_lease(TimePoint now, const Member& member, Epoch life) const {
  const Duration former = now < member.former_lapse ? member.former_lease : Duration{0};
  return member.epoch < life ? std::max(former, member.lease) : former;
}

void Replica::note_former_lease(TimePoint now, Member& member, Duration lease) {
  if (lease == Duration{0}) return;
  member.former_lease = std::max(former_lease(now, member, member.epoch), lease);
  member.former_lapse = std::max(member.former_lapse, now + settings_.gc.lapsed_after(lease));
}

Introduction Replica::introduce(TimePoint now, const Member* to, Epoch life) const {
  Introduction hello;
  hello.protocol_min = settings_.protocol_min;
  hello.protocol_max = settings_.protocol_max;
  hello.cluster = settings_.cluster;
  hello.page_size = settings_.page_size;
  hello.fingerprint = settings_fingerprint(settings_.cluster, settings_.page_size);
  hello.addr = self_->addr;
  hello.rank = self_->rank;
  hello.role = self_->role;
  hello.engine_token = self_->engine_token;
  hello.publish_addr = settings_.publish_addr;
  hello.bulk_addr = settings_.bulk_addr;
  hello.refute = self_->refute;
  if (cache_ && settings_.gc.mode != GcMode::off) hello.lease = settings_.gc.lease;
  if (now < collection_.former_lapse) hello.earlier_lease = collection_.former_lease;
  hello.beat = beat_;
  hello.head = head_;
  hello.bookings = bookings_beat_;
  hello.round = collection_.last_round;
  hello.founder = founder_;
  hello.ready = ready_;
  hello.rank_given = settings_.rank != kAnyRank;
  hello.pull_rate = settings_.routing.pull_rate;
  if (to == nullptr) return hello;
  std::tie(hello.nonce, hello.stamp) = registrations_.last_said(to->id);
  // A life that this node has not met is accused of nothing.
  const MemberState state = to->epoch_is_hearsay ? MemberState::alive : to->state;
  hello.seen = Standing{to->epoch, to->refute, state};
  hello.former = former_of(*to, life);
  hello.former_lease = former_lease(now, *to, life);
  return hello;
}

// Says HELLO to whoever is not introduced, again and again: starting order does not matter, and a
// node that is back is found, after a partition as well. The pauses grow while nothing comes back.
//
// Whoever is introduced is asked now and then all the same: what it says of itself ends whatever
// others said of it wrongly.
void Replica::greet(TimePoint now) {
  if (draining() || !joined()) return;
  for (auto& [id, member] : members_) {
    if (id == self_->id) continue;
    if (member.introduced && !member.asks_back) {
      if (now >= member.next_audit) say_hello(now, member);
      look_by(member.next_audit);
      continue;
    }
    if (now >= member.next_hello) {
      const Duration pause = settings_.timers.hello * (1 << std::min(member.hellos / 4, 8u));
      member.next_hello = now + std::min(pause, settings_.timers.hello_max);
      ++member.hellos;
      // There is a connection, and nobody who answers to this name.
      if (member.hellos % kHellosBeforeRedial == 0) out_.owe(Redial{id});
      // One that is in nobody's lists may be forgotten where it was let in: it asks for that again.
      if (!self_->configured && !member.refusal.empty()) {
        ask(id, Channel::control, request_to_join());
      }
      say_hello(now, member);
    }
    look_by(member.next_hello);
  }
}

void Replica::say_hello(TimePoint now, Member& member) {
  member.last_hello = now;
  member.next_audit = now + settings_.timers.audit;
  member.believed = numbers_of(member);
  HelloMessage hello{introduce(now, &member, Epoch{})};
  hello.question = ++member.questions;
  ask(member.id, Channel::control, std::move(hello));
}

// Something was heard of a member that only the member itself can confirm.
void Replica::doubt(TimePoint now, Member& member) {
  member.asks_back = true;
  const TimePoint soonest = member.last_hello == TimePoint::min()
                                ? now
                                : std::max(now, member.last_hello + settings_.timers.hello / 5);
  member.next_hello = std::min(member.next_hello, soonest);
  look_by(member.next_hello);
}

// What this node believes of the numbers that only the member itself raises.
OwnNumbers Replica::numbers_of(const Member& member) const {
  OwnNumbers numbers{
      member.refute, member.last_beat, router_.promises_heard(member.id), {}, 0, 0, 0, {}};
  numbers.head = origins_.at(member.id).head;
  std::tie(numbers.nonce, numbers.stamp) = collection_.readers.last_said(member.id);
  const auto held = collection_.held.find(member.id);
  if (held != collection_.held.end()) numbers.round = held->second.round;
  const auto needed = barrier_.find(member.id);
  if (needed != barrier_.end()) numbers.needed = {needed->second.epoch, needed->second.applied};
  return numbers;
}

// The member's own word about its numbers. One that was believed before it was asked, and is above
// that, came from somebody else.
void Replica::correct_numbers(TimePoint now, Member& member, const Introduction& said) {
  if (!member.believed || said.question != member.questions) return;
  const OwnNumbers before = *std::exchange(member.believed, std::nullopt);
  const auto wrong = [this](auto believed, auto told) {
    if (believed <= told) return false;
    out_.count("numbers_disbelieved");
    return true;
  };
  if (wrong(before.refute, said.refute)) {
    member.refute = said.refute;
    view_changed();
  }
  if (wrong(before.beat, said.beat)) member.last_beat = said.beat;
  if (wrong(before.bookings, said.bookings)) {
    router_.disbelieve_promises(now, member.id, said.bookings);
  }
  const bool head_was_wrong = wrong(before.head, said.head);
  if (head_was_wrong || origins_.at(member.id).wants_snapshot) {
    believe_head(now, member.id, said.head);
  }
  // A marker named what never was: nobody waits for it.
  if (wrong(before.needed, std::pair(member.epoch, said.head))) barrier_.erase(member.id);
  const auto word = std::pair(before.nonce, before.stamp);
  if (wrong(word, std::pair(said.nonce, said.stamp))) {
    // What it may have referred to under its own registration stands until the lease lapses.
    reader_began_anew(member.id);
    collection_.readers.believe(member.id, {member.epoch, said.nonce, said.stamp});
  } else if (before.nonce < said.nonce) {
    reader_began_anew(member.id);  // whoever opened the registration that stands, it is over
  }
  if (wrong(before.round, said.round)) forget_rounds_of(member.id);
}

// What differs of the settings that must agree everywhere, as one sentence.
std::optional<std::string> Replica::settings_disagreement(const Introduction& hello) const {
  const auto range = [](std::uint32_t low, std::uint32_t high) {
    return std::to_string(low) + " to " + std::to_string(high);
  };
  if (hello.protocol_max < settings_.protocol_min || hello.protocol_min > settings_.protocol_max) {
    return differs("protocol", range(settings_.protocol_min, settings_.protocol_max), self_->addr,
                   range(hello.protocol_min, hello.protocol_max), hello.addr);
  }
  if (hello.cluster != settings_.cluster) {
    return differs("cluster", settings_.cluster, self_->addr, hello.cluster, hello.addr);
  }
  if (hello.page_size != settings_.page_size) {
    return differs("page_size", std::to_string(settings_.page_size), self_->addr,
                   std::to_string(hello.page_size), hello.addr);
  }
  if (hello.fingerprint != settings_fingerprint(settings_.cluster, settings_.page_size)) {
    return "the fingerprint of the settings differs";
  }
  return std::nullopt;
}

// What else stands between the two; nothing if they may talk.
std::optional<std::string> Replica::disagreement(const Introduction& hello, NodeId from) const {
  if (auto reason = settings_disagreement(hello)) return reason;
  if (node_id(settings_.cluster, hello.addr) == self_->id) return hello.addr + " is my own address";
  const Member* member = find_member(from);
  if (member == nullptr || node_id(settings_.cluster, hello.addr) != from) {
    return hello.addr + " is not in the node lists here, nor has it joined";
  }
  // A rank that was handed out may have been changed since, by its owner.
  if (member->configured && hello.rank != member->rank) {
    return "rank differs: " + std::to_string(member->rank.value) + " in the lists of " +
           self_->addr + ", " + std::to_string(hello.rank.value) + " in those of " + hello.addr;
  }
  // Of one that is in no list its own word counts, whatever others or a former word have told.
  if (member->configured && hello.role != member->role) {
    return "role differs: " + std::string(role_name(member->role)) + " in the lists of " +
           self_->addr + ", " + std::string(role_name(hello.role)) + " in those of " + hello.addr;
  }
  return std::nullopt;
}

// Anyone may say HELLO in a member's name. So it only makes us ask back, at the address that we
// know; what comes from there is believed. An earlier life is answered too: it learns from what we
// have seen that it must begin a higher one.
void Replica::on_hello(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch) {
  auto reason = disagreement(hello, from);
  if (reason) {
    turn_down(now, hello, *reason);
    return answer(from, Channel::control, RefusedMessage{*reason});
  }
  // Who believes this life suspect, dead or gone is told otherwise; that wipes nothing.
  if (hello.seen.epoch == self_->epoch) on_standing(now, hello.seen);
  Member& member = *find_member(from);
  if (!member.introduced || epoch > member.epoch) {
    const bool again = member.impostor && member.hello_epoch == epoch;
    member.hello_epoch = epoch;
    doubt(now, member);
    if (again) {
      reason = answered_by_another(member.addr);
      turn_down(now, hello, *reason);
      return answer(from, Channel::control, RefusedMessage{*reason});
    }
  }
  WelcomeMessage welcome{introduce(now, &member, epoch)};
  welcome.question = hello.question;
  answer(from, Channel::control, std::move(welcome));
}

void Replica::on_welcome(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch) {
  if (const auto reason = disagreement(hello, from)) {
    find_member(from)->introduced = false;
    return turn_down(now, hello, *reason);
  }
  if (epoch.value > limits::epoch_max) {
    find_member(from)->introduced = false;
    return turn_down(now, hello, "its clock is centuries ahead");
  }
  // It goes on above whatever it is told that others know, but where that cannot be outgrown.
  const Member& known = *find_member(from);
  const bool is_fresh = hello.question > 0 && hello.question >= known.fresh_question;
  if (epoch < known.epoch && epoch_is_last(known.epoch) && is_fresh) relearn(from);
  Member& member = *find_member(from);
  if (epoch == member.epoch) member.epoch_is_hearsay = false;
  member.role = hello.role;
  member.asks_back = false;
  member.hellos = 0;
  const bool was_impostor = std::exchange(member.impostor, epoch < member.hello_epoch);
  // Whoever said that HELLO is told with its next one; here it is known now.
  if (member.impostor && !was_impostor) {
    out_.log(LogLine::Level::error, "refused",
             "node=" + member.addr + " reason=\"" + answered_by_another(member.addr) + "\"");
  }
  if (epoch > member.epoch) begin_epoch(now, from, epoch);
  if (epoch == member.epoch) {
    if (member.bulk_addr != hello.bulk_addr) {
      out_.owe(BulkPeer{from, hello.bulk_addr});
    }
    member.publish_addr = hello.publish_addr;
    member.bulk_addr = hello.bulk_addr;
    member.engine_token = hello.engine_token;
    member.refusal.clear();
    correct_numbers(now, member, hello);
    note_refute(now, member, hello.refute);
    member.founder = hello.founder;
    member.rank_given = hello.rank_given;
    member.pull_rate = hello.pull_rate;
    member.ready = hello.ready;  // its next HEAD may be a second away
    if (member_of_lower_mesh() != nullptr) {
      next_join_ = std::min(next_join_, now + settings_.timers.hello);
      look_by(next_join_);
    }
    member.former = hello.former;
    member.lease = hello.lease;
    note_former_lease(now, member, hello.earlier_lease);
    on_former_lease(hello.former_lease);
    adopt_rank(now, member, hello.rank);
    member.introduced = true;
    member.next_audit = std::min(member.next_audit, now + settings_.timers.audit);
    view_changed();
    heard_from(now, member);
  }
  on_standing(now, hello.seen);
}

// Notes the reason with the member whose address it is, if there is one. Logged once for a member,
// and for strangers at most once a second.
void Replica::turn_down(TimePoint now, const Introduction& hello, const std::string& reason) {
  out_.count("introductions_refused");
  Member* member = find_member(node_id(settings_.cluster, hello.addr));
  bool is_news = now >= next_stranger_line_;
  if (member != nullptr && member != self_) {
    is_news = member->refusal != reason;
    member->refusal = reason;
  } else if (is_news) {
    next_stranger_line_ = now + settings_.timers.head_idle;
  }
  if (is_news) {
    out_.log(LogLine::Level::error, "refused", "node=" + hello.addr + " reason=\"" + reason + "\"");
  }
}

void Replica::on_refused(NodeId from, const RefusedMessage& refused) {
  Member& member = *find_member(from);
  member.introduced = false;
  look_by(last_step_);
  if (!member.refusal.empty()) return;  // known: a HELLO of either side says it every time
  member.refusal = refused.reason;
  out_.count("introductions_refused");
  // The news of who has just joined may take a while; it is asked again.
  const auto level = self_->configured ? LogLine::Level::error : LogLine::Level::info;
  out_.log(level, "refused_by", "node=" + member.addr + " reason=\"" + refused.reason + "\"");
}

}  // namespace radixmesh
