#include "lib/oplog/repair.h"

#include <algorithm>
#include <tuple>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// A node that has nothing of an origin with a longer history than this asks for a snapshot at once:
// its entries are fewer than its ops.
constexpr std::uint64_t kReplayFromStartOpsMax = 1000;
// Failures in a row after which an origin is called degraded.
constexpr std::uint32_t kDegradedAfter = 6;

}  // namespace

void Repair::update(TimePoint now, Origin& origin) {
  Missing& missing = origin.missing;
  const bool misses =
      missing.wants_snapshot || missing.staging || origin.head > origin.stream.applied();
  if (!misses || origin.forgotten) {
    missing.timer.disarm();
    lagging_.erase(origin.id);
    missing.since.reset();
    return;
  }
  lagging_.insert(origin.id);
  if (!missing.since) missing.since = now;
  missing.timer.arm(now, pace());
  look_at(origin);
}

void Repair::progressed(TimePoint now, Origin& origin) {
  origin.missing.timer.progressed(now, pace());
  look_at(origin);
}

void Repair::look_at(const Origin& origin) {
  const auto& staging = origin.missing.staging;
  next_ = std::min(
      next_, staging ? staging->heard() + timers_.snapshot_silence : origin.missing.timer.due());
}

std::vector<NodeId> Repair::begin_look() {
  next_ = kNever;
  return {lagging_.begin(), lagging_.end()};
}

void Repair::want_snapshot(TimePoint now, Origin& origin, std::string_view why, bool is_failure) {
  Missing& missing = origin.missing;
  const std::string& addr = roster_.at(origin.id).addr;
  if (is_failure) ++missing.failures;
  if (missing.failures >= kDegradedAfter && !missing.degraded) {
    missing.degraded = true;
    out_.count("origins_degraded");
    out_.log(LogLine::Level::error, "origin_degraded", "node=" + addr);
  }
  if (!missing.wants_snapshot) {
    missing.wants_snapshot = true;
    out_.log(LogLine::Level::warning, "snapshot_wanted",
             "node=" + addr + " why=" + std::string(why));
  }
  update(now, origin);
}

void Repair::ask(TimePoint now, Origin& origin) {
  Missing& missing = origin.missing;
  const std::vector<NodeId> donors = donors_for(origin);
  const std::uint32_t attempt = missing.timer.attempts();
  missing.timer.asked(now, pace());
  if (donors.empty()) return stop_missing(now, origin);
  if (now - missing.last_asked > timers_.repair_pause_max) missing.asked_in_a_row = 0;
  ++missing.asked_in_a_row;
  missing.last_asked = now;
  const NodeId donor = donors[attempt % donors.size()];
  const auto [epoch, applied] = origin.progress();
  if (!missing.wants_snapshot &&
      (applied.value > 0 || origin.head.value <= kReplayFromStartOpsMax)) {
    // Up to what is held already, or to the end.
    out_.count("replays_asked");
    post_.ask(
        donor, Channel::bulk,
        ReplayRequest{origin.id, epoch, Seq{applied.value + 1}, std::max(origin.head, applied)});
    return;
  }
  out_.count("snapshots_asked");
  missing.staging.emplace(donor, post_.next_session(), now);
  origin.stream.pause(missing.replaces_all || origin.had_ops);
  const Seq known = missing.replaces_all ? Seq{} : applied;
  post_.ask(donor, Channel::bulk,
            SnapshotRequest{origin.id, epoch, known, missing.staging->session(), wants_slots_, {}});
}

// Whom to ask, best first: the origin itself, then those that said they have more than we do. Those
// that keep slots come before routers, which have none to give.
std::vector<NodeId> Repair::donors_for(const Origin& origin) const {
  std::vector<NodeId> donors;
  const Progress have = origin.progress();
  for (NodeId peer : roster_.by_rank()) {
    const Member& member = roster_.at(peer);
    if (roster_.is_self(member) || member.state >= MemberState::dead || !member.introduced) {
      continue;
    }
    const auto known = origin.further.find(peer);
    const bool has_more =
        known != origin.further.end() &&
        (known->second > have || (origin.missing.wants_snapshot && known->second == have));
    if (peer == origin.id || has_more) donors.push_back(peer);
  }
  std::ranges::stable_sort(donors, {}, [&](NodeId peer) {
    return std::tuple(peer != origin.id, roster_.at(peer).role == Role::router);
  });
  return donors;
}

// It went with its last holder. Who is not introduced may have it. Said again, it is missed again.
void Repair::stop_missing(TimePoint now, Origin& origin) {
  const Missing& missing = origin.missing;
  const bool long_ago = missing.since && now - *missing.since >= timers_.unseen_wait;
  const bool may_come = std::ranges::any_of(roster_.all(), [](const auto& each) {
    return each.second.state < MemberState::dead && !each.second.introduced;
  });
  if (!long_ago || may_come || missing.staging) return;
  origin.needed.reset();
  if (origin.head > origin.stream.applied()) out_.count("heads_disbelieved");
  origin.head = std::min(origin.head, origin.stream.applied());
  update(now, origin);
}

}  // namespace radixmesh
