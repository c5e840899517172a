#include "lib/mesh/heads.h"

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// Of a vector longer than `mesh_members_max` every message tells one part, and the whole takes so
// many messages.
constexpr std::uint32_t kVectorTurns = 8;

}  // namespace

void Heads::publish(TimePoint now, const Self& self) {
  const Member& own = roster_.self();
  HeadMessage head;
  head.beat = ++beat_;
  head.head = own_.head();
  head.digest = own_digest();
  head.load = load_;
  head.vector = news_vector();
  head.vector.erase(head.vector.begin());  // its own stands in `head`
  head.refute = own.refute;
  head.engine_token = own.engine_token;
  head.taken_over = own_.taken_over();
  head.news = news_.take();
  head.ready = self.ready;
  head.rank = own.rank;
  head.keeps_duplicates = self.keeps_duplicates;
  head.standing = standing(now, self);
  pace_.told(now);
  post_.publish(std::move(head));
}

Pulse Heads::pulse_for(const Member& to) {
  Pulse pulse;
  pulse.beat = beat_;
  pulse.view_hash = roster_.view_hash();
  pulse.seen = Standing{to.epoch, to.refute, to.state};
  pulse.load = load_;
  for (const VectorEntry& at : news_vector()) {
    if (pulse.digests.size() == limits::heartbeat_digests_max) break;
    const bool own = at.origin == roster_.self().id;
    pulse.digests.push_back(
        {at, own ? own_digest() : picture_.relation().digest(streams_.at(at.origin).holder)});
  }
  pulse.news = news_.take();
  return pulse;
}

std::vector<VectorEntry> Heads::version_vector() const {
  std::vector<VectorEntry> vector{{roster_.self().id, roster_.self().epoch, own_.head()}};
  streams_.add_to(vector);
  return vector;
}

// All of it in a small mesh; else this node's own entry and a part that changes with every call.
std::vector<VectorEntry> Heads::news_vector() {
  std::vector<VectorEntry> vector = version_vector();
  if (vector.size() <= limits::mesh_members_max) return vector;
  const std::uint32_t turn = vector_turn_++ % kVectorTurns;
  std::vector<VectorEntry> part{vector[0]};
  for (std::size_t i = 1 + turn; i < vector.size(); i += kVectorTurns) part.push_back(vector[i]);
  return part;
}

Digest Heads::own_digest() const {
  return own_.head().value == 0 ? 0 : picture_.relation().digest(kSelf);
}

HeadMessage::Stand Heads::standing(TimePoint now, const Self& self) const {
  HeadMessage::Stand stand;
  streams_.add_to(now, stand);
  stand.sees = self.sees;
  stand.of = self.of;
  return stand;
}

// ---- those of members --------------------------------------------------------------------------

bool Heads::note(NodeId member, const HeadMessage& head) {
  Said& said = said_[member];
  if (head.beat <= said.last_beat) return false;
  said.last_beat = head.beat;
  said.standing = head.standing;
  return true;
}

std::uint64_t Heads::last_beat(NodeId member) const {
  const auto found = said_.find(member);
  return found == said_.end() ? 0 : found->second.last_beat;
}

HeadMessage::Stand Heads::standing_of(NodeId member) const {
  const auto found = said_.find(member);
  return found == said_.end() ? HeadMessage::Stand{} : found->second.standing;
}

}  // namespace radixmesh
