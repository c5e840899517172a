// The hex examples of lib/oplog/WIRE.md: read from the page, and what each of them says.
//
// All are of one story: three nodes of the cluster "default" with pages of 4 tokens. p0 inserts two
// prefixes; d0 missed them. r0 is silent for a while.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/base/node_id.h"
#include "lib/oplog/codec.h"

namespace radixmesh {

struct WireExample {
  std::string name;
  Message message;
};

inline const std::string kAddrP0 = "10.0.0.1:7000", kAddrD0 = "10.0.0.2:7000",
                         kAddrR0 = "10.0.0.3:7000";
inline constexpr Epoch kEpochP0{1'760'000'000'000'000}, kEpochD0{1'760'000'000'500'000},
    kEpochR0{1};

inline std::vector<TokenId> token_list(std::initializer_list<std::uint32_t> ids) {
  std::vector<TokenId> tokens;
  for (std::uint32_t id : ids) tokens.push_back(TokenId{id});
  return tokens;
}

inline NodeId example_node(const std::string& addr) { return node_id("default", addr); }

inline Message example_message(MessageType type, bool of_p0, Seq seq, Body body) {
  return Message{Envelope{static_cast<std::uint8_t>(type), example_node(of_p0 ? kAddrP0 : kAddrD0),
                          of_p0 ? kEpochP0 : kEpochD0, seq, 1},
                 std::move(body)};
}

inline InsertOp example_insert_root() {
  InsertOp insert;
  insert.name.parts[0] = {NamespacePart::Kind::text, "m"};
  insert.name.parts[3] = {NamespacePart::Kind::bytes, std::string("\x01\x02", 2)};
  insert.tokens = token_list({1, 2, 3, 4, 300, 5, 6, 7});
  insert.slots = {{Slot{100}, 6}, {Slot{40}, 2}};
  return insert;
}

inline InsertOp example_insert_after() {
  InsertOp insert;
  insert.anchor = {Seq{1}, 8};
  insert.tokens = token_list({127'999, 0, 8, 9});
  insert.slots = {{Slot{106}, 4}};
  return insert;
}

// Of the entries which the two INSERTs make: the sum over three pages.
inline Digest example_digest() {
  const InsertOp first = example_insert_root(), second = example_insert_after();
  PrefixHasher hasher(PrefixHasher::of_namespace(first.name), 4);
  Digest digest = hasher.next(first.tokens.data());
  digest += hasher.next(first.tokens.data() + 4);
  return digest + hasher.next(second.tokens.data());
}

inline MemberNews example_news_of_r0(std::uint32_t refute, MemberState state) {
  return {kAddrR0, NodeRank{2}, Role::router, kEpochR0, refute, state};
}

inline HeadMessage example_head() {
  HeadMessage head;
  head.beat = 7;
  head.head = Seq{2};
  head.digest = example_digest();
  head.load = Load{3, 1, std::nullopt, 12, 4096, std::nullopt, 5};
  head.vector = {{example_node(kAddrD0), kEpochD0, Seq{5}}, {example_node(kAddrR0), kEpochR0, {}}};
  head.refute = 1;
  head.engine_token = "\xAA\xBB";
  head.taken_over = TakenOver{};
  head.news = {example_news_of_r0(0, MemberState::suspect)};
  head.rank = NodeRank{0};
  head.standing = {3, std::chrono::milliseconds(250), 1, 2};
  return head;
}

inline Introduction example_introduction(bool of_p0) {
  Introduction hello;
  hello.cluster = "default";
  hello.page_size = 4;
  hello.fingerprint = settings_fingerprint("default", 4);
  hello.addr = of_p0 ? kAddrP0 : kAddrD0;
  hello.rank = NodeRank{of_p0 ? 0u : 1u};
  hello.role = of_p0 ? Role::prefill : Role::decode;
  hello.publish_addr = of_p0 ? "10.0.0.1:7001" : "10.0.0.2:7001";
  hello.bulk_addr = of_p0 ? "10.0.0.1:7002" : "10.0.0.2:7002";
  hello.lease = std::chrono::seconds(10);
  hello.beat = of_p0 ? 7 : 300;
  hello.head = Seq{of_p0 ? 2u : 5u};
  hello.bookings = of_p0 ? 0 : 3;
  hello.question = 2;
  hello.founder = Founder{};
  hello.ready = of_p0;
  if (!of_p0) return hello;
  hello.nonce = 1;
  hello.stamp = 70'000'000;
  hello.engine_token = "\xAA\xBB";
  hello.refute = 1;
  hello.seen = {kEpochD0, 0, MemberState::alive};
  hello.former = {Epoch{1'759'000'000'000'000}, Seq{12}, "\xCC\xDD", true};
  hello.former_lease = std::chrono::milliseconds(9'500);
  hello.pull_rate = 50'000;
  return hello;
}

// d0, which holds nothing, has p0's entries and asks p0; p0 answers.
inline Pulse example_pulse(bool of_p0) {
  Pulse pulse;
  pulse.beat = 300;
  pulse.view_hash = 0x2B085E1C6486CD47;  // of p0, d0 and r0
  const DigestEntry p0{{example_node(kAddrP0), kEpochP0, Seq{2}}, example_digest()};
  if (of_p0) {
    pulse.seen = {kEpochD0, 0, MemberState::alive};
    pulse.digests = {p0};
    pulse.news = {example_news_of_r0(0, MemberState::suspect)};
  } else {
    pulse.seen = {kEpochP0, 1, MemberState::alive};
    pulse.load = Load{2, 0, 500, 96, 8192, std::nullopt, 9};
    pulse.digests = {{{example_node(kAddrD0), kEpochD0, Seq{5}}, 0}, p0};
  }
  return pulse;
}

inline SnapshotChunk example_chunk() {
  SnapshotChunk chunk;
  chunk.origin = example_node(kAddrP0);
  chunk.epoch = kEpochP0;
  chunk.session = 9;
  chunk.index = 1;
  chunk.status = SnapshotStatus::last;
  chunk.as_of = Seq{4};
  chunk.has_slots = true;
  chunk.removals = {{Seq{1}, 8}};
  chunk.marks = {{{Seq{1}, 4}, true}};
  SnapshotEntry entry{Seq{4}, Seq{1}, 4, 4, {}};
  entry.body.tokens = token_list({5, 5, 5, 5});
  entry.body.slots = {{Slot{110}, 4}};
  chunk.entries.push_back(std::move(entry));
  return chunk;
}

inline TickMessage example_tick() {
  TickMessage tick;
  tick.initiator = example_node(kAddrP0);
  tick.initiator_epoch = kEpochP0;
  tick.nonce = 4;
  tick.round = 1;
  tick.hops_left = 6;
  tick.visited = {{example_node(kAddrP0), kEpochP0, 1}};
  tick.skipped = {example_node(kAddrR0)};
  return tick;
}

// d0 refers to two of p0's pages, one of which retires. Both kinds of what a reader may say.
inline RegisterMessage example_register() {
  RegisterMessage reader;
  reader.nonce = 3;
  reader.stamp = 1'000'000;
  reader.epoch = kEpochP0;
  reader.applied = Seq{6};
  reader.blocks = {{Seq{1}, 8}};
  reader.registers = {{{Seq{2}, 12}, 5}};
  return reader;
}
inline RegisteredMessage example_registered() {
  return {3, 1'000'000, Seq{6}, GcMode::global_ref, std::chrono::seconds(10), {{{Seq{2}, 12}, 5}}};
}

inline JoinMessage example_join() {
  JoinMessage join{example_introduction(false)};
  join.rank = kAnyRank;
  return join;
}

inline std::vector<WireExample> wire_examples() {
  const NodeId p0 = example_node(kAddrP0), r0 = example_node(kAddrR0);
  const auto of_p0 = [](MessageType type, std::uint64_t seq, Body body) {
    return example_message(type, true, Seq{seq}, std::move(body));
  };
  const auto of_d0 = [](MessageType type, Body body) {
    return example_message(type, false, Seq{}, std::move(body));
  };
  const Message reset = of_p0(MessageType::reset, 5, ResetOp{});
  const std::vector<VectorEntry> vector = {{p0, kEpochP0, Seq{2}},
                                           {example_node(kAddrD0), kEpochD0, Seq{5}}};
  const std::vector<MemberNews> news = {
      {kAddrD0, NodeRank{1}, Role::decode, kEpochD0, 0, MemberState::alive},
      example_news_of_r0(1, MemberState::alive)};
  return {
      {"INSERT at the root", of_p0(MessageType::insert, 1, example_insert_root())},
      {"INSERT after an anchor", of_p0(MessageType::insert, 2, example_insert_after())},
      {"DELETE", of_p0(MessageType::remove, 3, DeleteOp{{{Seq{2}, 12}, {Seq{1}, 8}}})},
      {"RESET", reset},
      {"GC_QUERY", of_p0(MessageType::gc_query, 6, GcQueryOp{{{Seq{1}, 8}}})},
      {"GC_ABORT", of_p0(MessageType::gc_abort, 7, GcAbortOp{{{Seq{1}, 8}}})},
      {"HEAD", of_p0(MessageType::head, 0, example_head())},
      {"MARKER", of_p0(MessageType::marker, 0, MarkerMessage{vector})},
      {"HELLO", of_d0(MessageType::hello, HelloMessage{example_introduction(false)})},
      {"WELCOME", of_p0(MessageType::welcome, 0, WelcomeMessage{example_introduction(true)})},
      {"REFUSED",
       of_p0(MessageType::refused, 0, RefusedMessage{"page_size differs: 4 here, 16 there"})},
      {"HEARTBEAT", of_d0(MessageType::heartbeat, HeartbeatMessage{example_pulse(false)})},
      {"HEARTBEAT_ACK",
       of_p0(MessageType::heartbeat_ack, 0, HeartbeatAckMessage{example_pulse(true)})},
      {"REPLAY_REQUEST",
       of_d0(MessageType::replay_request, ReplayRequest{p0, kEpochP0, Seq{5}, Seq{5}})},
      {"REPLAY", of_p0(MessageType::replay, 0,
                       ReplayMessage{p0, kEpochP0, ReplayStatus::frames, encode(reset)})},
      {"SNAPSHOT_REQUEST",
       of_d0(MessageType::snapshot_request, SnapshotRequest{p0, kEpochP0, Seq{1}, 9, true, {}})},
      {"SNAPSHOT_CHUNK", of_p0(MessageType::snapshot_chunk, 0, example_chunk())},
      {"SNAPSHOT_CREDIT", of_d0(MessageType::snapshot_credit, SnapshotCredit{p0, 9, 2})},
      {"PROBE_REQUEST", of_p0(MessageType::probe_request, 0, ProbeRequest{r0})},
      {"PROBE_REPORT", of_d0(MessageType::probe_report, ProbeReport{r0, true})},
      {"NEWS", of_d0(MessageType::news, NewsMessage{news, true})},
      {"TICK", of_p0(MessageType::tick, 0, example_tick())},
      {"TICK_ACK", of_d0(MessageType::tick_ack, TickAckMessage{p0, 4, 1})},
      {"JOIN", of_d0(MessageType::join, example_join())},
      {"JOINED", of_p0(MessageType::joined, 0, JoinedMessage{NodeRank{1}, 2, {kAddrP0, kEpochP0}})},
      {"BOOKINGS",
       of_d0(MessageType::bookings, BookingsMessage{3,
                                                    {{p0, {2, 1, 700, 1500, 512, 0}}},
                                                    {{p0, {ChunkHash{0xc0}, ChunkHash{0xc1}}}}})},
      {"REGISTER", of_d0(MessageType::register_reader, example_register())},
      {"REGISTERED", of_p0(MessageType::registered, 0, example_registered())},
      {"HOLD", of_d0(MessageType::hold,
                     HoldMessage{4, std::chrono::seconds(60), {{Seq{2}, 12}, {Seq{1}, 8}}})},
      {"HELD", of_p0(MessageType::held, 0, HeldMessage{4, {{Seq{1}, 8}}})},
  };
}

// {name: bytes} of the blocks under `<!-- hex: name -->`. A line is groups of two hex digits with
// single spaces between; two spaces end them, and prose may follow.
inline std::map<std::string, Bytes> hex_blocks(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be read");
  std::map<std::string, Bytes> blocks;
  Bytes* block = nullptr;
  int fences = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("<!-- hex: ")) {
      block = &blocks[line.substr(10, line.find(" -->") - 10)];
      fences = 0;
    } else if (block != nullptr && line.starts_with("```")) {
      if (++fences == 2) block = nullptr;
    } else if (block != nullptr) {
      std::istringstream digits(line.substr(0, line.find("  ")));
      for (std::string pair; digits >> pair;) {
        block->push_back(static_cast<char>(std::stoul(pair, nullptr, 16)));
      }
    }
  }
  return blocks;
}

}  // namespace radixmesh
