#include "lib/mesh/subscriptions.h"

#include <algorithm>
#include <string>

#include "lib/base/limits.h"
#include "lib/oplog/codec.h"

namespace radixmesh {
namespace {

// Repairs of one origin within so much of each other, after which its standby relay takes over.
constexpr std::uint32_t kAsksBeforeTakeover = 3;
constexpr Duration kAsksApartMax = std::chrono::seconds(1);
// Between two arrangements of the links of a large mesh.
constexpr Duration kRestitchPause = std::chrono::milliseconds(50);

}  // namespace

// ---- subscriptions -----------------------------------------------------------------------------

// In a mesh a link to a dead node stays, so that it is heard the moment it is back; elsewhere the
// links follow the living. An upstream that lives, as its heartbeats say, and is not heard
// publishing, is not trusted alone: the one before it is subscribed to as well.
std::vector<Upstream> Subscriptions::wanted(TimePoint now) const {
  const Topology topology = roster_.topology();
  const NodeId self = roster_.self().id;
  const View& view = roster_.view();
  if (topology == Topology::mesh) {
    View all;
    for (NodeId id : roster_.by_rank()) {
      if (roster_.at(id).state != MemberState::left) all.places.push_back({id, {}});
    }
    all.members = view.members;
    return upstreams(topology, all, self);
  }
  std::vector<Upstream> wanted = upstreams(topology, view, self);
  if (topology == Topology::groups) {
    for (Upstream& each : wanted) {
      if (each.watch_only && stands_in(now, each.node)) each.watch_only = false;
    }
    return wanted;
  }
  for (int step = -2; !wanted.empty() && step > -static_cast<int>(view.places.size()); --step) {
    const NodeId last = wanted.back().node;
    const bool deaf = subscribed_.contains(last) && marked_.contains(last) &&
                      now - last_published(last) >= timers_.deaf_after;
    const auto before = neighbour(view, self, step);
    if (!deaf || !before) break;
    wanted.push_back({*before});
  }
  return wanted;
}

void Subscriptions::restitch_if_due(TimePoint now) {
  if (is_outdated() && now >= next_restitch_) restitch(now);
}

void Subscriptions::restitch(TimePoint now) {
  stitched_version_ = roster_.version();
  // Where many come at once, not with every one of them.
  if (roster_.size() > limits::mesh_members_max) next_restitch_ = now + kRestitchPause;
  std::set<NodeId> kept;
  for (const Upstream& upstream : wanted(now)) {
    kept.insert(upstream.node);
    subscribe(now, upstream);
  }
  const std::uint32_t group = group_of(roster_.view(), roster_.self().id);
  if (roster_.topology() == Topology::groups && group_ != group) {
    group_ = group;
    out_.owe(ListenToGroup{group});
  }
  std::erase_if(subscribed_, [&](const auto& each) {
    if (kept.contains(each.first)) return false;
    out_.owe(UnsubscribeFrom{each.first});
    marked_.erase(each.first);
    return true;
  });
}

void Subscriptions::subscribe(TimePoint now, const Upstream& upstream) {
  const Member& member = roster_.at(upstream.node);
  if (!member.introduced || member.publish_addr.empty()) return;
  const auto found = subscribed_.find(upstream.node);
  if (found != subscribed_.end()) {
    const SubscribeTo& old = found->second;
    if (old.publish_addr == member.publish_addr && old.watch_only == upstream.watch_only) return;
    out_.owe(UnsubscribeFrom{upstream.node});
  }
  const SubscribeTo link{upstream.node, member.publish_addr, upstream.watch_only};
  subscribed_[upstream.node] = link;
  marked_.erase(upstream.node);
  out_.owe(link);
  next_marker_ask_ = std::min(next_marker_ask_, now + timers_.marker);
}

void Subscriptions::ask_for_markers(TimePoint now) {
  if (now < next_marker_ask_) return;
  const bool missing = std::ranges::any_of(subscribed_, [&](const auto& each) {
    return !each.second.watch_only && !marked_.contains(each.first);
  });
  const bool ring = roster_.topology() == Topology::ring;
  next_marker_ask_ = missing || ring ? now + timers_.marker : kNever;
  if (missing) out_.owe(AskMarkers{});
  if (ring) restitch(now);
}

TimePoint Subscriptions::due() const {
  return is_outdated() ? std::min(next_marker_ask_, next_restitch_) : next_marker_ask_;
}

void Subscriptions::on_marker(TimePoint now, NodeId from) {
  marked_.insert(from);
  note_published(now, from);
}

TimePoint Subscriptions::last_published(NodeId id) const {
  const auto found = last_published_.find(id);
  return found == last_published_.end() ? TimePoint::min() : found->second;
}

bool Subscriptions::all_marked() const {
  return std::ranges::all_of(subscribed_, [this](const auto& each) {
    const bool counts =
        !each.second.watch_only && roster_.at(each.first).state == MemberState::alive;
    return !counts || marked_.contains(each.first);
  });
}

void Subscriptions::forget(NodeId id) {
  if (subscribed_.erase(id) > 0) out_.owe(UnsubscribeFrom{id});
  marked_.erase(id);
  last_published_.erase(id);
  stands_in_until_.erase(id);
}

// ---- passing on --------------------------------------------------------------------------------

bool Subscriptions::stands_in(TimePoint now, NodeId origin) const {
  const auto found = stands_in_until_.find(origin);
  return found != stands_in_until_.end() && found->second > now;
}

void Subscriptions::relay(TimePoint now, const Envelope& envelope, std::string_view frame) {
  const View& view = roster_.view();
  const Member& self = roster_.self();
  if (!stands_in(now, envelope.origin) &&
      !relays(roster_.topology(), view, self.id, envelope.origin)) {
    return;
  }
  if (envelope.ttl <= 1) return out_.count("ttl_expired");
  const bool into_group = roster_.topology() == Topology::groups;
  const Lane lane = into_group ? Lane::relayed : envelope.is_op() ? Lane::ops : Lane::control;
  const bool counts = counts_hop(view.members, self.rank);
  const auto ttl = static_cast<std::uint8_t>(envelope.ttl - (counts ? 1 : 0));
  out_.count("frames_relayed");
  out_.owe(Publish{lane, with_ttl(frame, ttl), group_of(view, self.id)});
}

void Subscriptions::take_over_if_lagging(TimePoint now, NodeId id) {
  if (roster_.topology() != Topology::groups) return;
  const NodeId self = roster_.self().id;
  if (relays_into_group_of(roster_.view(), self, id).standby != self) return;
  const Missing& missing = streams_.at(id).missing;
  if (missing.asked_in_a_row < kAsksBeforeTakeover || now - missing.last_asked > kAsksApartMax) {
    return;
  }
  if (!stands_in(now, id)) {
    out_.count("relays_taken_over");
    out_.log(LogLine::Level::warning, "relay_taken_over", "origin=" + roster_.at(id).addr);
  }
  const TimePoint until = now + timers_.takeover_for;
  stands_in_until_[id] = until;
  look_.by(until);
  roster_.changed();
}

}  // namespace radixmesh
