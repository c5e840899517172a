// How far each one is, and who listens to whom: HEADs, markers, subscriptions.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// Of a vector longer than `mesh_members_max` every message tells one part, and the whole takes so
// many messages.
constexpr std::uint32_t kVectorTurns = 8;
// Repairs of one origin within so much of each other, after which its standby relay takes over.
constexpr std::uint32_t kAsksBeforeTakeover = 3;
constexpr Duration kAsksApartMax = std::chrono::seconds(1);
// Between two arrangements of the links of a large mesh.
constexpr Duration kRestitchPause = std::chrono::milliseconds(50);

}  // namespace

// ---- HEADs -------------------------------------------------------------------------------------

void Replica::publish_head(TimePoint now) {
  next_head_ = now + settings_.timers.head_idle;
  HeadMessage head;
  head.beat = ++beat_;
  head.head = head_;
  head.digest = own_digest();
  head.load = self_->load;
  head.vector = news_vector();
  head.vector.erase(head.vector.begin());  // its own stands in `head`
  head.refute = self_->refute;
  head.engine_token = self_->engine_token;
  head.taken_over = taken_over_;
  head.news = news_.take();
  head.ready = ready_;
  head.rank = self_->rank;
  head.keeps_duplicates = keeps_duplicates();
  head.standing = how_it_stands(now);
  last_head_ = now;
  told_load_ = self_->load;
  out_.owe(Publish{Lane::control, encode(control(std::move(head)))});
}

// What this node misses of all others, and how many it sees.
HeadMessage::Stand Replica::how_it_stands(TimePoint now) const {
  HeadMessage::Stand stand;
  for (NodeId id : lagging_) {
    const Origin& origin = origins_.at(id);
    if (origin.head > origin.stream.applied()) {
      stand.behind_ops += origin.head.value - origin.stream.applied().value;
    }
    if (origin.behind_since) stand.behind = std::max(stand.behind, now - *origin.behind_since);
  }
  stand.behind_ops = std::min(stand.behind_ops, limits::count_max);
  const Sight seen = sight(now);
  stand.sees = seen.sees;
  stand.of = seen.of;
  return stand;
}

// This node's own entry is the first.
std::vector<VectorEntry> Replica::version_vector() const {
  std::vector<VectorEntry> vector{{self_->id, self_->epoch, head_}};
  for (const auto& [id, origin] : origins_) {
    if (origin.stream.epoch().value == 0 || origin.forgotten) continue;
    vector.push_back({id, origin.stream.epoch(), origin.stream.applied()});
  }
  return vector;
}

// All of it in a small mesh; else this node's own entry and a part that changes with every call.
std::vector<VectorEntry> Replica::news_vector() {
  std::vector<VectorEntry> vector = version_vector();
  if (vector.size() <= limits::mesh_members_max) return vector;
  const std::uint32_t turn = vector_turn_++ % kVectorTurns;
  std::vector<VectorEntry> part{vector[0]};
  for (std::size_t i = 1 + turn; i < vector.size(); i += kVectorTurns) part.push_back(vector[i]);
  return part;
}

void Replica::on_head(TimePoint now, const Envelope& envelope, const HeadMessage& head,
                      std::string_view frame) {
  if (envelope.origin == self_->id) {
    if (envelope.epoch > self_->epoch) outgrow_epoch(now, envelope.epoch);
    return;
  }
  Member* member = find_member(envelope.origin);
  if (member == nullptr) return out_.count("unknown_origins");
  if (envelope.epoch < member->epoch) return out_.count("heads_of_stale_epoch");
  if (envelope.epoch > member->epoch && !hear_of_epoch(now, *member, envelope.epoch)) return;
  if (head.beat <= member->last_beat) return;  // seen already, on another way
  member->last_beat = head.beat;
  member->last_published = now;
  relay(now, envelope, frame);
  Origin& origin = origins_.at(envelope.origin);
  if (head.taken_over) on_taken_over(now, envelope.origin, origin, *head.taken_over);
  note_head(now, envelope.origin, envelope.epoch, head.head);
  // Of what only it can say, it is asked.
  const bool another_rank = head.rank != kAnyRank && head.rank != member->rank;
  if (head.refute > member->refute || another_rank) doubt(now, *member);
  member->engine_token = head.engine_token;
  heard_from(now, *member, effective(settings_.topology, view_.members) == Topology::mesh);
  note_load(now, *member, head.load);
  member->ready = head.ready;
  member->keeps_duplicates = head.keeps_duplicates;
  member->standing = head.standing;
  note_vector(now, *member, head.vector, false);
  compare_digest(now, {envelope.origin, envelope.epoch, head.head}, head.digest, envelope.origin);
  take_over_if_lagging(now, envelope.origin, origin);
  on_news(now, envelope.origin, head.news);
}

// What a member says it has: it may be asked for that, and it reveals what is missing here.
void Replica::note_vector(TimePoint now, Member& member, const std::vector<VectorEntry>& vector,
                          bool is_marker) {
  for (const VectorEntry& entry : vector) {
    if (entry.origin == self_->id) {
      // Ops that this life never published: an earlier one had the same epoch.
      const bool not_mine = entry.epoch == self_->epoch && entry.applied > head_;
      if (entry.epoch > self_->epoch || not_mine) outgrow_epoch(now, entry.epoch, not_mine);
      continue;
    }
    Origin* origin = find_origin(entry.origin);
    if (origin == nullptr) continue;
    // What is here already makes nobody a donor, unless a wrong state is to be replaced.
    const auto have = std::tuple(origin->stream.epoch(), origin->stream.applied());
    if (std::tuple(entry.epoch, entry.applied) > have || origin->wants_snapshot) {
      member.vector[entry.origin] = entry;
      note_head(now, entry.origin, entry.epoch, entry.applied);
    } else {
      member.vector.erase(entry.origin);
    }
    if (!is_marker || ready_) continue;
    VectorEntry& needed = barrier_[entry.origin];
    if (std::tuple(needed.epoch, needed.applied) < std::tuple(entry.epoch, entry.applied)) {
      needed = entry;
    }
  }
}

// Equal vectors and unequal digests: something is wrong that no op will mend. The origin itself
// has the truth; where it is gone, the one of the lower rank is believed.
void Replica::compare_digest(TimePoint now, const VectorEntry& at, Digest digest, NodeId said_by) {
  const NodeId id = at.origin;
  if (id == self_->id) return;
  Origin* origin = find_origin(id);
  if (origin == nullptr || origin->forgotten || origin->staging) return;
  if (origin->stream.epoch() != at.epoch || origin->stream.applied() != at.applied) return;
  const Digest here = relation_->digest(origin->holder);
  if (here == digest) {
    // By the origin's own word nothing is wrong here, whoever said so.
    if (said_by != id || !origin->replaces_all) return;
    origin->replaces_all = origin->wants_snapshot = false;
    return update_repair(now, id, *origin);
  }
  // Asked for above what is here, nobody has one: it must be one that replaces all.
  if (origin->wants_snapshot && origin->replaces_all) return;
  const Member& member = members_.at(id);
  ++origin->digest_mismatches;
  out_.count("digest_mismatches");
  out_.log(LogLine::Level::error, "digest_mismatch",
           "node=" + member.addr + " seq=" + std::to_string(at.applied.value) +
               " here=" + digest_hex(here) + " there=" + digest_hex(digest) +
               " said_by=" + members_.at(said_by).addr);
  if (member.state > MemberState::suspect && members_.at(said_by).rank > self_->rank) return;
  origin->replaces_all = true;
  want_snapshot(now, id, *origin, "digest_mismatch", true);
}

// ---- links -------------------------------------------------------------------------------------

// In a mesh a link to a dead node stays, so that it is heard the moment it is back; elsewhere the
// links follow the living. An upstream that lives, as its heartbeats say, and is not heard
// publishing, is not trusted alone: the one before it is subscribed to as well.
std::vector<Upstream> Replica::wanted_upstreams(TimePoint now) const {
  const Topology topology = effective(settings_.topology, view_.members);
  if (topology == Topology::mesh) {
    View all;
    for (NodeId id : by_rank_) {
      if (members_.at(id).state != MemberState::left) all.places.push_back({id, {}});
    }
    all.members = view_.members;
    return upstreams(topology, all, self_->id);
  }
  std::vector<Upstream> wanted = upstreams(topology, view_, self_->id);
  if (topology == Topology::groups) {
    for (Upstream& each : wanted) {
      if (each.watch_only && origins_.at(each.node).takeover_until > now) each.watch_only = false;
    }
    return wanted;
  }
  for (int step = -2; !wanted.empty() && step > -static_cast<int>(view_.places.size()); --step) {
    const auto link = subscribed_.find(wanted.back().node);
    const Member& last = members_.at(wanted.back().node);
    const bool deaf = link != subscribed_.end() && marked_.contains(last.id) &&
                      now - last.last_published >= settings_.timers.deaf_after;
    const auto before = neighbour(view_, self_->id, step);
    if (!deaf || !before) break;
    wanted.push_back({*before});
  }
  return wanted;
}

// Brings the subscriptions in line with the topology: new ones first, then those no longer needed
// go.
void Replica::restitch(TimePoint now) {
  links_changed_ = false;
  // Where many come at once, not with every one of them.
  if (members_.size() > limits::mesh_members_max) next_restitch_ = now + kRestitchPause;
  refresh_view(now);
  const std::vector<Upstream> wanted = wanted_upstreams(now);
  std::set<NodeId> kept;
  for (const Upstream& upstream : wanted) {
    kept.insert(upstream.node);
    const Member& member = members_.at(upstream.node);
    if (!member.introduced || member.publish_addr.empty()) continue;
    const auto found = subscribed_.find(upstream.node);
    if (found != subscribed_.end()) {
      const SubscribeTo& old = found->second;
      if (old.publish_addr == member.publish_addr && old.watch_only == upstream.watch_only) {
        continue;
      }
      out_.owe(UnsubscribeFrom{upstream.node});
    }
    const SubscribeTo link{upstream.node, member.publish_addr, upstream.watch_only};
    subscribed_[upstream.node] = link;
    marked_.erase(upstream.node);
    out_.owe(link);
    next_marker_ask_ = std::min(next_marker_ask_, now + settings_.timers.marker);
  }
  const std::uint32_t group = group_of(view_, self_->id);
  if (effective(settings_.topology, view_.members) == Topology::groups && group_ != group) {
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

// A standby sees by an origin's HEADs what was published. Where it had to ask for that again and
// again, the first relay does not bring it.
void Replica::take_over_if_lagging(TimePoint now, NodeId id, Origin& origin) {
  if (effective(settings_.topology, view_.members) != Topology::groups) return;
  if (relays_into_group_of(view_, self_->id, id).standby != self_->id) return;
  if (origin.asked_in_a_row < kAsksBeforeTakeover || now - origin.last_asked > kAsksApartMax)
    return;
  if (origin.takeover_until <= now) {
    out_.count("relays_taken_over");
    out_.log(LogLine::Level::warning, "relay_taken_over", "origin=" + members_.at(id).addr);
  }
  origin.takeover_until = now + settings_.timers.takeover_for;
  look_by(origin.takeover_until);
  view_changed();
}

// From here on nothing that this upstream publishes is missed; what came before is in the vector.
void Replica::on_marker(TimePoint now, const Envelope& envelope, const MarkerMessage& marker) {
  Member* member = find_member(envelope.origin);
  if (member == nullptr || member->id == self_->id || envelope.epoch < member->epoch) {
    return out_.count("misplaced_messages");
  }
  marked_.insert(envelope.origin);
  member->last_published = now;
  note_vector(now, *member, marker.vector, true);
}

// A marker may be lost like any frame, or the subscription before it. The links are looked at as
// well: one may have fallen silent.
void Replica::ask_for_markers(TimePoint now) {
  if (now < next_marker_ask_) return;
  const bool missing = std::ranges::any_of(subscribed_, [&](const auto& each) {
    return !each.second.watch_only && !marked_.contains(each.first);
  });
  const bool ring = effective(settings_.topology, view_.members) == Topology::ring;
  next_marker_ask_ = missing || ring ? now + settings_.timers.marker : kNever;
  if (missing) out_.owe(AskMarkers{});
  if (ring) restitch(now);
}

}  // namespace radixmesh
