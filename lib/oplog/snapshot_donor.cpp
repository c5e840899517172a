#include "lib/oplog/snapshot_donor.h"

#include <algorithm>

#include "lib/base/limits.h"
#include "lib/oplog/packing.h"

namespace radixmesh {
namespace {

// Envelope and the chunk's own fields; and what wraps one entry.
constexpr std::size_t kChunkOverheadBytes = 256, kEntryOverheadBytes = 64;
constexpr std::size_t kAnchorBytes = 14, kMarkBytes = 15;

SnapshotEntry copy_entry(const Relation& relation, const Entry& entry, bool with_slots) {
  SnapshotEntry out{entry.seq, entry.parent, entry.begin, entry.retired_from, {}};
  relation.read_entry(entry, entry.begin, entry.end, out.body.tokens, out.body.slots);
  if (!with_slots || out.body.slots.size() != out.body.tokens.size()) out.body.slots = {};
  // Slots that were replaced piece by piece may have become too many runs for one frame; an entry
  // without slots is better than none.
  std::string packed;
  pack_slots(out.body.slots, packed);
  if (packed.size() + packed_tokens_bytes(out.body.tokens) > limits::insert_payload_bytes_max) {
    out.body.slots = {};
  }
  if (entry.begin == 0) out.body.name = relation.entry_namespace(entry);
  return out;
}

// Moves at most `most` of the items, from the first on.
template <class T>
void take_first(std::vector<T>& items, std::size_t most, std::vector<T>& out) {
  const auto end = items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), most));
  out.assign(items.begin(), end);
  items.erase(items.begin(), end);
}

std::size_t encoded_bytes(const SnapshotEntry& entry) {
  std::string slots;
  pack_slots(entry.body.slots, slots);
  std::size_t bytes = kEntryOverheadBytes + packed_tokens_bytes(entry.body.tokens) + slots.size();
  for (const NamespacePart& part : entry.body.name.parts) bytes += part.value.size() + 5;
  return bytes;
}

}  // namespace

bool SnapshotDonor::open(TimePoint now, NodeId peer, const SnapshotRequest& request, Epoch epoch) {
  const Key key{peer, request.origin};
  if (!sessions_.contains(key) && sessions_.size() >= limits::snapshot_sessions_max) return false;
  Session session;
  session.number = request.session;
  session.epoch = epoch;
  session.wants_slots = request.wants_slots;
  session.heard = now;
  sessions_[key] = std::move(session);
  return true;
}

void SnapshotDonor::credit(TimePoint now, NodeId peer, const SnapshotCredit& credit) {
  auto found = sessions_.find(Key{peer, credit.origin});
  if (found == sessions_.end() || found->second.number != credit.session) return;
  Session& session = found->second;
  session.heard = now;
  if (credit.received <= session.sent) {
    session.received = std::max(session.received, credit.received);
  }
}

void SnapshotDonor::removed(NodeId origin, std::span<const Anchor> first_pages) {
  for (auto& [key, session] : sessions_) {
    if (key.second != origin || session.broken) continue;
    for (const Anchor& anchor : first_pages) {
      // Of entries that were not sent, nothing needs to be taken back.
      if (anchor.seq < session.next_seq) session.removals.push_back(anchor);
    }
    session.broken = session.removals.size() > limits::snapshot_removals_max;
  }
}

void SnapshotDonor::marked(NodeId origin, std::span<const Anchor> first_pages, bool retiring) {
  for (auto& [key, session] : sessions_) {
    if (key.second != origin || session.broken) continue;
    for (const Anchor& anchor : first_pages) {
      // Entries that were not sent say it themselves.
      if (anchor.seq < session.next_seq) session.marks.push_back({anchor, retiring});
    }
    session.broken = session.marks.size() > limits::snapshot_removals_max;
  }
}

void SnapshotDonor::replaced(NodeId origin) {
  for (auto& [key, session] : sessions_) {
    if (key.second == origin) session.broken = true;
  }
}

SnapshotChunk SnapshotDonor::produce(const Key& key, Session& session, Relation& relation,
                                     bool has_slots, const std::optional<DonorState>& state) {
  SnapshotChunk chunk;
  chunk.origin = key.second;
  chunk.epoch = session.epoch;
  chunk.session = session.number;
  chunk.index = session.sent++;
  chunk.has_slots = has_slots && session.wants_slots;
  if (session.broken || !state || state->epoch != session.epoch) {
    chunk.status = SnapshotStatus::cannot;
    return chunk;
  }
  chunk.as_of = state->applied;
  // Marks only after all removals before them, and entries only after both.
  take_first(session.removals, limits::delete_entries_max, chunk.removals);
  if (!session.removals.empty()) return chunk;
  take_first(session.marks, limits::delete_entries_max, chunk.marks);
  if (!session.marks.empty()) return chunk;

  std::size_t bytes =
      kChunkOverheadBytes + chunk.removals.size() * kAnchorBytes + chunk.marks.size() * kMarkBytes;
  while (const Entry* entry = relation.entry_at_or_after(state->holder, session.next_seq)) {
    SnapshotEntry copy = copy_entry(relation, *entry, chunk.has_slots);
    bytes += encoded_bytes(copy);
    const bool has_more = !chunk.entries.empty() || !chunk.removals.empty() || !chunk.marks.empty();
    if (bytes > limits::frame_bytes_max && has_more) return chunk;
    session.next_seq = Seq{entry->seq.value + 1};
    chunk.entries.push_back(std::move(copy));
  }
  chunk.status = SnapshotStatus::last;
  return chunk;
}

bool SnapshotDonor::has_work() const {
  return std::ranges::any_of(sessions_, [](const auto& each) {
    return each.second.sent < each.second.received + limits::snapshot_credit_chunks;
  });
}

void SnapshotDonor::expire(TimePoint now, Duration idle) {
  std::erase_if(sessions_, [&](const auto& each) { return now - each.second.heard > idle; });
}

}  // namespace radixmesh
