#include "ipc/packing.h"

#include "ipc/pack_fields.h"
#include "lib/base/role.h"

namespace radixmesh::ipc {
namespace {

// The part that edges and entries have in common.
template <class Row>
void pack_stretch(Packer& packer, const Row& row) {
  key(packer, "namespace");
  pack_namespace(packer, row.name);
  pair(packer, "begin", std::uint64_t{row.begin});
  pair(packer, "end", std::uint64_t{row.end});
  key(packer, "head");
  pack_tokens(packer, row.head);
  pair(packer, "hash", std::string_view(digest_hex(row.hash)));
}

}  // namespace

void pack_load(Packer& packer, const std::optional<Load>& load) {
  if (!load) {
    packer.pack_nil();
    return;
  }
  packer.pack_map(6);
  pair(packer, "running", std::uint64_t{load->running});
  pair(packer, "waiting", std::uint64_t{load->waiting});
  key(packer, "queued_tokens");
  load->queued_tokens ? packer.pack_uint64(*load->queued_tokens) : packer.pack_nil();
  pair(packer, "kv_used", load->kv_used);
  pair(packer, "kv_total", load->kv_total);
  key(packer, "prefill_rate");
  load->prefill_rate ? packer.pack_uint64(*load->prefill_rate) : packer.pack_nil();
}

void pack_slots(Packer& packer, const SlotRuns& slots) {
  packer.pack_array(static_cast<std::uint32_t>(slots.runs().size()));
  for (const SlotRun& run : slots.runs()) {
    packer.pack_array(2);
    packer.pack_uint64(run.start.value);
    packer.pack_uint64(run.count);
  }
}

void pack_match(Packer& packer, const MatchView& match) {
  packer.pack_map(5);
  pair(packer, "length", std::uint64_t{match.length});
  pair(packer, "local_length", std::uint64_t{match.local_length});
  key(packer, "local_slots");
  pack_slots(packer, match.local_slots);
  key(packer, "depths");
  packer.pack_map(static_cast<std::uint32_t>(match.depths.size()));
  for (const auto& [addr, tokens] : match.depths) pair(packer, addr, std::uint64_t{tokens});
  key(packer, "segments");
  pack_segments(packer, match.segments);
}

void pack_segments(Packer& packer, const std::vector<SegmentView>& segments) {
  packer.pack_array(static_cast<std::uint32_t>(segments.size()));
  for (const SegmentView& segment : segments) {
    packer.pack_array(4);
    packer.pack_uint32(segment.begin);
    packer.pack_uint32(segment.end);
    pack_text(packer, segment.addr);
    segment.slots ? pack_slots(packer, *segment.slots) : void(packer.pack_nil());
  }
}

namespace {

constexpr std::uint32_t kLagFields = 4;

// kLagFields pairs of a map that the caller began.
void pack_lag(Packer& packer, const LagView& lag) {
  pair(packer, "lag_ops", lag.ops);
  pack_seconds(packer, "lag_seconds", lag.since);
  key(packer, "last_repair");
  if (lag.last_repair.empty()) {
    packer.pack_nil();
  } else {
    packer.pack_map(2);
    pair(packer, "how", lag.last_repair);
    pack_seconds(packer, "seconds_ago", lag.repaired_ago);
  }
  pair(packer, "digest_mismatches", lag.digest_mismatches);
}

void pack_ring(Packer& packer, const RingView& ring) {
  packer.pack_map(3);
  pair(packer, "verified", ring.verified);
  pack_texts(packer, "open_at", ring.open_at);
  key(packer, "round_trip_seconds");
  ring.round_trip ? packer.pack_double(seconds(*ring.round_trip)) : packer.pack_nil();
}

}  // namespace

void pack_status(Packer& packer, const StatusView& status, Numbers more) {
  packer.pack_map(static_cast<std::uint32_t>(29 + more.size()));
  pair(packer, "addr", std::string_view(status.addr));
  pair(packer, "rank", std::uint64_t{status.rank.value});
  pair(packer, "role", role_name(status.role));
  pair(packer, "epoch", status.epoch.value);
  pair(packer, "cluster", std::string_view(status.cluster));
  key(packer, "founder");
  status.founder ? pack_text(packer, status.founder->addr) : void(packer.pack_nil());
  pair(packer, "ready", status.ready);
  pair(packer, "caught_up", status.caught_up);
  key(packer, "sees");
  packer.pack_array(2);
  packer.pack_uint32(status.sees);
  packer.pack_uint32(status.sees_of);
  key(packer, "why_not_ready");
  status.ready ? void(packer.pack_nil()) : pack_text(packer, status.why_not_ready);
  pair(packer, "page_size", std::uint64_t{status.page_size});
  pair(packer, "topology", status.topology);
  pair(packer, "policy", status.policy);
  pair(packer, "local_tokens", status.local_tokens);
  pair(packer, "evictable_tokens", status.evictable_tokens);
  pair(packer, "protected_tokens", status.protected_tokens);
  pair(packer, "tree_tokens", status.tree_tokens);
  key(packer, "version_vector");
  packer.pack_map(static_cast<std::uint32_t>(status.vector.size()));
  for (const auto& [addr, entry] : status.vector) {
    key(packer, addr);
    packer.pack_array(2);
    packer.pack_uint64(entry.epoch.value);
    packer.pack_uint64(entry.seq.value);
  }
  key(packer, "digests");
  packer.pack_map(static_cast<std::uint32_t>(status.vector.size()));
  for (const auto& [addr, entry] : status.vector) {
    pair(packer, addr, std::string_view(digest_hex(entry.digest)));
  }
  key(packer, "lag");
  packer.pack_map(static_cast<std::uint32_t>(status.lag.size()));
  for (const auto& [addr, lag] : status.lag) {
    key(packer, addr);
    packer.pack_map(kLagFields);
    pack_lag(packer, lag);
  }
  key(packer, "ring");
  pack_ring(packer, status.ring);
  pair(packer, "health", std::uint64_t{status.health});
  pair(packer, "isolated", status.isolated);
  pair(packer, "draining", status.draining);
  key(packer, "routing");
  pack_routing(packer, status.routing);
  key(packer, "gc");
  pack_gc_counts(packer, status.gc);
  pair(packer, "ops_applied", status.ops_applied);
  pair(packer, "memory_bytes", status.memory_bytes);
  for (const auto& [name, value] : more) pair(packer, name, value);
  key(packer, "counters");
  packer.pack_map(static_cast<std::uint32_t>(status.counters.size()));
  for (const auto& [name, value] : status.counters) pair(packer, name, value);
}

void pack_nodes(Packer& packer, const std::vector<NodeView>& nodes) {
  packer.pack_array(static_cast<std::uint32_t>(nodes.size()));
  for (const NodeView& node : nodes) {
    packer.pack_map(17 + kLagFields + kWorkFields);
    pair(packer, "addr", std::string_view(node.addr));
    pair(packer, "rank", std::uint64_t{node.rank.value});
    pair(packer, "role", role_name(node.role));
    pair(packer, "epoch", node.epoch.value);
    pair(packer, "state", node.unseen ? std::string_view("unseen") : state_name(node.state));
    pair(packer, "applied", node.applied.value);
    pair(packer, "head", node.head.value);
    key(packer, "last_heard_ms");
    node.silent ? packer.pack_uint64(static_cast<std::uint64_t>(node.silent->count() / 1000))
                : packer.pack_nil();
    key(packer, "load");
    pack_load(packer, node.load);
    key(packer, "refusal");
    node.refusal.empty() ? void(packer.pack_nil()) : pack_text(packer, node.refusal);
    pair(packer, "refute", std::uint64_t{node.refute});
    pack_lag(packer, node.lag);
    pack_work(packer, node.work);
    pair(packer, "tokens", node.tokens);
    pair(packer, "ready", node.ready);
    pair(packer, "behind_ops", node.standing.behind_ops);
    key(packer, "behind_seconds");
    packer.pack_double(static_cast<double>(node.standing.behind.count()) / 1e6);
    key(packer, "sees");
    packer.pack_array(2);
    packer.pack_uint32(node.standing.sees);
    packer.pack_uint32(node.standing.of);
    key(packer, "why_not_ready");
    node.trouble.empty() ? void(packer.pack_nil()) : pack_text(packer, node.trouble);
  }
}

void pack_tree(Packer& packer, const TreeView& tree) {
  packer.pack_map(3);
  pair(packer, "total", std::uint64_t{tree.total});
  pair(packer, "tree_tokens", tree.tree_tokens);
  key(packer, "edges");
  packer.pack_array(static_cast<std::uint32_t>(tree.edges.size()));
  for (const EdgeRow& row : tree.edges) {
    packer.pack_map(8);
    pack_stretch(packer, row);
    pack_texts(packer, "holders", row.holders);
    pack_texts(packer, "retiring", row.retiring);
    pair(packer, "lock_ref", std::uint64_t{row.lock_ref});
  }
}

void pack_entries(Packer& packer, const EntriesView& entries) {
  packer.pack_map(3);
  pair(packer, "total", std::uint64_t{entries.total});
  pair(packer, "tree_tokens", entries.tree_tokens);
  key(packer, "entries");
  packer.pack_array(static_cast<std::uint32_t>(entries.entries.size()));
  for (const EntryRow& row : entries.entries) {
    packer.pack_map(6);
    pair(packer, "seq", row.seq.value);
    pack_stretch(packer, row);
  }
}

}  // namespace radixmesh::ipc
