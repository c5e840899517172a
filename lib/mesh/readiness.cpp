#include "lib/mesh/readiness.h"

#include <algorithm>
#include <string_view>

#include "lib/base/host.h"

namespace radixmesh {
namespace {

// A member that should be there is waited for so long before anybody is told.
constexpr Duration kAbsentGrace = std::chrono::seconds(5);
constexpr Duration kAbsentRepeat = std::chrono::minutes(1);

std::string seconds_text(Duration time) { return std::to_string(time.count() / 1'000'000); }

std::string sentence(LinkTrouble trouble, std::string_view what, const std::string& addr) {
  switch (trouble) {
    case LinkTrouble::none:
      break;
    case LinkTrouble::name_unknown:
      return "the name " + std::string(host_of(addr)) + " does not resolve";
    case LinkTrouble::not_connected:
      return "no connection to its " + std::string(what) + " address " + addr;
    case LinkTrouble::no_descriptors:
      return "this process has no descriptor left to connect with";
  }
  return "";
}

}  // namespace

const Readiness::Seen& Readiness::seen_of(NodeId member) const {
  static const Seen none;
  const auto found = members_.find(member);
  return found == members_.end() ? none : found->second;
}

// ---- ready -------------------------------------------------------------------------------------

// Whether a member is among those that this node should see: of one that is listed the others that
// are. Never by silence alone does one cease to.
bool Readiness::counts(TimePoint now, const Member& member) const {
  const Roster& roster = parts_.roster;
  if (roster.is_self(member) || member.state == MemberState::left) return false;
  if (roster.self().configured && !member.configured) return false;
  const TimePoint since = std::max(member.state_since, parts_.joining.since());
  const bool gone = member.state == MemberState::dead && now - since >= timers_.forget_after;
  return !gone;
}

Sight Readiness::sight(TimePoint now) const {
  Sight sight;
  for (const auto& [id, member] : parts_.roster.all()) {
    if (!counts(now, member)) continue;
    ++sight.of;
    const bool seen = member.introduced && member.state == MemberState::alive;
    if (seen) ++sight.sees;
    if (seen && (seen_of(id).met || !parts_.streams.lags(id))) ++sight.met;
  }
  sight.needs = static_cast<std::uint32_t>(needed_of(needs_, sight.of));
  return sight;
}

// The ring was verified with it, every upstream's marker is here, and all that the markers named is
// applied.
bool Readiness::has_caught_up(TimePoint now) const {
  const Roster& roster = parts_.roster;
  if (!roster.joined() || !parts_.ring.check().verified()) return false;
  const bool waits = now - parts_.joining.since() < timers_.unseen_wait;
  for (const auto& [id, member] : roster.all()) {
    if (roster.is_self(member) || member.state == MemberState::left) continue;
    if (member.epoch.value == 0 && waits) return false;
  }
  return parts_.subscriptions.all_marked() && parts_.streams.has_all_needed();
}

bool Readiness::check(TimePoint now) {
  if (!caught_up_) caught_up_ = has_caught_up(now);
  if (!caught_up_) return false;
  const Sight seen = sight(now);
  for (const auto& [id, member] : parts_.roster.all()) {
    if (member.introduced && !parts_.streams.lags(id)) members_[id].met = true;
  }
  if (ready_ && hears_nobody(seen)) {
    ready_ = false;
    // Whoever is heard again is caught up with first.
    for (auto& [id, member] : members_) member.met = false;
    parts_.out.count("readiness_lost");
    return true;
  }
  if (ready_ || hears_nobody(seen) || seen.met < seen.needs) return false;
  ready_ = true;
  return true;
}

void Readiness::tell_change(TimePoint now) {
  const std::string node = "node=" + parts_.roster.self().addr;
  if (!ready_) {
    parts_.out.log(LogLine::Level::warning, "not_ready", node + " reason=\"" + why_not(now) + "\"");
    return;
  }
  const Sight seen = sight(now);
  parts_.out.log(LogLine::Level::info, "ready",
                 node + " sees=" + std::to_string(seen.sees) + "/" + std::to_string(seen.of));
}

std::string Readiness::why_not(TimePoint now) const {
  if (ready_) return "";
  if (!parts_.roster.joined()) return parts_.joining.why_not(now);
  const Sight seen = sight(now);
  if (seen.of > 0 && seen.sees == 0) {
    return "it hears none of the " + std::to_string(seen.of) + " others";
  }
  if (!caught_up_) return "it has not caught up with what the others had when it came";
  return "it has met " + std::to_string(seen.met) + " of " + std::to_string(seen.of) +
         " others and needs " + std::to_string(seen.needs);
}

// ---- who is absent -----------------------------------------------------------------------------

void Readiness::note_link(NodeId member, LinkKind kind, LinkTrouble trouble) {
  members_[member].links.at(static_cast<std::size_t>(kind)) = trouble;
}

std::string Readiness::trouble_with(TimePoint now, const Member& member) const {
  const auto of = [&](LinkKind kind) {
    return seen_of(member.id).links.at(static_cast<std::size_t>(kind));
  };
  if (member.state == MemberState::left) return "";
  if (!member.introduced) {
    const std::string control = sentence(of(LinkKind::control), "control", member.addr);
    if (!control.empty()) return control;
    const std::string& refusal = parts_.greetings.refusal(member.id);
    if (!refusal.empty()) return refusal;
    const TimePoint published = parts_.subscriptions.last_published(member.id);
    const bool publishes = published != TimePoint::min() && now - published < timers_.suspect_after;
    if (publishes) return "it publishes, but does not answer: it may not hear this node";
    return "it is connected to, and does not answer";
  }
  if (member.state != MemberState::alive) return "it is silent";
  if (parts_.subscriptions.is_subscribed(member.id)) {
    const std::string publish = sentence(of(LinkKind::publish), "publish", member.publish_addr);
    if (!publish.empty()) return publish;
  }
  return sentence(of(LinkKind::bulk), "bulk", member.bulk_addr);
}

void Readiness::tell_of_absent(TimePoint now) {
  if (!parts_.roster.joined()) {
    const TimePoint since = parts_.joining.since();
    alone_tell_next_ = std::max(alone_tell_next_, since + kAbsentGrace);
    if (now >= alone_tell_next_) {
      alone_tell_next_ = now + kAbsentRepeat;
      parts_.out.log(
          LogLine::Level::warning, "not_in_a_mesh",
          "for_seconds=" + seconds_text(now - since) + " reason=\"" + why_not(now) + "\"");
    }
    parts_.look.by(alone_tell_next_);
  }
  for (const auto& [id, member] : parts_.roster.all()) {
    if (!parts_.roster.is_self(member)) tell_of(now, member);
  }
}

void Readiness::tell_of(TimePoint now, const Member& member) {
  Seen& seen = members_[member.id];
  const std::string trouble = trouble_with(now, member);
  if (trouble.empty()) {
    if (seen.told) {
      parts_.out.log(LogLine::Level::info, "member_well",
                     "node=" + member.addr + " after_seconds=" + seconds_text(now - seen.since));
    }
    seen.since = kNever;
    seen.told = false;
    return;
  }
  if (seen.since == kNever) seen.since = now;
  const TimePoint due = seen.told ? seen.tell_next : seen.since + kAbsentGrace;
  if (now >= due) {
    seen.told = true;
    seen.tell_next = now + kAbsentRepeat;
    parts_.out.log(LogLine::Level::warning, "member_trouble",
                   "node=" + member.addr + " state=" + std::string(member.shown_state()) +
                       " for_seconds=" + seconds_text(now - seen.since) + " reason=\"" + trouble +
                       "\"");
  }
  parts_.look.by(seen.told ? seen.tell_next : due);
}

}  // namespace radixmesh
