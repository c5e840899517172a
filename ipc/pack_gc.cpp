// What is shown of collecting duplicates.
#include "ipc/pack_fields.h"

namespace radixmesh::ipc {

void pack_gc_counts(Packer& packer, const GcCountsView& counts) {
  packer.pack_map(9);
  pair(packer, "mode", counts.mode);
  pair(packer, "engine_frees", counts.engine_frees);
  pair(packer, "retiring_tokens", counts.retiring_tokens);
  pair(packer, "held_pages", counts.held_pages);
  key(packer, "references");
  packer.pack_map(static_cast<std::uint32_t>(counts.references.size()));
  for (const auto& [addr, count] : counts.references) pair(packer, addr, std::uint64_t{count});
  key(packer, "readers");
  packer.pack_map(static_cast<std::uint32_t>(counts.readers.size()));
  for (const auto& [addr, reader] : counts.readers) {
    key(packer, addr);
    packer.pack_map(3);
    pack_seconds(packer, "registered_seconds", reader.since);
    pack_seconds(packer, "silent_seconds", reader.silent);
    pair(packer, "pages", std::uint64_t{reader.pages});
  }
  pair(packer, "unacknowledged", std::uint64_t{counts.unacknowledged});
  pair(packer, "unacknowledged_tokens", counts.unacknowledged_tokens);
  pack_seconds(packer, "unacknowledged_seconds", counts.unacknowledged_for);
}

void pack_gc(Packer& packer, const GcView& gc) {
  packer.pack_map(17);
  pair(packer, "mode", gc.counts.mode);
  pack_seconds(packer, "period_seconds", gc.period);
  pair(packer, "keep_copies", std::uint64_t{gc.keep_copies});
  pair(packer, "hot_copies", std::uint64_t{gc.hot_copies});
  pair(packer, "hot_uses", std::uint64_t{gc.hot_uses});
  pair(packer, "silent_reader", gc.silent_reader);
  key(packer, "not_collecting");
  gc.not_collecting.empty() ? void(packer.pack_nil()) : pack_text(packer, gc.not_collecting);
  pair(packer, "duplicate_tokens", gc.duplicate_tokens);
  pair(packer, "scarce_tokens", gc.scarce_tokens);
  pair(packer, "hot_tokens", gc.hot_tokens);
  pair(packer, "locked_tokens", gc.locked_tokens);
  pair(packer, "above_tokens", gc.above_tokens);
  pair(packer, "duplicates_total", std::uint64_t{gc.duplicates_total});
  key(packer, "duplicates");
  packer.pack_array(static_cast<std::uint32_t>(gc.duplicates.size()));
  for (const DuplicateRow& row : gc.duplicates) {
    packer.pack_map(5);
    key(packer, "namespace");
    pack_namespace(packer, row.name);
    pair(packer, "begin", std::uint64_t{row.begin});
    pair(packer, "tokens", row.tokens);
    key(packer, "head");
    pack_tokens(packer, row.head);
    pack_texts(packer, "kept", row.kept);
  }
  pair(packer, "round_running", gc.round_running);
  pack_texts(packer, "waits_for", gc.waits_for);
  key(packer, "counts");
  pack_gc_counts(packer, gc.counts);
}

}  // namespace radixmesh::ipc
