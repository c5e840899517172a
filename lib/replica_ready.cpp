// Whether this node may get requests, and who should be there and is not.
//
//             caught up, and met as many as it needs
//   not ready ─────────────────────────────────────► ready
//        ▲                                             │
//        └─── hears none of the others, or those ──────┘
//             that it hears refuse it
#include <algorithm>

#include "lib/base/host.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// A member that should be there is waited for so long before anybody is told.
constexpr Duration kAbsentGrace = std::chrono::seconds(5);
constexpr Duration kAbsentRepeat = std::chrono::minutes(1);

std::string seconds_text(Duration time) { return std::to_string(time.count() / 1'000'000); }

}  // namespace

// ---- ready -------------------------------------------------------------------------------------

// Whether a member counts among those that this node should see: of one that is listed the others
// that are. Never by silence alone does one cease to.
bool Replica::should_see(TimePoint now, const Member& member) const {
  if (member.id == self_->id || member.state == MemberState::left) return false;
  if (self_->configured && !member.configured) return false;
  const bool gone = member.state == MemberState::dead &&
                    now - std::max(member.state_since, started_) >= settings_.timers.forget_after;
  return !gone;
}

Sight Replica::sight(TimePoint now) const {
  Sight sight;
  for (const auto& [id, member] : members_) {
    if (!should_see(now, member)) continue;
    ++sight.of;
    const bool seen = member.introduced && member.state == MemberState::alive;
    if (seen) ++sight.sees;
    if (seen && (member.met || !lagging_.contains(id))) ++sight.met;
  }
  sight.needs = static_cast<std::uint32_t>(needed_of(settings_.ready_needs, sight.of));
  return sight;
}

// Nothing is missing that existed when this node came: the ring was verified with it, every
// upstream's marker is here, and all that the markers named is applied. Does not go back.
bool Replica::has_caught_up(TimePoint now) const {
  if (!joined() || !ring_.verified()) return false;
  for (const auto& [id, member] : members_) {
    if (id == self_->id || member.state == MemberState::left) continue;
    if (member.epoch.value == 0 && now - started_ < settings_.timers.unseen_wait) return false;
  }
  for (const auto& [id, link] : subscribed_) {
    if (link.watch_only || members_.at(id).state != MemberState::alive) continue;
    if (!marked_.contains(id)) return false;
  }
  return std::ranges::all_of(barrier_, [this](const auto& each) {
    const Origin& origin = origins_.at(each.first);
    const auto have = std::tuple(origin.stream.epoch(), origin.stream.applied());
    return origin.forgotten || have >= std::tuple(each.second.epoch, each.second.applied);
  });
}

void Replica::check_ready(TimePoint now) {
  if (!caught_up_) caught_up_ = has_caught_up(now);
  if (!caught_up_) return;
  const Sight seen = sight(now);
  for (auto& [id, member] : members_) {
    if (member.introduced && !lagging_.contains(id)) member.met = true;
  }
  const bool hears_nobody =
      seen.of > 0 && seen.sees == 0 && settings_.ready_needs != ReadyNeeds::self;
  if (ready_ && hears_nobody) {
    ready_ = false;
    // Whoever is heard again is caught up with first.
    for (auto& [id, member] : members_) member.met = false;
    out_.count("readiness_lost");
    publish_head(now);
    out_.log(LogLine::Level::warning, "not_ready",
             "node=" + self_->addr + " reason=\"" + why_not_ready(now) + "\"");
  } else if (!ready_ && !hears_nobody && seen.met >= seen.needs) {
    ready_ = true;
    publish_head(now);  // others may send work
    out_.log(LogLine::Level::info, "ready",
             "node=" + self_->addr + " sees=" + std::to_string(seen.sees) + "/" +
                 std::to_string(seen.of));
  }
}

std::string Replica::why_not_ready(TimePoint now) const {
  if (ready_) return "";
  if (!joined()) {
    const std::string reason = seeds_.why_not_begin(now, would_be_founder());
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(started_ + settings_.timers.join_wait - now);
    const auto seconds = std::max<std::int64_t>(0, left.count());
    return "it is in no mesh yet: " +
           (reason.empty()
                ? "nobody is there to ask; it begins one in " + std::to_string(seconds) + " s"
                : reason);
  }
  const Sight seen = sight(now);
  if (seen.of > 0 && seen.sees == 0) {
    return "it hears none of the " + std::to_string(seen.of) + " others";
  }
  if (!caught_up_) return "it has not caught up with what the others had when it came";
  return "it has met " + std::to_string(seen.met) + " of " + std::to_string(seen.of) +
         " others and needs " + std::to_string(seen.needs);
}

// ---- who is absent -----------------------------------------------------------------------------

// What stands between this node and another one, as far as it is known; empty where nothing does.
std::string Replica::trouble_with(TimePoint now, const Member& member) const {
  const auto of = [&member](LinkKind kind) {
    return member.links.at(static_cast<std::size_t>(kind));
  };
  const auto sentence = [](LinkTrouble trouble, std::string_view what, const std::string& addr) {
    const std::string host(host_of(addr));
    switch (trouble) {
      case LinkTrouble::none:
        return std::string();
      case LinkTrouble::name_unknown:
        return "the name " + host + " does not resolve";
      case LinkTrouble::not_connected:
        return "no connection to its " + std::string(what) + " address " + addr;
      case LinkTrouble::no_descriptors:
        return std::string("this process has no descriptor left to connect with");
    }
    return std::string();
  };
  if (member.state == MemberState::left) return "";
  if (!member.introduced) {
    const std::string control = sentence(of(LinkKind::control), "control", member.addr);
    if (!control.empty()) return control;
    if (!member.refusal.empty()) return member.refusal;
    const bool publishes = member.last_published != TimePoint::min() &&
                           now - member.last_published < settings_.timers.suspect_after;
    if (publishes) return "it publishes, but does not answer: it may not hear this node";
    return "it is connected to, and does not answer";
  }
  if (member.state != MemberState::alive) return "it is silent";
  if (subscribed_.contains(member.id)) {
    const std::string publish = sentence(of(LinkKind::publish), "publish", member.publish_addr);
    if (!publish.empty()) return publish;
  }
  return sentence(of(LinkKind::bulk), "bulk", member.bulk_addr);
}

// One line when it begins, one a minute while it lasts, one when it ends.
void Replica::tell_of_absent(TimePoint now) {
  if (!joined()) {
    seeds_.tell_next = std::max(seeds_.tell_next, started_ + kAbsentGrace);
    if (now >= seeds_.tell_next) {
      seeds_.tell_next = now + kAbsentRepeat;
      out_.log(
          LogLine::Level::warning, "not_in_a_mesh",
          "for_seconds=" + seconds_text(now - started_) + " reason=\"" + why_not_ready(now) + "\"");
    }
    look_by(seeds_.tell_next);
  }
  for (auto& [id, member] : members_) {
    if (id == self_->id) continue;
    const std::string trouble = trouble_with(now, member);
    if (trouble.empty()) {
      if (member.trouble_told) {
        out_.log(
            LogLine::Level::info, "member_well",
            "node=" + member.addr + " after_seconds=" + seconds_text(now - member.trouble_since));
      }
      member.trouble_since = kNever;
      member.trouble_told = false;
      continue;
    }
    if (member.trouble_since == kNever) member.trouble_since = now;
    const TimePoint due =
        member.trouble_told ? member.trouble_tell_next : member.trouble_since + kAbsentGrace;
    if (now >= due) {
      member.trouble_told = true;
      member.trouble_tell_next = now + kAbsentRepeat;
      out_.log(LogLine::Level::warning, "member_trouble",
               "node=" + member.addr + " state=" + std::string(member.shown_state()) +
                   " for_seconds=" + seconds_text(now - member.trouble_since) + " reason=\"" +
                   trouble + "\"");
    }
    look_by(member.trouble_told ? member.trouble_tell_next : due);
  }
}

// A connection that came up is greeted over at once.
void Replica::on_link_report(TimePoint now, const LinkReport& report) {
  Member* member = find_member(report.link.peer);
  if (member == nullptr) {
    Seed* seed = seeds_.find(report.link.peer);
    if (seed == nullptr) return;
    seed->trouble = report.trouble;
    // What it was asked before is lost.
    if (report.trouble != LinkTrouble::none) return;
    next_join_ = std::min(next_join_, now);
    return look_by(now);
  }
  member->links.at(static_cast<std::size_t>(report.link.kind)) = report.trouble;
  const bool control_is_up =
      report.link.kind == LinkKind::control && report.trouble == LinkTrouble::none;
  if (!control_is_up || member->introduced) return;
  member->next_hello = std::min(member->next_hello, now);
  look_by(now);
}

}  // namespace radixmesh
