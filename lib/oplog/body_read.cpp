#include "lib/base/limits.h"
#include "lib/oplog/body_codec.h"
#include "lib/oplog/body_fields.h"
#include "lib/oplog/packing.h"

namespace radixmesh::wire {
namespace {

bool read_pages(ArrayReader& fields, InsertOp& body) {
  std::uint32_t count = 0;
  std::string_view tokens, slots;
  if (!read_namespace(fields.next(), body.name) || !fields.u32(count) || count == 0 ||
      count > limits::insert_tokens_max || !fields.binary(tokens) ||
      tokens.size() > limits::insert_payload_bytes_max) {
    return false;
  }
  auto unpacked = unpack_tokens(tokens, count);
  if (!unpacked) return false;
  body.tokens = std::move(*unpacked);
  body.slots = {};
  if (fields.nil()) return true;
  if (!fields.binary(slots) || tokens.size() + slots.size() > limits::insert_payload_bytes_max) {
    return false;
  }
  auto runs = unpack_slots(slots, count);
  if (runs) body.slots = std::move(*runs);
  return runs.has_value();
}

bool read(ArrayReader& fields, InsertOp& body) {
  if (!fields.count(body.anchor.seq.value) || !fields.u32(body.anchor.tokens)) return false;
  if ((body.anchor.seq.value == 0) != (body.anchor.tokens == 0)) return false;
  return read_pages(fields, body);
}

bool read_stand(ArrayReader& fields, HeadMessage::Stand& stand) {
  std::uint64_t behind_us = 0;
  if (!fields.count(stand.behind_ops) || !fields.count(behind_us)) return false;
  stand.behind = Duration{static_cast<std::int64_t>(behind_us)};
  return fields.u32(stand.sees) && fields.u32(stand.of);
}

bool read(ArrayReader& fields, HeadMessage& body) {
  if (!fields.count(body.beat) || !fields.count(body.head.value) || !fields.digest(body.digest) ||
      !read_load(fields, body.load) || !read_vector(fields.next(), body.vector) ||
      !read_refute(fields, body.refute) || !read_engine_token(fields, body.engine_token)) {
    return false;
  }
  body.taken_over.reset();
  if (!fields.nil()) {
    const Object* object = fields.next();
    if (object == nullptr) return false;
    ArrayReader items(*object);
    TakenOver taken;
    if (!items.count(taken.epoch.value) || !items.count(taken.seq.value)) return false;
    body.taken_over = taken;
  }
  body.ready = true;
  body.rank = kAnyRank;
  body.keeps_duplicates = false;
  body.standing = {};
  return read_news(fields.next(), body.news) &&
         (fields.left() == 0 || fields.boolean(body.ready)) &&
         (fields.left() == 0 || read_rank(fields, body.rank)) &&
         (fields.left() == 0 || fields.boolean(body.keeps_duplicates)) &&
         (fields.left() == 0 || read_stand(fields, body.standing));
}

bool read_chunks(const Object* object, std::vector<BookedChunks>& out) {
  out.clear();
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  std::size_t count = 0;
  while (items.left() > 0) {
    NodeId node;
    if (!items.u64(node.value)) return false;
    const Object* chunks = items.next();
    if (chunks == nullptr || chunks->type != msgpack::type::ARRAY) return false;
    ArrayReader hashes(*chunks);
    count += hashes.left();
    if (hashes.left() == 0 || count > limits::booked_chunks_per_message_max) return false;
    std::vector<ChunkHash>& of_node = out.emplace_back(node, std::vector<ChunkHash>{}).second;
    while (hashes.left() > 0) {
      if (!hashes.u64(of_node.emplace_back().value)) return false;
    }
  }
  return true;
}

// Of some of them, by their place, in order.
bool read_pulls(const Object* object, std::vector<std::pair<NodeId, Promise>>& promises) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  if (items.left() % 3 != 0) return false;
  std::uint32_t least = 0, at = 0;
  while (items.left() > 0) {
    if (!items.u32(at) || at < least || at >= promises.size()) return false;
    Promise& promise = promises[at].second;
    if (!items.u64(promise.pull_in_tokens) || !items.u64(promise.pull_out_tokens) ||
        !promise.within_bounds()) {
      return false;
    }
    least = at + 1;
  }
  return true;
}

bool read(ArrayReader& fields, BookingsMessage& body) {
  if (!fields.count(body.version)) return false;
  const Object* promises = fields.next();
  if (promises == nullptr || promises->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*promises);
  if (items.left() % 5 != 0 || items.left() / 5 > limits::members_max) return false;
  body.promises.clear();
  while (items.left() > 0) {
    NodeId node;
    Promise promise;
    if (!items.u64(node.value) || !items.u32(promise.requests) || !items.u32(promise.prefills) ||
        !items.u64(promise.prefill_tokens) || !items.u64(promise.decode_tokens) ||
        !promise.within_bounds()) {
      return false;
    }
    body.promises.emplace_back(node, promise);
  }
  body.chunks.clear();
  return (fields.left() == 0 || read_chunks(fields.next(), body.chunks)) &&
         (fields.left() == 0 || read_pulls(fields.next(), body.promises));
}

bool read(ArrayReader& fields, MarkerMessage& body) {
  return read_vector(fields.next(), body.vector);
}

bool read_former(const Object* object, Former& former) {
  if (object == nullptr) return false;
  ArrayReader fields(*object);
  return fields.count(former.epoch.value) && fields.count(former.seq.value) &&
         read_engine_token(fields, former.engine_token) && fields.boolean(former.has_slots);
}

bool read_own_numbers(ArrayReader& fields, Introduction& body) {
  return fields.count(body.beat) && fields.count(body.head.value) && fields.count(body.bookings) &&
         fields.count(body.nonce) && fields.count(body.stamp) && fields.count(body.round) &&
         fields.count(body.question);
}

bool read(ArrayReader& fields, Introduction& body) {
  return fields.u32(body.protocol_min) && fields.u32(body.protocol_max) &&
         body.protocol_min <= body.protocol_max && fields.u64(body.fingerprint) &&
         fields.text(body.cluster, limits::cluster_bytes_max) && fields.u32(body.page_size) &&
         fields.text(body.addr, limits::address_bytes_max) && !body.addr.empty() &&
         read_rank(fields, body.rank) && read_role(fields, body.role) &&
         read_engine_token(fields, body.engine_token) &&
         fields.text(body.publish_addr, limits::address_bytes_max) &&
         fields.text(body.bulk_addr, limits::address_bytes_max) && fields.next() != nullptr &&
         read_refute(fields, body.refute) && read_standing(fields, body.seen) &&
         read_former(fields.next(), body.former) && read_lease(fields, body.lease) &&
         read_lease(fields, body.earlier_lease) && read_lease(fields, body.former_lease) &&
         read_own_numbers(fields, body) &&
         (fields.left() == 0 || fields.nil() ||
          read_founder(fields.next(), body.founder.emplace())) &&
         (fields.left() == 0 || fields.boolean(body.ready)) &&
         (fields.left() == 0 || fields.boolean(body.rank_given)) &&
         (fields.left() == 0 || fields.count(body.pull_rate));
}

bool read(ArrayReader& fields, RefusedMessage& body) {
  return fields.text(body.reason, limits::reason_bytes_max);
}

bool read(ArrayReader& fields, Pulse& body) {
  if (!fields.count(body.beat) || !fields.u64(body.view_hash) ||
      !read_standing(fields, body.seen) || !read_load(fields, body.load)) {
    return false;
  }
  const Object* digests = fields.next();
  if (digests == nullptr || digests->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*digests);
  if (items.left() % 4 != 0 || items.left() / 4 > limits::heartbeat_digests_max) return false;
  body.digests.clear();
  while (items.left() > 0) {
    DigestEntry entry;
    if (!items.u64(entry.at.origin.value) || !items.count(entry.at.epoch.value) ||
        !items.count(entry.at.applied.value) || !items.digest(entry.digest)) {
      return false;
    }
    body.digests.push_back(entry);
  }
  return read_news(fields.next(), body.news);
}

bool read(ArrayReader& fields, ReplayRequest& body) {
  return fields.u64(body.origin.value) && fields.count(body.epoch.value) &&
         fields.count(body.first.value) && fields.count(body.last.value) && body.first.value > 0 &&
         body.first <= body.last;
}

bool read(ArrayReader& fields, ReplayMessage& body) {
  std::uint32_t status = 0;
  std::string_view frames;
  if (!fields.u64(body.origin.value) || !fields.count(body.epoch.value) || !fields.u32(status) ||
      status > static_cast<std::uint32_t>(ReplayStatus::unknown) || !fields.binary(frames)) {
    return false;
  }
  body.status = static_cast<ReplayStatus>(status);
  body.frames = frames;
  return true;
}

bool read(ArrayReader& fields, SnapshotRequest& body) {
  return fields.u64(body.origin.value) && fields.count(body.epoch.value) &&
         fields.count(body.applied.value) && fields.u64(body.session) &&
         fields.boolean(body.wants_slots) && read_engine_token(fields, body.engine_token);
}

bool read_marks(const Object* object, std::vector<SnapshotMark>& marks) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  if (items.left() % 3 != 0 || items.left() / 3 > limits::delete_entries_max) return false;
  while (items.left() > 0) {
    SnapshotMark mark;
    if (!read_anchor(items, mark.first) || !items.boolean(mark.retiring)) return false;
    marks.push_back(mark);
  }
  return true;
}

bool read(ArrayReader& fields, SnapshotChunk& body) {
  std::uint32_t status = 0;
  if (!fields.u64(body.origin.value) || !fields.count(body.epoch.value) ||
      !fields.u64(body.session) || !fields.u32(body.index) || !fields.u32(status) ||
      status > static_cast<std::uint32_t>(SnapshotStatus::cannot) ||
      !fields.count(body.as_of.value) || !fields.boolean(body.has_slots) ||
      !read_anchors(fields.next(), body.removals)) {
    return false;
  }
  body.status = static_cast<SnapshotStatus>(status);
  const Object* entries = fields.next();
  if (entries == nullptr || entries->type != msgpack::type::ARRAY) return false;
  for (ArrayReader items(*entries); items.left() > 0;) {
    ArrayReader each(*items.next());
    SnapshotEntry entry;
    if (!each.count(entry.seq.value) || !each.count(entry.parent.value) || !each.u32(entry.begin) ||
        entry.seq.value == 0 || (entry.parent.value == 0) != (entry.begin == 0) ||
        entry.parent >= entry.seq || !read_pages(each, entry.body) ||
        (each.left() > 0 && !each.u32(entry.retired_from))) {
      return false;
    }
    body.entries.push_back(std::move(entry));
  }
  return fields.left() == 0 || read_marks(fields.next(), body.marks);
}

bool read(ArrayReader& fields, SnapshotCredit& body) {
  return fields.u64(body.origin.value) && fields.u64(body.session) && fields.u32(body.received);
}

bool read(ArrayReader& fields, ProbeRequest& body) { return fields.u64(body.target.value); }
bool read(ArrayReader& fields, ProbeReport& body) {
  return fields.u64(body.target.value) && fields.boolean(body.alive);
}
bool read(ArrayReader& fields, NewsMessage& body) {
  return read_news(fields.next(), body.news) && fields.boolean(body.wants_answer);
}

bool read_round(ArrayReader& fields, std::uint8_t& round) {
  std::uint32_t number = 0;
  if (!fields.u32(number) || number < 1 || number > 2) return false;
  round = static_cast<std::uint8_t>(number);
  return true;
}

bool read(ArrayReader& fields, TickMessage& body) {
  if (!fields.u64(body.initiator.value) || !fields.count(body.initiator_epoch.value) ||
      !fields.count(body.nonce) || !read_round(fields, body.round) || !fields.u32(body.hops_left)) {
    return false;
  }
  const Object* visited = fields.next();
  const Object* skipped = fields.next();
  if (visited == nullptr || visited->type != msgpack::type::ARRAY || skipped == nullptr ||
      skipped->type != msgpack::type::ARRAY) {
    return false;
  }
  ArrayReader visits(*visited), skips(*skipped);
  if (visits.left() % 3 != 0 || visits.left() / 3 > limits::members_max ||
      skips.left() > limits::members_max) {
    return false;
  }
  while (visits.left() > 0) {
    Visit visit;
    if (!visits.u64(visit.node.value) || !visits.count(visit.epoch.value) ||
        !read_refute(visits, visit.refute)) {
      return false;
    }
    body.visited.push_back(visit);
  }
  for (NodeId node; skips.left() > 0; body.skipped.push_back(node)) {
    if (!skips.u64(node.value)) return false;
  }
  return true;
}

bool read(ArrayReader& fields, TickAckMessage& body) {
  return fields.u64(body.initiator.value) && fields.count(body.nonce) &&
         read_round(fields, body.round);
}
bool read_registers(const Object* object, std::vector<ReaderRegister>& registers) {
  if (object == nullptr || object->type != msgpack::type::ARRAY) return false;
  ArrayReader items(*object);
  if (items.left() % 3 != 0 || items.left() / 3 > limits::delete_entries_max) return false;
  while (items.left() > 0) {
    ReaderRegister each;
    if (!read_anchor(items, each.page) || !items.count(each.version)) return false;
    registers.push_back(each);
  }
  return true;
}

bool read(ArrayReader& fields, RegisterMessage& body) {
  return fields.count(body.nonce) && fields.count(body.stamp) && fields.boolean(body.ends) &&
         fields.count(body.epoch.value) && fields.count(body.applied.value) &&
         fields.boolean(body.complete) && read_anchors(fields.next(), body.blocks) &&
         read_registers(fields.next(), body.registers);
}

bool read(ArrayReader& fields, RegisteredMessage& body) {
  std::uint32_t mode = 0;
  if (!fields.count(body.nonce) || !fields.count(body.stamp) ||
      !fields.count(body.position.value) || !fields.u32(mode) ||
      mode > static_cast<std::uint32_t>(GcMode::global_ref) || !read_lease(fields, body.lease)) {
    return false;
  }
  body.mode = static_cast<GcMode>(mode);
  return read_registers(fields.next(), body.registers);
}

bool read(ArrayReader& fields, HoldMessage& body) {
  return fields.count(body.round) && read_lease(fields, body.lease) &&
         read_anchors(fields.next(), body.pages);
}
bool read(ArrayReader& fields, HeldMessage& body) {
  return fields.count(body.round) && read_anchors(fields.next(), body.refused);
}

bool read(ArrayReader& fields, JoinedMessage& body) {
  return read_rank(fields, body.rank) && fields.u32(body.members) &&
         read_founder(fields.next(), body.founder);
}

template <class T>
BodyOutcome read_as(ArrayReader& fields, Body& body) {
  return read(fields, body.emplace<T>()) ? BodyOutcome::read : BodyOutcome::bad;
}

// An op whose whole body is the pages that it names, at least one.
template <class T>
BodyOutcome read_pages_as(const Object& object, Body& body) {
  std::vector<Anchor>& pages = body.emplace<T>().first_pages;
  return read_anchors(&object, pages) && !pages.empty() ? BodyOutcome::read : BodyOutcome::bad;
}

}  // namespace

BodyOutcome read_body(std::uint8_t type, const Object& object, Body& body) {
  if (object.type != msgpack::type::ARRAY) return BodyOutcome::bad;
  ArrayReader fields(object);
  switch (static_cast<MessageType>(type)) {
    case MessageType::insert:
      return read_as<InsertOp>(fields, body);
    case MessageType::remove:
      return read_pages_as<DeleteOp>(object, body);
    case MessageType::reset:
      body.emplace<ResetOp>();
      return BodyOutcome::read;
    case MessageType::gc_query:
      return read_pages_as<GcQueryOp>(object, body);
    case MessageType::gc_abort:
      return read_pages_as<GcAbortOp>(object, body);
    case MessageType::head:
      return read_as<HeadMessage>(fields, body);
    case MessageType::marker:
      return read_as<MarkerMessage>(fields, body);
    case MessageType::hello:
      return read_as<HelloMessage>(fields, body);
    case MessageType::welcome:
      return read_as<WelcomeMessage>(fields, body);
    case MessageType::refused:
      return read_as<RefusedMessage>(fields, body);
    case MessageType::heartbeat:
      return read_as<HeartbeatMessage>(fields, body);
    case MessageType::heartbeat_ack:
      return read_as<HeartbeatAckMessage>(fields, body);
    case MessageType::replay_request:
      return read_as<ReplayRequest>(fields, body);
    case MessageType::replay:
      return read_as<ReplayMessage>(fields, body);
    case MessageType::snapshot_request:
      return read_as<SnapshotRequest>(fields, body);
    case MessageType::snapshot_chunk:
      return read_as<SnapshotChunk>(fields, body);
    case MessageType::snapshot_credit:
      return read_as<SnapshotCredit>(fields, body);
    case MessageType::probe_request:
      return read_as<ProbeRequest>(fields, body);
    case MessageType::probe_report:
      return read_as<ProbeReport>(fields, body);
    case MessageType::news:
      return read_as<NewsMessage>(fields, body);
    case MessageType::tick:
      return read_as<TickMessage>(fields, body);
    case MessageType::tick_ack:
      return read_as<TickAckMessage>(fields, body);
    case MessageType::join:
      return read_as<JoinMessage>(fields, body);
    case MessageType::joined:
      return read_as<JoinedMessage>(fields, body);
    case MessageType::bookings:
      return read_as<BookingsMessage>(fields, body);
    case MessageType::register_reader:
      return read_as<RegisterMessage>(fields, body);
    case MessageType::registered:
      return read_as<RegisteredMessage>(fields, body);
    case MessageType::hold:
      return read_as<HoldMessage>(fields, body);
    case MessageType::held:
      return read_as<HeldMessage>(fields, body);
  }
  return BodyOutcome::unknown_type;
}

}  // namespace radixmesh::wire
