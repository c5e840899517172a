// Messages of every type drawn from a seed, all of them valid.
#pragma once

#include <random>

#include "lib/base/limits.h"
#include "lib/oplog/codec.h"

namespace radixmesh {

class RandomMessage {
 public:
  explicit RandomMessage(std::uint64_t seed) : random_(seed) {}

  Message operator()() {
    const MessageType type = kBodyTypes[below(std::size(kBodyTypes))];
    Message message;
    message.envelope.type = static_cast<std::uint8_t>(type);
    message.envelope.origin = NodeId{any()};
    message.envelope.epoch = Epoch{any_above_0()};
    if (message.envelope.is_op()) message.envelope.seq = Seq{any_above_0()};
    message.envelope.ttl = static_cast<std::uint8_t>(below(128));
    message.body = body(type);
    return message;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  // Integers of every length, small ones as often as large ones.
  std::uint64_t any() { return random_() >> below(64); }
  // What counts (epochs, seqs, beats): far from the end of its range.
  std::uint64_t any_count() { return any() >> 2; }
  std::uint64_t any_above_0() { return any_count() | 1; }
  std::uint32_t any32() { return static_cast<std::uint32_t>(any()); }
  std::string text(std::size_t bytes_max) {
    std::string out(below(3) == 0 ? bytes_max : below(20), 'x');
    for (char& each : out) each = static_cast<char>(random_());
    return out;
  }

  InsertOp pages() {
    InsertOp insert;
    if (below(2) == 0) {
      for (NamespacePart& part : insert.name.parts) {
        part.kind = static_cast<NamespacePart::Kind>(below(3));
        if (part.kind != NamespacePart::Kind::nil) part.value = text(64);
      }
    }
    const std::uint32_t shift = static_cast<std::uint32_t>(below(32));
    for (std::uint64_t left = below(200) + 1; left > 0; --left) {
      insert.tokens.push_back(TokenId{static_cast<std::uint32_t>(random_()) >> shift});
    }
    if (below(3) == 0) return insert;
    std::uint64_t left = insert.tokens.size();
    while (left > 0) {
      const std::uint64_t count = below(left) + 1;
      insert.slots.append({Slot{any() >> 1}, count});
      left -= count;
    }
    return insert;
  }
  Anchor anchor() { return {Seq{any_above_0()}, any32() | 1}; }
  std::vector<Anchor> anchors(std::size_t least) {
    std::vector<Anchor> out(below(5) + least);
    for (Anchor& each : out) each = anchor();
    return out;
  }
  std::vector<VectorEntry> vector() {
    std::vector<VectorEntry> out(below(5));
    for (VectorEntry& each : out) each = {NodeId{any()}, Epoch{any_count()}, Seq{any_count()}};
    return out;
  }
  Digest digest() { return (Digest{random_()} << 64) | random_(); }
  std::optional<Load> load() {
    if (below(2) == 0) return std::nullopt;
    Load out{any32(), any32(), std::nullopt, any(), any(), std::nullopt, any_count()};
    if (below(2) == 0) out.queued_tokens = any();
    if (below(2) == 0) out.prefill_rate = any_above_0();
    return out;
  }
  Role role() { return static_cast<Role>(below(4)); }
  MemberState state() { return static_cast<MemberState>(below(4)); }
  std::string engine_token() { return text(limits::engine_token_bytes_max); }
  Founder founder() {
    if (below(3) == 0) return {};
    return {text(limits::address_bytes_max - 1) + "x", Epoch{1 + below(limits::count_max)}};
  }
  Standing standing() { return {Epoch{any_count()}, any32() >> 2, state()}; }
  std::vector<MemberNews> news() {
    std::vector<MemberNews> out(below(9) == 0 ? limits::news_per_message_max : below(4));
    for (MemberNews& each : out) {
      each = {text(limits::address_bytes_max - 1) + "x",
              NodeRank{any32() >> 2},
              role(),
              Epoch{any_count()},
              any32() >> 2,
              state(),
              below(4) == 0};
    }
    return out;
  }
  HeadMessage head() {
    HeadMessage out;
    out.beat = any_count();
    out.head = Seq{any_count()};
    out.digest = digest();
    out.load = load();
    out.vector = vector();
    out.refute = any32() >> 2;
    out.engine_token = engine_token();
    if (below(2) == 0) out.taken_over = TakenOver{Epoch{any_count()}, Seq{any_count()}};
    out.news = news();
    out.ready = below(2) == 0;
    out.keeps_duplicates = below(2) == 0;
    out.standing = {any_count(), Duration{static_cast<std::int64_t>(any_count())}, any32(),
                    any32()};
    out.rank = below(2) == 0 ? kAnyRank : NodeRank{any32() >> 2};
    return out;
  }
  BookingsMessage bookings() {
    BookingsMessage out;
    out.version = any_count();
    out.promises.resize(below(9) == 0 ? limits::members_max : below(5));
    for (auto& [node, promise] : out.promises) {
      node = NodeId{any()};
      promise.requests = static_cast<std::uint32_t>(below(limits::bookings_max));
      promise.prefills = static_cast<std::uint32_t>(below(promise.requests + 1));
      promise.prefill_tokens = below(promise.prefills * 1000ull + 1);
      promise.decode_tokens = below(promise.requests * 1000ull + 1);
      promise.pull_in_tokens = below(promise.prefills * 1000ull + 1);
      promise.pull_out_tokens = below(3) * any32();
    }
    out.chunks.resize(below(4));
    for (auto& [node, chunks] : out.chunks) {
      node = NodeId{any()};
      chunks.resize(1 + below(below(9) == 0 ? limits::booked_chunks_per_message_max / 4 : 5));
      for (ChunkHash& chunk : chunks) chunk = ChunkHash{any()};
    }
    return out;
  }
  Introduction introduction() {
    Introduction out;
    out.protocol_min = any32() >> 1;
    out.protocol_max = out.protocol_min + static_cast<std::uint32_t>(below(3));
    out.cluster = text(limits::cluster_bytes_max);
    out.page_size = any32();
    out.fingerprint = any();
    out.addr = "a" + text(limits::address_bytes_max - 1);
    out.rank = NodeRank{any32() >> 2};
    out.role = role();
    out.engine_token = engine_token();
    out.publish_addr = text(limits::address_bytes_max);
    out.bulk_addr = text(limits::address_bytes_max);
    out.refute = any32() >> 2;
    out.seen = standing();
    out.former = {Epoch{any_count()}, Seq{any_count()}, engine_token(), below(2) == 0};
    out.lease = lease();
    out.earlier_lease = lease();
    out.former_lease = lease();
    for (std::uint64_t* each : {&out.beat, &out.head.value, &out.bookings, &out.nonce, &out.stamp,
                                &out.round, &out.question}) {
      *each = any_count();
    }
    if (below(3) > 0) out.founder = founder();
    out.rank_given = below(2) == 0;
    out.pull_rate = any_count();
    out.ready = below(2) == 0;
    return out;
  }
  Pulse pulse() {
    Pulse out;
    out.beat = any_count();
    out.view_hash = any();
    out.seen = standing();
    out.load = load();
    out.digests.resize(below(9) == 0 ? limits::heartbeat_digests_max : below(5));
    for (DigestEntry& each : out.digests) {
      each = {{NodeId{any()}, Epoch{any_count()}, Seq{any_count()}}, digest()};
    }
    out.news = news();
    return out;
  }
  std::uint8_t tick_round() { return static_cast<std::uint8_t>(1 + below(2)); }
  TickMessage tick() {
    TickMessage out;
    out.initiator = NodeId{any()};
    out.initiator_epoch = Epoch{any_count()};
    out.nonce = any_count();
    out.round = tick_round();
    out.hops_left = any32();
    out.visited.resize(below(9) == 0 ? limits::members_max : below(5));
    for (Visit& each : out.visited) each = {NodeId{any()}, Epoch{any_count()}, any32() >> 2};
    out.skipped.resize(below(9) == 0 ? limits::members_max : below(5));
    for (NodeId& each : out.skipped) each = NodeId{any()};
    return out;
  }
  Duration lease() { return Duration{static_cast<std::int64_t>(below(limits::lease_us_max + 1))}; }
  std::vector<ReaderRegister> registers() {
    std::vector<ReaderRegister> out(below(9) == 0 ? limits::gc_pages_max : below(4));
    for (ReaderRegister& each : out) each = {anchor(), any_count()};
    return out;
  }
  SnapshotChunk chunk() {
    SnapshotChunk out;
    out.origin = NodeId{any()};
    out.epoch = Epoch{any_count()};
    out.session = any();
    out.index = any32();
    out.status = static_cast<SnapshotStatus>(below(3));
    out.as_of = Seq{any_count()};
    out.has_slots = below(2) == 0;
    out.removals = anchors(0);
    for (std::uint64_t left = below(4); left > 0; --left) {
      out.marks.push_back({anchor(), below(2) == 0});
    }
    for (std::uint64_t left = below(4); left > 0; --left) {
      const bool at_root = below(2) == 0;
      const Seq parent{at_root ? 0 : (any_count() >> 1) | 1};
      out.entries.push_back({Seq{parent.value + 1 + (any_count() >> 1)}, parent,
                             at_root ? 0 : any32() | 1,
                             below(2) == 0 ? Entry::kNotRetired : any32(), pages()});
    }
    return out;
  }

  Body body(MessageType type) {
    switch (type) {
      case MessageType::insert: {
        InsertOp insert = pages();
        if (below(2) == 0) insert.anchor = anchor();
        return insert;
      }
      case MessageType::remove:
        return DeleteOp{anchors(1)};
      case MessageType::reset:
        return ResetOp{};
      case MessageType::gc_query:
        return GcQueryOp{anchors(1)};
      case MessageType::gc_abort:
        return GcAbortOp{anchors(1)};
      case MessageType::head:
        return head();
      case MessageType::marker:
        return MarkerMessage{vector()};
      case MessageType::hello:
        return HelloMessage{introduction()};
      case MessageType::welcome:
        return WelcomeMessage{introduction()};
      case MessageType::refused:
        return RefusedMessage{text(limits::reason_bytes_max)};
      case MessageType::heartbeat:
        return HeartbeatMessage{pulse()};
      case MessageType::heartbeat_ack:
        return HeartbeatAckMessage{pulse()};
      case MessageType::replay_request: {
        const std::uint64_t first = (any_count() >> 1) | 1;
        return ReplayRequest{NodeId{any()}, Epoch{any_count()}, Seq{first}, Seq{first + below(9)}};
      }
      case MessageType::replay:
        return ReplayMessage{NodeId{any()}, Epoch{any_count()}, static_cast<ReplayStatus>(below(3)),
                             text(20'000)};
      case MessageType::snapshot_request:
        return SnapshotRequest{NodeId{any()}, Epoch{any_count()}, Seq{any_count()},
                               any(),         below(2) == 0,      engine_token()};
      case MessageType::snapshot_chunk:
        return chunk();
      case MessageType::snapshot_credit:
        return SnapshotCredit{NodeId{any()}, any(), any32()};
      case MessageType::probe_request:
        return ProbeRequest{NodeId{any()}};
      case MessageType::probe_report:
        return ProbeReport{NodeId{any()}, below(2) == 0};
      case MessageType::news:
        return NewsMessage{news(), below(2) == 0};
      case MessageType::tick:
        return tick();
      case MessageType::tick_ack:
        return TickAckMessage{NodeId{any()}, any_count(), tick_round()};
      case MessageType::join:
        return JoinMessage{introduction()};
      case MessageType::joined:
        return JoinedMessage{NodeRank{any32() >> 2}, any32(), founder()};
      case MessageType::bookings:
        return bookings();
      default:
        return about_collecting(type);
    }
  }
  Body about_collecting(MessageType type) {
    switch (type) {
      case MessageType::register_reader:
        return RegisterMessage{any_count(),      any_count(),   below(2) == 0, Epoch{any_count()},
                               Seq{any_count()}, below(2) == 0, anchors(0),    registers()};
      case MessageType::registered:
        return RegisteredMessage{any_count(),      any_count(),
                                 Seq{any_count()}, static_cast<GcMode>(below(3)),
                                 lease(),          registers()};
      case MessageType::hold:
        return HoldMessage{any_count(), lease(), anchors(0)};
      case MessageType::held:
        return HeldMessage{any_count(), anchors(0)};
      default:
        return ResetOp{};
    }
  }

  std::mt19937_64 random_;
};

inline Message random_message(std::uint64_t seed) { return RandomMessage(seed)(); }

}  // namespace radixmesh
