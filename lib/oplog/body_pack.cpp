#include <algorithm>

#include "lib/oplog/body_codec.h"
#include "lib/oplog/packing.h"

namespace radixmesh::wire {
namespace {

void pack_digest(Packer& packer, Digest digest) {
  char bytes[16];
  for (int i = 15; i >= 0; --i, digest >>= 8) bytes[i] = static_cast<char>(digest);
  pack_binary(packer, {bytes, sizeof bytes});
}

void pack_pages(Packer& packer, const InsertOp& body) {
  pack_namespace(packer, body.name);
  packer.pack_uint64(body.tokens.size());
  std::string packed;
  pack_tokens(body.tokens, packed);
  pack_binary(packer, packed);
  if (body.slots.empty()) {
    packer.pack_nil();
  } else {
    packed.clear();
    pack_slots(body.slots, packed);
    pack_binary(packer, packed);
  }
}

void pack_anchors(Packer& packer, const std::vector<Anchor>& anchors) {
  packer.pack_array(static_cast<std::uint32_t>(2 * anchors.size()));
  for (const Anchor& anchor : anchors) {
    packer.pack_uint64(anchor.seq.value);
    packer.pack_uint32(anchor.tokens);
  }
}

void pack_vector(Packer& packer, const std::vector<VectorEntry>& vector) {
  packer.pack_array(static_cast<std::uint32_t>(3 * vector.size()));
  for (const VectorEntry& entry : vector) {
    packer.pack_uint64(entry.origin.value);
    packer.pack_uint64(entry.epoch.value);
    packer.pack_uint64(entry.applied.value);
  }
}

void pack_load(Packer& packer, const std::optional<Load>& load) {
  if (!load) {
    packer.pack_nil();
    return;
  }
  packer.pack_array(7);
  packer.pack_uint32(load->running);
  packer.pack_uint32(load->waiting);
  if (load->queued_tokens) {
    packer.pack_uint64(*load->queued_tokens);
  } else {
    packer.pack_nil();
  }
  packer.pack_uint64(load->kv_used);
  packer.pack_uint64(load->kv_total);
  if (load->prefill_rate) {
    packer.pack_uint64(*load->prefill_rate);
  } else {
    packer.pack_nil();
  }
  packer.pack_uint64(load->report);
}

void pack_news(Packer& packer, const std::vector<MemberNews>& news) {
  packer.pack_array(static_cast<std::uint32_t>(news.size()));
  for (const MemberNews& each : news) {
    packer.pack_array(each.removed ? 7 : 6);
    pack_text(packer, each.addr);
    packer.pack_uint32(each.rank.value);
    packer.pack_uint8(static_cast<std::uint8_t>(each.role));
    packer.pack_uint64(each.epoch.value);
    packer.pack_uint32(each.refute);
    packer.pack_uint8(static_cast<std::uint8_t>(each.state));
    if (each.removed) packer.pack_true();
  }
}

void pack_registers(Packer& packer, const std::vector<ReaderRegister>& registers) {
  packer.pack_array(static_cast<std::uint32_t>(3 * registers.size()));
  for (const ReaderRegister& each : registers) {
    packer.pack_uint64(each.page.seq.value);
    packer.pack_uint32(each.page.tokens);
    packer.pack_uint64(each.version);
  }
}

void pack_founder(Packer& packer, const Founder& founder) {
  packer.pack_array(2);
  pack_text(packer, founder.addr);
  packer.pack_uint64(founder.life.value);
}

// Three fields of an array that the caller began.
void pack_standing(Packer& packer, const Standing& standing) {
  packer.pack_uint64(standing.epoch.value);
  packer.pack_uint32(standing.refute);
  packer.pack_uint8(static_cast<std::uint8_t>(standing.state));
}

}  // namespace

void pack_body(Packer& packer, const InsertOp& body) {
  packer.pack_array(6);
  packer.pack_uint64(body.anchor.seq.value);
  packer.pack_uint32(body.anchor.tokens);
  pack_pages(packer, body);
}

void pack_body(Packer& packer, const DeleteOp& body) { pack_anchors(packer, body.first_pages); }

void pack_body(Packer& packer, const ResetOp&) { packer.pack_array(0); }

void pack_body(Packer& packer, const GcQueryOp& body) { pack_anchors(packer, body.first_pages); }
void pack_body(Packer& packer, const GcAbortOp& body) { pack_anchors(packer, body.first_pages); }

void pack_body(Packer& packer, const HeadMessage& body) {
  packer.pack_array(16);
  packer.pack_uint64(body.beat);
  packer.pack_uint64(body.head.value);
  pack_digest(packer, body.digest);
  pack_load(packer, body.load);
  pack_vector(packer, body.vector);
  packer.pack_uint32(body.refute);
  pack_binary(packer, body.engine_token);
  if (body.taken_over) {
    packer.pack_array(2);
    packer.pack_uint64(body.taken_over->epoch.value);
    packer.pack_uint64(body.taken_over->seq.value);
  } else {
    packer.pack_nil();
  }
  pack_news(packer, body.news);
  body.ready ? packer.pack_true() : packer.pack_false();
  packer.pack_uint32(body.rank.value);
  body.keeps_duplicates ? packer.pack_true() : packer.pack_false();
  packer.pack_uint64(body.standing.behind_ops);
  packer.pack_uint64(static_cast<std::uint64_t>(body.standing.behind.count()));
  packer.pack_uint32(body.standing.sees);
  packer.pack_uint32(body.standing.of);
}

void pack_body(Packer& packer, const MarkerMessage& body) {
  packer.pack_array(1);
  pack_vector(packer, body.vector);
}

void pack_body(Packer& packer, const Introduction& body) {
  packer.pack_array(31);
  packer.pack_uint32(body.protocol_min);
  packer.pack_uint32(body.protocol_max);
  packer.pack_uint64(body.fingerprint);
  pack_text(packer, body.cluster);
  packer.pack_uint32(body.page_size);
  pack_text(packer, body.addr);
  packer.pack_uint32(body.rank.value);
  packer.pack_uint8(static_cast<std::uint8_t>(body.role));
  pack_binary(packer, body.engine_token);
  pack_text(packer, body.publish_addr);
  pack_text(packer, body.bulk_addr);
  packer.pack_nil();  // kept for authentication
  packer.pack_uint32(body.refute);
  pack_standing(packer, body.seen);
  packer.pack_array(4);
  packer.pack_uint64(body.former.epoch.value);
  packer.pack_uint64(body.former.seq.value);
  pack_binary(packer, body.former.engine_token);
  body.former.has_slots ? packer.pack_true() : packer.pack_false();
  packer.pack_uint64(static_cast<std::uint64_t>(body.lease.count()));
  packer.pack_uint64(static_cast<std::uint64_t>(body.earlier_lease.count()));
  packer.pack_uint64(static_cast<std::uint64_t>(body.former_lease.count()));
  packer.pack_uint64(body.beat);
  packer.pack_uint64(body.head.value);
  packer.pack_uint64(body.bookings);
  packer.pack_uint64(body.nonce);
  packer.pack_uint64(body.stamp);
  packer.pack_uint64(body.round);
  packer.pack_uint64(body.question);
  if (body.founder) {
    pack_founder(packer, *body.founder);
  } else {
    packer.pack_nil();
  }
  body.ready ? packer.pack_true() : packer.pack_false();
  body.rank_given ? packer.pack_true() : packer.pack_false();
  packer.pack_uint64(body.pull_rate);
}

void pack_body(Packer& packer, const RefusedMessage& body) {
  packer.pack_array(1);
  pack_text(packer, body.reason);
}

void pack_body(Packer& packer, const Pulse& body) {
  packer.pack_array(8);
  packer.pack_uint64(body.beat);
  packer.pack_uint64(body.view_hash);
  pack_standing(packer, body.seen);
  pack_load(packer, body.load);
  packer.pack_array(static_cast<std::uint32_t>(4 * body.digests.size()));
  for (const DigestEntry& each : body.digests) {
    packer.pack_uint64(each.at.origin.value);
    packer.pack_uint64(each.at.epoch.value);
    packer.pack_uint64(each.at.applied.value);
    pack_digest(packer, each.digest);
  }
  pack_news(packer, body.news);
}

void pack_body(Packer& packer, const ReplayRequest& body) {
  packer.pack_array(4);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.epoch.value);
  packer.pack_uint64(body.first.value);
  packer.pack_uint64(body.last.value);
}

void pack_body(Packer& packer, const ReplayMessage& body) {
  packer.pack_array(4);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.epoch.value);
  packer.pack_uint8(static_cast<std::uint8_t>(body.status));
  pack_binary(packer, body.frames);
}

void pack_body(Packer& packer, const SnapshotRequest& body) {
  packer.pack_array(6);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.epoch.value);
  packer.pack_uint64(body.applied.value);
  packer.pack_uint64(body.session);
  body.wants_slots ? packer.pack_true() : packer.pack_false();
  pack_binary(packer, body.engine_token);
}

void pack_body(Packer& packer, const SnapshotChunk& body) {
  packer.pack_array(10);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.epoch.value);
  packer.pack_uint64(body.session);
  packer.pack_uint32(body.index);
  packer.pack_uint8(static_cast<std::uint8_t>(body.status));
  packer.pack_uint64(body.as_of.value);
  body.has_slots ? packer.pack_true() : packer.pack_false();
  pack_anchors(packer, body.removals);
  packer.pack_array(static_cast<std::uint32_t>(body.entries.size()));
  for (const SnapshotEntry& entry : body.entries) {
    const bool retires = entry.retired_from != Entry::kNotRetired;
    packer.pack_array(retires ? 8 : 7);
    packer.pack_uint64(entry.seq.value);
    packer.pack_uint64(entry.parent.value);
    packer.pack_uint32(entry.begin);
    pack_pages(packer, entry.body);
    if (retires) packer.pack_uint32(entry.retired_from);
  }
  packer.pack_array(static_cast<std::uint32_t>(3 * body.marks.size()));
  for (const SnapshotMark& mark : body.marks) {
    packer.pack_uint64(mark.first.seq.value);
    packer.pack_uint32(mark.first.tokens);
    mark.retiring ? packer.pack_true() : packer.pack_false();
  }
}

void pack_body(Packer& packer, const SnapshotCredit& body) {
  packer.pack_array(3);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.session);
  packer.pack_uint32(body.received);
}

void pack_body(Packer& packer, const ProbeRequest& body) {
  packer.pack_array(1);
  packer.pack_uint64(body.target.value);
}

void pack_body(Packer& packer, const ProbeReport& body) {
  packer.pack_array(2);
  packer.pack_uint64(body.target.value);
  body.alive ? packer.pack_true() : packer.pack_false();
}

void pack_body(Packer& packer, const NewsMessage& body) {
  packer.pack_array(2);
  pack_news(packer, body.news);
  body.wants_answer ? packer.pack_true() : packer.pack_false();
}

void pack_body(Packer& packer, const TickMessage& body) {
  packer.pack_array(7);
  packer.pack_uint64(body.initiator.value);
  packer.pack_uint64(body.initiator_epoch.value);
  packer.pack_uint64(body.nonce);
  packer.pack_uint8(body.round);
  packer.pack_uint32(body.hops_left);
  packer.pack_array(static_cast<std::uint32_t>(3 * body.visited.size()));
  for (const Visit& visit : body.visited) {
    packer.pack_uint64(visit.node.value);
    packer.pack_uint64(visit.epoch.value);
    packer.pack_uint32(visit.refute);
  }
  packer.pack_array(static_cast<std::uint32_t>(body.skipped.size()));
  for (NodeId node : body.skipped) packer.pack_uint64(node.value);
}

void pack_body(Packer& packer, const TickAckMessage& body) {
  packer.pack_array(3);
  packer.pack_uint64(body.initiator.value);
  packer.pack_uint64(body.nonce);
  packer.pack_uint8(body.round);
}

void pack_body(Packer& packer, const JoinedMessage& body) {
  packer.pack_array(3);
  packer.pack_uint32(body.rank.value);
  packer.pack_uint32(body.members);
  pack_founder(packer, body.founder);
}

void pack_pulls(Packer& packer, const BookingsMessage& body) {
  const auto pulls = [](const auto& row) {
    return row.second.pull_in_tokens > 0 || row.second.pull_out_tokens > 0;
  };
  const auto count = std::ranges::count_if(body.promises, pulls);
  packer.pack_array(static_cast<std::uint32_t>(3 * count));
  for (std::size_t i = 0; i < body.promises.size(); ++i) {
    if (!pulls(body.promises[i])) continue;
    packer.pack_uint64(i);
    packer.pack_uint64(body.promises[i].second.pull_in_tokens);
    packer.pack_uint64(body.promises[i].second.pull_out_tokens);
  }
}

void pack_body(Packer& packer, const BookingsMessage& body) {
  packer.pack_array(4);
  packer.pack_uint64(body.version);
  packer.pack_array(static_cast<std::uint32_t>(5 * body.promises.size()));
  for (const auto& [node, promise] : body.promises) {
    packer.pack_uint64(node.value);
    packer.pack_uint32(promise.requests);
    packer.pack_uint32(promise.prefills);
    packer.pack_uint64(promise.prefill_tokens);
    packer.pack_uint64(promise.decode_tokens);
  }
  packer.pack_array(static_cast<std::uint32_t>(2 * body.chunks.size()));
  for (const auto& [node, chunks] : body.chunks) {
    packer.pack_uint64(node.value);
    packer.pack_array(static_cast<std::uint32_t>(chunks.size()));
    for (ChunkHash chunk : chunks) packer.pack_uint64(chunk.value);
  }
  pack_pulls(packer, body);
}

void pack_body(Packer& packer, const RegisterMessage& body) {
  packer.pack_array(8);
  packer.pack_uint64(body.nonce);
  packer.pack_uint64(body.stamp);
  body.ends ? packer.pack_true() : packer.pack_false();
  packer.pack_uint64(body.epoch.value);
  packer.pack_uint64(body.applied.value);
  body.complete ? packer.pack_true() : packer.pack_false();
  pack_anchors(packer, body.blocks);
  pack_registers(packer, body.registers);
}

void pack_body(Packer& packer, const RegisteredMessage& body) {
  packer.pack_array(6);
  packer.pack_uint64(body.nonce);
  packer.pack_uint64(body.stamp);
  packer.pack_uint64(body.position.value);
  packer.pack_uint8(static_cast<std::uint8_t>(body.mode));
  packer.pack_uint64(static_cast<std::uint64_t>(body.lease.count()));
  pack_registers(packer, body.registers);
}

void pack_body(Packer& packer, const HoldMessage& body) {
  packer.pack_array(3);
  packer.pack_uint64(body.round);
  packer.pack_uint64(static_cast<std::uint64_t>(body.lease.count()));
  pack_anchors(packer, body.pages);
}

void pack_body(Packer& packer, const HeldMessage& body) {
  packer.pack_array(2);
  packer.pack_uint64(body.round);
  pack_anchors(packer, body.refused);
}

}  // namespace radixmesh::wire
