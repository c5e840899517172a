// Frames that are well-formed and wrong: what no honest peer sends must neither crash a node nor
// spoil what it knows. Each of these once did one of the two.
#include <doctest/doctest.h>

#include "lib/base/limits.h"
#include "tests/unit/lone_replica.h"
#include "tests/unit/wire_hex.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMax = ~std::uint64_t{0};

// d0 has asked p0 for a snapshot of its own entries; the session's number comes back.
std::uint64_t ask_for_snapshot(LoneReplica& d0) {
  d0.introduce("p0");
  HeadMessage head;
  head.beat = 1;
  head.head = Seq{5000};
  d0.published(LoneReplica::message("p0", 0, head));
  d0.replica.take_effects();
  d0.now += 1s;
  d0.replica.step(d0.now, Tick{});
  for (const Ask& ask : d0.owed<Ask>()) {
    const auto message = decode(ask.frame);
    if (const auto* request = std::get_if<SnapshotRequest>(&message->body)) return request->session;
  }
  FAIL("no snapshot was asked for");
  return 0;
}

SnapshotEntry entry_of(std::uint64_t seq, std::string_view letters, Anchor after = {}) {
  return {Seq{seq}, after.seq, after.tokens, Entry::kNotRetired,
          LoneReplica::insert_of(letters, 1)};
}

void answer_chunk(LoneReplica& d0, std::uint64_t session, std::uint32_t index,
                  SnapshotStatus status, std::uint64_t as_of, std::vector<Anchor> removals,
                  std::vector<SnapshotEntry> entries) {
  SnapshotChunk chunk;
  chunk.origin = LoneReplica::id("p0");
  chunk.epoch = kPeerEpoch;
  chunk.session = session;
  chunk.index = index;
  chunk.status = status;
  chunk.as_of = Seq{as_of};
  chunk.removals = std::move(removals);
  chunk.entries = std::move(entries);
  d0.answered("p0", encode(LoneReplica::message("p0", 0, chunk)));
}

// The reasons of the REFUSEDs that are owed.
std::vector<std::string> refusals(LoneReplica& d0) {
  std::vector<std::string> out;
  for (const Answer& answer : d0.owed<Answer>()) {
    const auto message = decode(answer.frame);
    if (const auto* refused = std::get_if<RefusedMessage>(&message->body)) {
      out.push_back(refused->reason);
    }
  }
  return out;
}

TEST_CASE("who says HELLO in the name of a member that answers as another life is refused") {
  LoneReplica d0;
  d0.introduce("p0");
  HelloMessage hello;
  hello.cluster = "default";
  hello.page_size = 1;
  hello.fingerprint = settings_fingerprint("default", 1);
  hello.addr = hello.publish_addr = hello.bulk_addr = "p0";
  const Bytes later = encode(LoneReplica::message("p0", 0, hello, Epoch{200}));
  d0.asked("p0", later);
  CHECK(refusals(d0).empty());  // it may be a restart: the address is asked
  d0.introduce("p0");           // and what lives there is the life that was known
  d0.asked("p0", later);
  CHECK(refusals(d0) == std::vector<std::string>{"another process answers at the address p0"});
  CHECK(d0.replica.nodes(d0.now)[0].epoch == kPeerEpoch);
  CHECK(d0.replica.nodes(d0.now)[0].state == MemberState::alive);
  d0.introduce("p0", Epoch{200});  // it was a restart after all
  d0.asked("p0", later);
  CHECK(refusals(d0).empty());
  CHECK(d0.replica.nodes(d0.now)[0].epoch == Epoch{200});
}

TEST_CASE("a frame that calls a node suspect, dead or gone is refuted, and takes nothing") {
  LoneReplica d0;
  d0.introduce("p0");
  REQUIRE(d0.replica.insert(d0.now, {}, tokens_of("abcd"), {{Slot{1}, 4}}));
  for (MemberState state : {MemberState::suspect, MemberState::dead, MemberState::left}) {
    const std::uint32_t before = d0.replica.self().refute;
    const MemberNews news{"d0", NodeRank{2}, Role::decode, Epoch{50}, before, state};
    d0.asked("p0", encode(LoneReplica::message("p0", 0, NewsMessage{{news}, false})));
    CHECK(d0.replica.self().refute == before + 1);
    CHECK(d0.replica.self().state == MemberState::alive);
    CHECK(d0.match("abcd").local_length == 4);
  }
}

TEST_CASE("a counter of refutations at its bound is outdone by a new epoch") {
  LoneReplica d0;
  d0.introduce("p0");
  REQUIRE(d0.replica.insert(d0.now, {}, tokens_of("abcd"), {{Slot{1}, 4}}));
  const MemberNews news{"d0",      NodeRank{2},        Role::decode,
                        Epoch{50}, limits::refute_max, MemberState::left};
  d0.asked("p0", encode(LoneReplica::message("p0", 0, NewsMessage{{news}, false})));
  CHECK(d0.replica.self().epoch > Epoch{50});
  CHECK(d0.replica.self().refute == 0);
  CHECK(d0.match("abcd").local_length == 4);
  for (const Publish& each : d0.owed<Publish>()) CHECK(decode(each.frame));
}

TEST_CASE("news of nodes without end do not fill the memory") {
  LoneReplica d0;
  d0.introduce("p0");
  for (int i = 0; i < 3000; ++i) {
    const MemberNews news{"x" + std::to_string(i), NodeRank{9}, Role::prefill, Epoch{5}, 0,
                          MemberState::alive};
    d0.asked("p0", encode(LoneReplica::message("p0", 0, NewsMessage{{news}, false})));
  }
  CHECK(d0.replica.nodes(d0.now).size() == 4 + limits::unproven_members_max);
  d0.now += Timers{}.former_kept + 1s;  // none of them ever came
  d0.replica.step(d0.now, Tick{});
  CHECK(d0.replica.nodes(d0.now).size() == 4);
}

TEST_CASE("a relay passes on frames whose integers and array are longer than they need be") {
  for (const char* hex :
       {"dc 00 06 03 07 05 01 05 90", "dd 00 00 00 06 03 07 05 01 05 90", "96 03 d0 07 05 01 05 90",
        "96 03 d3 00 00 00 00 00 00 00 07 05 01 d1 00 05 90",
        "96 cc 03 cd 00 07 ce 00 00 00 05 cf 00 00 00 00 00 00 00 01 cd 00 05 90"}) {
    CAPTURE(hex);
    const Bytes frame = framed(hex);
    REQUIRE(decode(frame));
    const auto passed = decode(with_ttl(frame, 4));
    REQUIRE(passed);
    CHECK(passed->envelope.ttl == 4);
    CHECK(passed->envelope.origin == NodeId{7});
    CHECK(passed->envelope.epoch == Epoch{5});
    CHECK(passed->envelope.seq == Seq{1});
  }
}

TEST_CASE("an op whose tokens and slots leave no room in an answer is refused at the gate") {
  InsertOp insert;
  insert.tokens.assign(16'000, TokenId{~0u});  // 64,000 bytes as packed
  const auto verdict = decode(encode(LoneReplica::message("p0", 1, insert)));
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error() == WireError::bad_body);
}

TEST_CASE("an entry above the snapshot's own seq breaks the snapshot, not the node") {
  LoneReplica d0;
  const std::uint64_t session = ask_for_snapshot(d0);
  answer_chunk(d0, session, 0, SnapshotStatus::last, 4999, {}, {entry_of(6000, "abc")});
  CHECK(d0.counter("snapshots_taken") == 0);
  CHECK(d0.counter("snapshots_broken") == 1);
  d0.published(LoneReplica::message("p0", 5000, LoneReplica::insert_of("xyz", 1)));
}

TEST_CASE("an entry below one that was removed again breaks the snapshot, not the node") {
  LoneReplica d0;
  const std::uint64_t session = ask_for_snapshot(d0);
  answer_chunk(d0, session, 0, SnapshotStatus::more, 5000, {},
               {entry_of(5, "a"), entry_of(10, "bc")});
  answer_chunk(d0, session, 1, SnapshotStatus::last, 5000, {{Seq{10}, 1}}, {entry_of(7, "xyz")});
  CHECK(d0.counter("snapshots_taken") == 0);
  CHECK(d0.counter("snapshots_broken") == 1);
}

TEST_CASE("an op that fills its frame can be replayed") {
  LoneReplica d0;
  d0.introduce("p0");
  d0.introduce("p1");
  // A RESET with a field that this version does not know: 64 KiB in all.
  Bytes inside = unhex("96 03 cf");
  for (int shift = 56; shift >= 0; shift -= 8) {
    inside.push_back(static_cast<char>(LoneReplica::id("p0").value >> shift));
  }
  inside += unhex("64 01 01 91 c5 ff e0");
  inside += std::string(0xffe0, 'x');
  const Bytes frame = reframed(inside);
  REQUIRE(decode(frame));
  d0.published(frame);
  CHECK(d0.replica.status().vector.at("p0").seq == Seq{1});
  const ReplayRequest request{LoneReplica::id("p0"), kPeerEpoch, Seq{1}, Seq{1}};
  d0.asked("p1", encode(LoneReplica::message("p1", 0, request)));
  bool answered = false;
  for (const Answer& answer : d0.owed<Answer>()) {
    CHECK(answer.frame.size() <= 4 + limits::frame_bytes_max);
    const auto message = decode(answer.frame);
    REQUIRE(message);
    answered = answered || std::holds_alternative<ReplayMessage>(message->body);
  }
  CHECK(answered);
}

TEST_CASE("an entry whose slots were replaced piece by piece can be given in a snapshot") {
  LoneReplica d0;
  d0.introduce("p0");
  d0.introduce("p1");
  const std::string letters(20'000, 'x');
  d0.published(LoneReplica::message("p0", 1, LoneReplica::insert_of(letters, 1)));
  std::uint64_t seq = 1;
  for (std::uint32_t at = 0; at < letters.size(); at += 2000) {
    InsertOp again = LoneReplica::insert_of(letters.substr(0, 2000), 1);
    if (at > 0) again.anchor = {Seq{1}, at};
    again.slots = {};
    for (std::uint64_t i = 0; i < 2000; ++i)
      again.slots.append({Slot{(i % 2) << 60 | (at + i)}, 1});
    d0.published(LoneReplica::message("p0", ++seq, again));
  }
  CHECK(d0.replica.status().vector.at("p0").seq == Seq{seq});
  const SnapshotRequest request{LoneReplica::id("p0"), kPeerEpoch, {}, 77, true, {}};
  d0.asked("p1", encode(LoneReplica::message("p1", 0, request)));
  std::size_t tokens = 0;
  for (const Answer& answer : d0.owed<Answer>()) {
    CHECK(answer.frame.size() <= 4 + limits::frame_bytes_max);
    const auto message = decode(answer.frame);
    REQUIRE(message);
    const auto* chunk = std::get_if<SnapshotChunk>(&message->body);
    if (chunk == nullptr) continue;
    for (const SnapshotEntry& entry : chunk->entries) tokens += entry.body.tokens.size();
  }
  CHECK(tokens == letters.size());
}

TEST_CASE("nobody can talk a node out of its epochs") {
  for (const std::uint64_t seen : {kMax, kMax >> 1, (kMax >> 2) + 2, (kMax >> 2) + 1, kMax >> 2}) {
    CAPTURE(seen);
    LoneReplica d0;
    d0.introduce("p0");
    HeadMessage head;
    head.beat = 1;
    head.vector = {{LoneReplica::id("d0"), Epoch{seen}, Seq{}}};
    d0.published(LoneReplica::message("p0", 0, head));
    CHECK(d0.replica.status().epoch.value >= 50);
    d0.replica.take_effects();
    const auto tokens = tokens_of("abc");
    REQUIRE(d0.replica.insert(d0.now, {}, tokens, {{Slot{1}, 3}}));
    for (const Publish& each : d0.owed<Publish>()) CHECK(decode(each.frame).has_value());
  }
}

TEST_CASE("an entry of the highest seq is listed once") {
  LoneReplica d0;
  const std::uint64_t session = ask_for_snapshot(d0);
  answer_chunk(d0, session, 0, SnapshotStatus::last, kMax, {}, {entry_of(kMax, "abc")});
  CHECK(d0.replica.entries("p0", 0, 10)->entries.size() <= 1);
}

TEST_CASE("two nodes that refuse each other say so once") {
  LoneReplica d0;
  HelloMessage hello;
  hello.cluster = "default";
  hello.page_size = 16;
  hello.addr = "p0";
  const Message wrong = LoneReplica::message("p0", 0, hello);
  const RefusedMessage refused{"page_size differs: 16 here, 1 there"};
  d0.replica.take_effects();
  std::size_t lines = 0;
  for (int i = 0; i < 10; ++i) {
    d0.asked("p0", encode(wrong));
    d0.answered("p0", encode(LoneReplica::message("p0", 0, refused)));
    lines += d0.owed<LogLine>().size();
  }
  CHECK(lines <= 2);
}

TEST_CASE("slots that no frame can carry are refused before anything is stored") {
  LoneReplica d0;
  d0.replica.take_effects();
  const auto tokens = tokens_of("abc");
  const auto refused = d0.replica.insert(d0.now, {}, tokens, {{Slot{kMax}, 3}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == RefusalCode::fix_request);
  CHECK(d0.replica.status().local_tokens == 0);
  CHECK_FALSE(d0.replica.insert(d0.now, {}, tokens, {{Slot{kMax - 2}, 3}}));
  REQUIRE(d0.replica.insert(d0.now, {}, tokens, {{Slot{kMax - 3}, 3}}));
  for (const Publish& each : d0.owed<Publish>()) CHECK(decode(each.frame).has_value());
}

}  // namespace
}  // namespace radixmesh
