#include "lib/oplog/body_codec.h"
#include "lib/oplog/packing.h"

namespace radixmesh::wire {
namespace {

void pack_binary(Packer& packer, std::string_view bytes) {
  packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
  packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void pack_digest(Packer& packer, Digest digest) {
  char bytes[16];
  for (int i = 15; i >= 0; --i, digest >>= 8) bytes[i] = static_cast<char>(digest);
  pack_binary(packer, {bytes, sizeof bytes});
}

// The default namespace is nil: a byte instead of five.
void pack_namespace(Packer& packer, const CacheNamespace& name) {
  if (name.is_default()) {
    packer.pack_nil();
    return;
  }
  packer.pack_array(4);
  for (const NamespacePart& part : name.parts) {
    switch (part.kind) {
      case NamespacePart::Kind::nil:
        packer.pack_nil();
        break;
      case NamespacePart::Kind::text:
        pack_text(packer, part.value);
        break;
      case NamespacePart::Kind::bytes:
        pack_binary(packer, part.value);
        break;
    }
  }
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

}  // namespace

void pack_body(Packer& packer, const InsertOp& body) {
  packer.pack_array(6);
  packer.pack_uint64(body.anchor.seq.value);
  packer.pack_uint32(body.anchor.tokens);
  pack_pages(packer, body);
}

void pack_body(Packer& packer, const DeleteOp& body) { pack_anchors(packer, body.first_pages); }

void pack_body(Packer& packer, const ResetOp&) { packer.pack_array(0); }

void pack_body(Packer& packer, const HeadMessage& body) {
  packer.pack_array(5);
  packer.pack_uint64(body.beat);
  packer.pack_uint64(body.head.value);
  pack_digest(packer, body.digest);
  if (body.load) {
    packer.pack_array(5);
    packer.pack_uint32(body.load->running);
    packer.pack_uint32(body.load->waiting);
    if (body.load->queued_tokens) {
      packer.pack_uint64(*body.load->queued_tokens);
    } else {
      packer.pack_nil();
    }
    packer.pack_uint64(body.load->kv_used);
    packer.pack_uint64(body.load->kv_total);
  } else {
    packer.pack_nil();
  }
  pack_vector(packer, body.vector);
}

void pack_body(Packer& packer, const MarkerMessage& body) {
  packer.pack_array(1);
  pack_vector(packer, body.vector);
}

void pack_body(Packer& packer, const Introduction& body) {
  packer.pack_array(13);
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
  packer.pack_uint64(body.seen_epoch.value);
}

void pack_body(Packer& packer, const RefusedMessage& body) {
  packer.pack_array(1);
  pack_text(packer, body.reason);
}

void pack_body(Packer& packer, const HeartbeatMessage& body) {
  packer.pack_array(1);
  packer.pack_uint64(body.beat);
}

void pack_body(Packer& packer, const HeartbeatAckMessage& body) {
  packer.pack_array(1);
  packer.pack_uint64(body.beat);
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
  packer.pack_array(5);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.epoch.value);
  packer.pack_uint64(body.applied.value);
  packer.pack_uint64(body.session);
  body.wants_slots ? packer.pack_true() : packer.pack_false();
}

void pack_body(Packer& packer, const SnapshotChunk& body) {
  packer.pack_array(9);
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
    packer.pack_array(7);
    packer.pack_uint64(entry.seq.value);
    packer.pack_uint64(entry.parent.value);
    packer.pack_uint32(entry.begin);
    pack_pages(packer, entry.body);
  }
}

void pack_body(Packer& packer, const SnapshotCredit& body) {
  packer.pack_array(3);
  packer.pack_uint64(body.origin.value);
  packer.pack_uint64(body.session);
  packer.pack_uint32(body.received);
}

}  // namespace radixmesh::wire
