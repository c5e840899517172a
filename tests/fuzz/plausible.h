// What a member might say, of every type: names, epochs and numbers are those of the mesh as it is,
// so that a fuzzer that changes one of them comes past all that is checked before it.
#pragma once

#include <string>

#include "lib/base/node_id.h"
#include "lib/oplog/codec.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh {

// One of the mesh, as it is now.
struct Speaker {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  Seq head;
  Digest digest = 0;

  NodeId id() const { return node_id("default", addr); }
  VectorEntry at() const { return {id(), epoch, head}; }
};

class Plausible {
 public:
  // `from` speaks to `to`.
  Plausible(const Speaker& from, const Speaker& to) : from_(from), to_(to) {}

  static constexpr std::size_t kTypes = std::size(kBodyTypes);
  Bytes frame(std::size_t type) const {
    Message message;
    message.body = body(kBodyTypes[type % kTypes]);
    message.envelope = {
        static_cast<std::uint8_t>(type_of(message.body)), from_.id(), from_.epoch, {}, 2};
    if (message.envelope.is_op()) message.envelope.seq = Seq{from_.head.value + 1};
    return encode(message);
  }

 private:
  Body body(MessageType type) const {
    switch (type) {
      case MessageType::insert:
        return InsertOp{{}, {}, tokens_of("abzz"), {{Slot{500}, 4}}};
      case MessageType::remove:
        return DeleteOp{{page(from_)}};
      case MessageType::reset:
        return ResetOp{};
      case MessageType::gc_query:
        return GcQueryOp{{page(from_)}};
      case MessageType::gc_abort:
        return GcAbortOp{{page(from_)}};
      case MessageType::replay_request:
        return ReplayRequest{to_.id(), to_.epoch, Seq{1}, Seq{1}};
      case MessageType::replay:
        return ReplayMessage{from_.id(), from_.epoch, ReplayStatus::frames, frame(0)};
      case MessageType::snapshot_request:
        return SnapshotRequest{to_.id(), to_.epoch, {}, 9, true, {}};
      case MessageType::snapshot_chunk:
        return chunk();
      case MessageType::snapshot_credit:
        return SnapshotCredit{to_.id(), 9, 1};
      default:
        return about_members(type);
    }
  }

  Body about_members(MessageType type) const {
    switch (type) {
      case MessageType::head:
        return head();
      case MessageType::marker:
        return MarkerMessage{{from_.at(), to_.at()}};
      case MessageType::hello:
        return HelloMessage{introduction()};
      case MessageType::welcome:
        return WelcomeMessage{introduction()};
      case MessageType::join:
        return JoinMessage{introduction()};
      case MessageType::joined:
        return JoinedMessage{from_.rank, 2, {from_.addr, from_.epoch}};
      case MessageType::refused:
        return RefusedMessage{"page_size differs: 1 here, 4 there"};
      case MessageType::heartbeat:
        return HeartbeatMessage{pulse()};
      case MessageType::heartbeat_ack:
        return HeartbeatAckMessage{pulse()};
      case MessageType::probe_request:
        return ProbeRequest{to_.id()};
      case MessageType::probe_report:
        return ProbeReport{to_.id(), true};
      case MessageType::news:
        return NewsMessage{{news(from_), news(to_)}, true};
      default:
        return about_work(type);
    }
  }

  Body about_work(MessageType type) const {
    switch (type) {
      case MessageType::tick: {
        TickMessage tick{from_.id(), from_.epoch, 1000, 1, 6, {{from_.id(), from_.epoch, 0}}, {}};
        return tick;
      }
      case MessageType::tick_ack:
        return TickAckMessage{to_.id(), 1, 1};
      case MessageType::bookings:
        return BookingsMessage{
            1000, {{to_.id(), {2, 1, 700, 1500}}}, {{to_.id(), {ChunkHash{1}, ChunkHash{2}}}}};
      case MessageType::register_reader:
        return RegisterMessage{1000,     1'000'000, false, to_.epoch,
                               to_.head, true,      {},    {{page(to_), 1}}};
      case MessageType::registered:
        return RegisteredMessage{1,          1'000'000,         from_.head, GcMode::local_ref,
                                 kSomeLease, {{page(from_), 1}}};
      case MessageType::hold:
        return HoldMessage{1000, kSomeLease, {page(to_)}};
      default:
        return HeldMessage{1, {page(from_)}};
    }
  }

  static constexpr Duration kSomeLease = std::chrono::seconds(3);
  // The fourth token of what each node inserts first.
  static Anchor page(const Speaker&) { return {Seq{1}, 4}; }

  HeadMessage head() const {
    HeadMessage head;
    head.beat = 1000;
    head.head = from_.head;
    head.digest = from_.digest;
    head.load = Load{3, 1, 12, 5, 4096, 100, 5};
    head.vector = {to_.at()};
    head.taken_over = TakenOver{};
    head.news = {news(to_)};
    head.ready = false;  // nobody gives it work until it is heard again
    head.rank = from_.rank;
    return head;
  }
  static MemberNews news(const Speaker& of) {
    return {of.addr, of.rank, of.role, of.epoch, 1, MemberState::alive};
  }
  Introduction introduction() const {
    Introduction hello;
    hello.cluster = "default";
    hello.page_size = 1;
    hello.fingerprint = settings_fingerprint("default", 1);
    hello.addr = from_.addr;
    hello.rank = from_.rank;
    hello.role = from_.role;
    hello.publish_addr = hello.bulk_addr = "1";  // the first life, see tests/sim/network.cpp
    hello.seen = {to_.epoch, 0, MemberState::alive};
    hello.lease = hello.earlier_lease = hello.former_lease = kSomeLease;
    hello.former = {Epoch{to_.epoch.value - 1}, Seq{1}, "engine", true};
    hello.beat = 1000;
    hello.head = from_.head;
    hello.bookings = hello.nonce = hello.stamp = hello.round = 1000;
    hello.question = 2;
    return hello;
  }
  Pulse pulse() const {
    Pulse pulse;
    pulse.beat = 1000;
    pulse.seen = {to_.epoch, 0, MemberState::alive};
    pulse.load = Load{2, 0, 500, 96, 8192, 100, 9};
    pulse.digests = {{from_.at(), from_.digest}, {to_.at(), to_.digest}};
    pulse.news = {news(to_)};
    return pulse;
  }
  SnapshotChunk chunk() const {
    SnapshotChunk chunk;
    chunk.origin = from_.id();
    chunk.epoch = from_.epoch;
    chunk.session = 9;
    chunk.status = SnapshotStatus::last;
    chunk.as_of = from_.head;
    chunk.has_slots = true;
    chunk.entries = {
        {Seq{1}, {}, 0, Entry::kNotRetired, {{}, {}, tokens_of("ab"), {{Slot{9}, 2}}}}};
    return chunk;
  }

  const Speaker& from_;
  const Speaker& to_;
};

}  // namespace radixmesh
