#include "lib/oplog/own_stream.h"

#include <xxhash.h>

#include <algorithm>

#include "lib/base/limits.h"
#include "lib/oplog/codec.h"

namespace radixmesh {

void OwnStream::publish(Body op, MessageType type, std::uint64_t tokens) {
  ++head_.value;
  const Member& self = roster_.self();
  const Message message{
      Envelope{static_cast<std::uint8_t>(type), self.id, self.epoch, head_, roster_.ttl()},
      std::move(op)};
  Bytes frame = encode(message);
  out_.count("op_bytes_published", frame.size());
  out_.count("op_tokens_inserted", type == MessageType::insert ? tokens : 0);
  donor_.append(self.id, self.epoch, head_, frame);
  out_.owe(Publish{Lane::ops, std::move(frame)});
  out_.owe(OpApplied{self.addr, self.epoch, head_, type, tokens});
  ++published_;
  pace_.changed();
}

Journal::Inserted OwnStream::record_insert(Anchor anchor, const CacheNamespace& name,
                                           std::span<const TokenId> tokens, const SlotRuns& slots) {
  const std::uint32_t share = insert_share(tokens, slots, page_size_);
  InsertOp op;
  op.anchor = anchor;
  if (anchor.is_root()) op.name = name;
  op.tokens.assign(tokens.begin(), tokens.begin() + share);
  op.slots = slots.part(0, share);
  publish(std::move(op), MessageType::insert, share);
  return {head_, share};
}

void OwnStream::record_delete(std::span<const Anchor> first_pages) {
  DeleteOp op{{first_pages.begin(), first_pages.end()}};
  donor_.removed(roster_.self().id, first_pages);
  publish(std::move(op), MessageType::remove, 0);
}

void OwnStream::record_reset() {
  donor_.replaced(roster_.self().id);
  publish(ResetOp{}, MessageType::reset, 0);
}

// ---- lives -------------------------------------------------------------------------------------

void OwnStream::begin_empty() {
  if (taken_over_) return;
  taken_over_ = TakenOver{};
  pace_.changed();
}

void OwnStream::take_over(const TakenOver& former) {
  taken_over_ = former;
  head_ = former.seq;
  donor_.replaced(roster_.self().id);
}

// Not just one higher: an earlier life may have outgrown the same epoch, and some know that one.
std::optional<Epoch> OwnStream::outgrow(TimePoint now, Epoch seen, bool not_mine) {
  const Member& self = roster_.self();
  const bool is_above_all = seen > self.epoch && epoch_is_last(seen);
  if (is_above_all || self.epoch.value + 2 * limits::epoch_step_max > limits::epoch_max) {
    out_.count("unknown_epochs");
    return std::nullopt;
  }
  // Each is a snapshot for everybody: whoever goes on saying so does not drive it.
  if (now < next_outgrowing_) {
    out_.count("epochs_not_outgrown");
    return std::nullopt;
  }
  next_outgrowing_ = now + pause_;
  const std::uint64_t step = 1 + XXH3_64bits(&seed_, sizeof seed_) % limits::epoch_step_max;
  const Epoch next{std::max(seen, self.epoch).value + step};
  // Of an epoch that two lives had nobody has just this one's: all take a snapshot.
  const Seq kept = not_mine ? Seq{limits::count_max} : head_;
  if (taken_over_ || head_.value > 0) taken_over_ = TakenOver{self.epoch, kept};
  out_.count("epochs_outgrown");
  out_.log(LogLine::Level::warning, "epoch_outgrown",
           "seen=" + std::to_string(seen.value) + " epoch=" + std::to_string(next.value));
  donor_.forget_ops(self.id);
  donor_.replaced(self.id);
  pace_.changed();
  return next;
}

}  // namespace radixmesh
