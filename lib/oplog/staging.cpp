#include "lib/oplog/staging.h"

#include "lib/base/limits.h"
#include "lib/base/planted.h"

namespace radixmesh {

bool has_room(Relation& relation, HolderIndex holder, std::size_t tokens, Outbox& out) {
  const bool fits = relation.tokens_of(holder) + tokens <= limits::holder_tokens_max &&
                    relation.stored_token_count() + tokens <= limits::tree_tokens_max;
  if (!fits) out.count("tokens_past_bounds");
  return fits;
}

bool Staging::take(Relation& relation, const SnapshotChunk& chunk, Outbox& out) {
  if (!holder_) {
    holder_ = relation.add_holder();
    epoch_ = chunk.epoch;
  }
  ++chunks_;
  // Chunk by chunk, so that whoever asks when it is complete need not hash all of it.
  (void)relation.digest(*holder_);
  if (chunk.as_of < as_of_) return false;
  as_of_ = chunk.as_of;
  if (chunk.index == 0 && is_planted(PlantedFault::skip_chunk)) return true;
  for (const Anchor& first : chunk.removals) {
    if (!relation.remove(*holder_, first)) return false;
  }
  for (const SnapshotMark& mark : chunk.marks) {
    // One that is gone went after it was marked, and its removal came before.
    relation.set_retiring(*holder_, mark.first, mark.retiring);
  }
  for (const SnapshotEntry& entry : chunk.entries) {
    if (!take_entry(relation, entry, out)) return false;
  }
  return true;
}

bool Staging::take_entry(Relation& relation, const SnapshotEntry& entry, Outbox& out) {
  // Entries come in the order of their seq, also where an earlier one is gone again.
  if (entry.seq <= last_entry_ || entry.seq > as_of_) return false;
  last_entry_ = entry.seq;
  if (!has_room(relation, *holder_, entry.body.tokens.size(), out)) return false;
  const auto added =
      relation.store(*holder_, Insertion{entry.seq, Anchor{entry.parent, entry.begin},
                                         entry.body.name, entry.body.tokens, entry.body.slots});
  if (!added || *added != entry.body.tokens.size()) return false;
  if (entry.retired_from == Entry::kNotRetired) return true;
  const Anchor first{entry.seq, entry.retired_from + relation.page_size()};
  return relation.set_retiring(*holder_, first, true).has_value();
}

}  // namespace radixmesh
