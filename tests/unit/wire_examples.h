// The hex examples of lib/oplog/WIRE.md: read from the page, and what each of them says.
//
// All are of one story: three nodes of the cluster "default" with pages of 4 tokens. p0 inserts two
// prefixes; d0 missed them.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/oplog/codec.h"

namespace radixmesh {

struct WireExample {
  std::string name;
  Message message;
};

inline const std::string kAddrP0 = "10.0.0.1:7000", kAddrD0 = "10.0.0.2:7000",
                         kAddrR0 = "10.0.0.3:7000";
inline constexpr Epoch kEpochP0{1'760'000'000'000'000}, kEpochD0{1'760'000'000'500'000};

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

// `digest` is that of the entries which the two INSERTs make: the sum over three pages.
inline HeadMessage example_head() {
  HeadMessage head;
  head.beat = 7;
  head.head = Seq{2};
  InsertOp first = example_insert_root(), second = example_insert_after();
  PrefixHasher hasher(PrefixHasher::of_namespace(first.name), 4);
  head.digest = hasher.next(first.tokens.data());
  head.digest += hasher.next(first.tokens.data() + 4);
  head.digest += hasher.next(second.tokens.data());
  head.load = Load{3, 1, std::nullopt, 12, 4096};
  head.vector = {{example_node(kAddrD0), kEpochD0, Seq{5}}, {example_node(kAddrR0), Epoch{1}, {}}};
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
  hello.engine_token = of_p0 ? std::string("\xAA\xBB", 2) : "";
  hello.publish_addr = of_p0 ? "tcp://10.0.0.1:7001" : "tcp://10.0.0.2:7001";
  hello.bulk_addr = of_p0 ? "tcp://10.0.0.1:7002" : "tcp://10.0.0.2:7002";
  hello.seen_epoch = of_p0 ? kEpochD0 : Epoch{};
  return hello;
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
  SnapshotEntry entry{Seq{4}, Seq{1}, 4, {}};
  entry.body.tokens = token_list({5, 5, 5, 5});
  entry.body.slots = {{Slot{110}, 4}};
  chunk.entries.push_back(std::move(entry));
  return chunk;
}

inline std::vector<WireExample> wire_examples() {
  const NodeId p0 = example_node(kAddrP0);
  const auto of_p0 = [](MessageType type, std::uint64_t seq, Body body) {
    return example_message(type, true, Seq{seq}, std::move(body));
  };
  const auto of_d0 = [](MessageType type, Body body) {
    return example_message(type, false, Seq{}, std::move(body));
  };
  const Message reset = of_p0(MessageType::reset, 5, ResetOp{});
  const std::vector<VectorEntry> vector = {{p0, kEpochP0, Seq{2}},
                                           {example_node(kAddrD0), kEpochD0, Seq{5}}};
  return {
      {"INSERT at the root", of_p0(MessageType::insert, 1, example_insert_root())},
      {"INSERT after an anchor", of_p0(MessageType::insert, 2, example_insert_after())},
      {"DELETE", of_p0(MessageType::remove, 3, DeleteOp{{{Seq{2}, 12}, {Seq{1}, 8}}})},
      {"RESET", reset},
      {"HEAD", of_p0(MessageType::head, 0, example_head())},
      {"MARKER", of_p0(MessageType::marker, 0, MarkerMessage{vector})},
      {"HELLO", of_d0(MessageType::hello, HelloMessage{example_introduction(false)})},
      {"WELCOME", of_p0(MessageType::welcome, 0, WelcomeMessage{example_introduction(true)})},
      {"REFUSED",
       of_p0(MessageType::refused, 0, RefusedMessage{"page_size differs: 4 here, 16 there"})},
      {"HEARTBEAT", of_d0(MessageType::heartbeat, HeartbeatMessage{300})},
      {"HEARTBEAT_ACK", of_p0(MessageType::heartbeat_ack, 0, HeartbeatAckMessage{300})},
      {"REPLAY_REQUEST",
       of_d0(MessageType::replay_request, ReplayRequest{p0, kEpochP0, Seq{5}, Seq{5}})},
      {"REPLAY", of_p0(MessageType::replay, 0,
                       ReplayMessage{p0, kEpochP0, ReplayStatus::frames, encode(reset)})},
      {"SNAPSHOT_REQUEST",
       of_d0(MessageType::snapshot_request, SnapshotRequest{p0, kEpochP0, Seq{1}, 9, true})},
      {"SNAPSHOT_CHUNK", of_p0(MessageType::snapshot_chunk, 0, example_chunk())},
      {"SNAPSHOT_CREDIT", of_d0(MessageType::snapshot_credit, SnapshotCredit{p0, 9, 2})},
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
