#include "lib/oplog/applier.h"

namespace radixmesh {

std::optional<std::uint64_t> Applier::apply(Origin& origin, const Message& op) {
  if (const auto* added = std::get_if<InsertOp>(&op.body)) {
    return insert(origin, op.envelope.seq, *added);
  }
  if (const auto* removal = std::get_if<DeleteOp>(&op.body)) return remove(origin, *removal);
  if (const auto* query = std::get_if<GcQueryOp>(&op.body)) {
    return mark(origin, query->first_pages, true);
  }
  if (const auto* abort = std::get_if<GcAbortOp>(&op.body)) {
    return mark(origin, abort->first_pages, false);
  }
  const std::uint64_t tokens = picture_.relation().tokens_of(origin.holder);
  hold_nothing(origin);
  donor_.replaced(origin.id);
  return tokens;
}

std::optional<std::uint64_t> Applier::insert(Origin& origin, Seq seq, const InsertOp& op) {
  if (!has_room(picture_.relation(), origin.holder, op.tokens.size(), out_)) return std::nullopt;
  const auto added = picture_.relation().store(
      origin.holder, Insertion{seq, op.anchor, op.name, op.tokens, op.slots});
  if (!added) return std::nullopt;
  // Slots of sent entries may be others.
  if (*added < op.tokens.size()) donor_.replaced(origin.id);
  return *added;
}

std::optional<std::uint64_t> Applier::remove(Origin& origin, const DeleteOp& op) {
  Relation& relation = picture_.relation();
  for (const Anchor& first : op.first_pages) {
    if (!relation.has(origin.holder, first)) return std::nullopt;
  }
  std::uint64_t tokens = 0;
  // All were there; one that is gone when its turn comes lay below one before it.
  for (const Anchor& first : op.first_pages) {
    tokens += relation.remove(origin.holder, first).value_or(0);
  }
  donor_.removed(origin.id, op.first_pages);
  return tokens;
}

// Pages of an origin begin to retire, or no longer do.
std::optional<std::uint64_t> Applier::mark(const Origin& origin, std::span<const Anchor> firsts,
                                           bool retiring) {
  Relation& relation = picture_.relation();
  for (const Anchor& first : firsts) {
    if (!relation.has(origin.holder, first)) return std::nullopt;
  }
  std::uint64_t tokens = 0;
  for (const Anchor& first : firsts)
    tokens += *relation.set_retiring(origin.holder, first, retiring);
  donor_.marked(origin.id, firsts, retiring);
  return tokens;
}

void Applier::hold_nothing(Origin& origin) {
  if (picture_.relation().tokens_of(origin.holder) == 0) return;
  picture_.drop(origin.holder);
  origin.holder = picture_.add(origin.id);
}

}  // namespace radixmesh
