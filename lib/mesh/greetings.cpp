#include "lib/mesh/greetings.h"

#include <algorithm>

#include "lib/oplog/codec.h"

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

const Greetings::Greeting& Greetings::of(NodeId id) const {
  static const Greeting none;
  const auto found = members_.find(id);
  return found == members_.end() ? none : found->second;
}

// ---- whom to greet -----------------------------------------------------------------------------

std::vector<Greetings::Due> Greetings::due(TimePoint now) {
  std::vector<Due> due;
  for (const auto& [id, member] : roster_.all()) {
    if (roster_.is_self(member)) continue;
    Greeting& greeting = members_[id];
    if (member.introduced && !greeting.asks_back) {
      if (now >= greeting.next_audit) {
        due.push_back({id});
        greeting.next_audit = now + timers_.audit;
      }
      look_.by(greeting.next_audit);
      continue;
    }
    if (now >= greeting.next_hello) {
      const Duration pause = timers_.hello * (1 << std::min(greeting.hellos / 4, 8u));
      greeting.next_hello = now + std::min(pause, timers_.hello_max);
      ++greeting.hellos;
      // One that is in nobody's lists may be forgotten where it was let in.
      const bool asks_to_join = !roster_.self().configured && !greeting.refusal.empty();
      due.push_back({id, greeting.hellos % kHellosBeforeRedial == 0, asks_to_join});
    }
    look_.by(greeting.next_hello);
  }
  return due;
}

std::uint64_t Greetings::ask(TimePoint now, NodeId id, const OwnNumbers& numbers) {
  Greeting& greeting = members_[id];
  greeting.last_hello = now;
  greeting.next_audit = now + timers_.audit;
  greeting.believed = numbers;
  return ++greeting.questions;
}

void Greetings::doubt(TimePoint now, NodeId id) {
  Greeting& greeting = members_[id];
  greeting.asks_back = true;
  const TimePoint soonest = greeting.last_hello == TimePoint::min()
                                ? now
                                : std::max(now, greeting.last_hello + timers_.hello / 5);
  greet_by(soonest, id);
}

void Greetings::greet_by(TimePoint due, NodeId id) {
  Greeting& greeting = members_[id];
  greeting.next_hello = std::min(greeting.next_hello, due);
  look_.by(greeting.next_hello);
}

void Greetings::greet_anew(TimePoint due, NodeId id) {
  Greeting& greeting = members_[id];
  greeting.next_hello = due;
  greeting.hellos = 0;
}

// ---- lives -------------------------------------------------------------------------------------

void Greetings::begin_life(TimePoint now, NodeId id) {
  members_[id].epoch_is_hearsay = false;
  greet_anew(now, id);
}

void Greetings::note_hearsay(NodeId id) {
  Greeting& greeting = members_[id];
  greeting.epoch_is_hearsay = true;
  greeting.fresh_question = greeting.questions + 1;
}

bool Greetings::is_hearsay(NodeId id) const { return of(id).epoch_is_hearsay; }
Epoch Greetings::hello_epoch(NodeId id) const { return of(id).hello_epoch; }
const std::string& Greetings::refusal(NodeId id) const { return of(id).refusal; }

// ---- what was said -----------------------------------------------------------------------------

std::optional<std::string> Greetings::settings_disagreement(const Introduction& hello) const {
  const std::string& own = roster_.self().addr;
  const auto range = [](std::uint32_t low, std::uint32_t high) {
    return std::to_string(low) + " to " + std::to_string(high);
  };
  if (hello.protocol_max < settings_.protocol_min || hello.protocol_min > settings_.protocol_max) {
    return differs("protocol", range(settings_.protocol_min, settings_.protocol_max), own,
                   range(hello.protocol_min, hello.protocol_max), hello.addr);
  }
  if (hello.cluster != settings_.cluster) {
    return differs("cluster", settings_.cluster, own, hello.cluster, hello.addr);
  }
  if (hello.page_size != settings_.page_size) {
    return differs("page_size", std::to_string(settings_.page_size), own,
                   std::to_string(hello.page_size), hello.addr);
  }
  if (hello.fingerprint != settings_fingerprint(settings_.cluster, settings_.page_size)) {
    return "the fingerprint of the settings differs";
  }
  return std::nullopt;
}

std::optional<std::string> Greetings::disagreement(const Introduction& hello, NodeId from) const {
  if (auto reason = settings_disagreement(hello)) return reason;
  const std::string& own = roster_.self().addr;
  const NodeId named = roster_.id_of(hello.addr);
  if (named == roster_.self().id) return hello.addr + " is my own address";
  const Member* member = roster_.find(from);
  if (member == nullptr || named != from) {
    return hello.addr + " is not in the node lists here, nor has it joined";
  }
  // A rank that was handed out may have been changed since, by its owner.
  if (member->configured && hello.rank != member->rank) {
    return "rank differs: " + std::to_string(member->rank.value) + " in the lists of " + own +
           ", " + std::to_string(hello.rank.value) + " in those of " + hello.addr;
  }
  // Of one that is in no list its own word counts, whatever others or a former word have told.
  if (member->configured && hello.role != member->role) {
    return "role differs: " + std::string(role_name(member->role)) + " in the lists of " + own +
           ", " + std::string(role_name(hello.role)) + " in those of " + hello.addr;
  }
  return std::nullopt;
}

std::optional<std::string> Greetings::note_hello(TimePoint now, NodeId from, Epoch epoch) {
  const Member& member = roster_.at(from);
  if (member.introduced && epoch <= member.epoch) return std::nullopt;
  Greeting& greeting = members_[from];
  const bool again = greeting.impostor && greeting.hello_epoch == epoch;
  greeting.hello_epoch = epoch;
  doubt(now, from);
  return again ? std::optional(answered_by_another(member.addr)) : std::nullopt;
}

bool Greetings::is_fresh(NodeId from, const Introduction& welcome) const {
  return welcome.question > 0 && welcome.question >= of(from).fresh_question;
}

void Greetings::note_welcome(NodeId from, Epoch epoch) {
  const Member& member = roster_.at(from);
  Greeting& greeting = members_[from];
  if (epoch == member.epoch) greeting.epoch_is_hearsay = false;
  greeting.asks_back = false;
  greeting.hellos = 0;
  const bool was_impostor = std::exchange(greeting.impostor, epoch < greeting.hello_epoch);
  // Whoever said that HELLO is told with its next one; here it is known now.
  if (!greeting.impostor || was_impostor) return;
  out_.log(LogLine::Level::error, "refused",
           "node=" + member.addr + " reason=\"" + answered_by_another(member.addr) + "\"");
}

void Greetings::accept(TimePoint now, NodeId from) {
  Greeting& greeting = members_[from];
  greeting.refusal.clear();
  greeting.next_audit = std::min(greeting.next_audit, now + timers_.audit);
}

std::optional<OwnNumbers> Greetings::take_believed(NodeId from, std::uint64_t question) {
  Greeting& greeting = members_[from];
  if (!greeting.believed || question != greeting.questions) return std::nullopt;
  return std::exchange(greeting.believed, std::nullopt);
}

void Greetings::turn_down(TimePoint now, const Introduction& hello, const std::string& reason) {
  out_.count("introductions_refused");
  const Member* member = roster_.find(roster_.id_of(hello.addr));
  bool is_news = now >= next_stranger_line_;
  if (member != nullptr && !roster_.is_self(*member)) {
    std::string& known = members_[member->id].refusal;
    is_news = known != reason;
    known = reason;
  } else if (is_news) {
    next_stranger_line_ = now + timers_.head_idle;
  }
  if (is_news) {
    out_.log(LogLine::Level::error, "refused", "node=" + hello.addr + " reason=\"" + reason + "\"");
  }
}

void Greetings::refuse(TimePoint now, NodeId from, const Introduction& hello,
                       const std::string& reason) {
  roster_.at(from).introduced = false;
  turn_down(now, hello, reason);
}

void Greetings::on_refused(TimePoint now, NodeId from, const std::string& reason) {
  Member& member = roster_.at(from);
  member.introduced = false;
  look_.by(now);
  std::string& known = members_[from].refusal;
  if (!known.empty()) return;  // a HELLO of either side says it every time
  known = reason;
  out_.count("introductions_refused");
  // The news of who has just joined may take a while; it is asked again.
  const auto level = roster_.self().configured ? LogLine::Level::error : LogLine::Level::info;
  out_.log(level, "refused_by", "node=" + member.addr + " reason=\"" + reason + "\"");
}

void Greetings::note_lost(TimePoint now, const Member& member, Epoch epoch) {
  out_.count("messages_before_hello");
  if (epoch < member.epoch) return;
  if (of(member.id).next_hello > now + timers_.hello) greet_by(now + timers_.hello, member.id);
}

}  // namespace radixmesh
