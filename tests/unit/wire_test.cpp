// The wire's bytes: what WIRE.md shows is what the codec reads and writes, what it forbids is
// refused, and what is packed comes back.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "lib/base/limits.h"
#include "lib/oplog/packing.h"
#include "tests/unit/wire_examples.h"
#include "tests/unit/wire_hex.h"
#include "tests/unit/wire_random.h"
#include "tests/unit/wire_show.h"

namespace radixmesh {
namespace {

using Verdict = tl::expected<Message, WireError>;

Verdict decode_all(std::string_view bytes) {
  auto frame = take_frame(bytes);
  if (!frame) return tl::unexpected(frame.error());
  return decode(*frame);
}

std::string show(const Verdict& verdict) {
  return verdict ? WireShow::of(*verdict) : std::string(sentence(verdict.error()));
}

TokenId any_token(std::mt19937& random, std::uint64_t below) {
  return TokenId{static_cast<std::uint32_t>(random() % below)};
}

// ---- the page ----------------------------------------------------------------------------------

TEST_CASE("WIRE.md has one example of each message, and they say what they should") {
  const auto blocks = hex_blocks(std::string(RADIXMESH_ROOT) + "/lib/oplog/WIRE.md");
  const std::vector<WireExample> examples = wire_examples();
  CHECK(blocks.size() == examples.size());
  std::array<bool, std::variant_size_v<Body>> seen{};
  for (const WireExample& example : examples) {
    CAPTURE(example.name);
    REQUIRE(blocks.contains(example.name));
    const Bytes& bytes = blocks.at(example.name);
    CHECK(show(decode_all(bytes)) == WireShow::of(example.message));
    CHECK(encode(example.message) == bytes);
    seen[example.message.body.index()] = true;
  }
  CHECK(std::ranges::all_of(seen, [](bool each) { return each; }));
}

TEST_CASE("every message that keeps the bounds comes back as it was") {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    CAPTURE(seed);
    const Message message = random_message(seed);
    const Bytes bytes = encode(message);
    const Verdict back = decode_all(bytes);
    REQUIRE(show(back) == WireShow::of(message));
    REQUIRE(encode(*back) == bytes);
  }
}

TEST_CASE("frames of one payload come one after the other, and nothing is left") {
  Bytes payload;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) encode(random_message(seed), payload);
  std::string_view left = payload;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto frame = take_frame(left);
    REQUIRE(frame);
    CHECK(show(decode(*frame)) == WireShow::of(random_message(seed)));
  }
  CHECK(left.empty());
}

// ---- accepted and refused ----------------------------------------------------------------------

// One token 1 without slots at the root: [1, origin 7, epoch 5, seq 1, ttl 1, body].
constexpr const char* kInsert = "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0";

TEST_CASE("accepted: other forms of what is valid") {
  const struct {
    const char* why;
    const char* hex;
  } cases[] = {
      {"as it is sent", kInsert},
      {"a field after the frame's last", "97 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 a1 78"},
      {"a field after the body's last", "96 01 07 05 01 01 97 00 00 c0 01 c4 02 01 01 c0 91 c3"},
      {"a field of the body that is nested",
       "96 01 07 05 01 01 97 00 00 c0 01 c4 02 01 01 c0 91 90"},
      {"a map where it is skipped", "97 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 81 01 02"},
      {"as deep as may be", "97 03 07 05 01 01 90 91 91 91 90"},
      {"the frame as array 16", "dc 00 06 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0"},
      {"the body as array 32", "96 01 07 05 01 01 dd 00 00 00 06 00 00 c0 01 c4 02 01 01 c0"},
      {"an integer that is longer than it need be",
       "96 cc 01 cd 00 07 ce 00 00 00 05 cf 00 00 00 00 00 00 00 01 cc 01 96 00 00 c0 01 c4 02 01 "
       "01 c0"},
      {"an integer in a signed form", "96 01 d0 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0"},
      {"binary with a length of two bytes", "96 01 07 05 01 01 96 00 00 c0 01 c5 00 02 01 01 c0"},
      {"no hop left", "96 01 07 05 01 00 96 00 00 c0 01 c4 02 01 01 c0"},
      {"127 hops left", "96 01 07 05 01 7f 96 00 00 c0 01 c4 02 01 01 c0"},
      {"a namespace of four nils", "96 01 07 05 01 01 96 00 00 94 c0 c0 c0 c0 01 c4 02 01 01 c0"},
      {"a width above the largest token",
       "96 01 07 05 01 01 96 00 00 c0 01 c4 05 20 01 00 00 00 c0"},
      {"garbage in the bits after the last token",
       "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 ff c0"},
      {"a LEB128 that is longer than it need be",
       "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 03 84 00 01"},
      {"slots in two runs that touch",
       "96 01 07 05 01 01 96 00 00 c0 02 c4 02 01 03 c4 04 04 01 00 01"},
      {"a DELETE of one page", "96 02 07 05 01 01 92 01 04"},
      {"a RESET that will carry more one day", "96 03 07 05 01 01 91 2a"},
      {"a HEARTBEAT", "96 45 07 05 00 01 91 2a"},
  };
  for (const auto& each : cases) {
    const char *why = each.why, *hex = each.hex;
    CAPTURE(why);
    const Verdict verdict = decode_all(framed(hex));
    CHECK_MESSAGE(verdict.has_value(), show(verdict));
    if (std::string_view(hex).ends_with("ff c0"))
      CHECK(show(verdict) == show(decode_all(framed(kInsert))));
  }
}

struct Refused {
  const char* why;
  const char* hex;
};

void check_refused(WireError error, std::initializer_list<Refused> cases) {
  for (const auto& each : cases) {
    const char *why = each.why, *hex = each.hex;
    CAPTURE(why);
    const Verdict verdict = decode_all(framed(hex));
    const std::string_view expected = sentence(error);
    CHECK_MESSAGE((!verdict && verdict.error() == error), expected, " but: ", show(verdict));
  }
}

TEST_CASE("refused: frames that are not one MessagePack value within the bounds") {
  std::string deep = "97 03 07 05 01 01 90";
  for (int i = 0; i < 32'000; ++i) deep += " 91";
  deep += " c0";
  check_refused(
      WireError::not_msgpack,
      {{"an extension", "96 03 07 05 01 01 91 d4 01 02"},
       {"a byte that MessagePack does not use", "c1"},
       {"a second value", "96 03 07 05 01 01 90 c0"},
       {"an element missing", "96 03 07 05 01 01"},
       {"text that ends too early", "96 44 07 05 00 01 91 a5 61 62"},
       {"binary that declares 4 GiB", "96 01 07 05 01 01 96 00 00 c0 01 c6 ff ff ff ff 01 c0"},
       {"text that declares 4 GiB", "96 44 07 05 00 01 91 db ff ff ff ff 61"},
       {"an array that declares 2^32 - 1 elements", "dd ff ff ff ff"},
       {"such a one as the body", "96 02 07 05 01 01 dd ff ff ff ff 01 04"},
       {"such a one as a field", "96 41 07 05 00 01 91 dd ff ff ff ff"},
       {"such a one in such a one", "dd ff ff ff ff dd ff ff ff ff dd ff ff ff ff"},
       {"an array of 65535", "dc ff ff 01 02 03"},
       {"more elements than bytes, spread over arrays", "96 03 07 05 01 01 94 94 94 94 94 01"},
       {"a map that declares 2^32 - 1 pairs", "97 03 07 05 01 01 90 df ff ff ff ff"},
       {"six arrays in each other", "97 03 07 05 01 01 90 91 91 91 91 90"},
       {"a map as the sixth", "97 03 07 05 01 01 90 91 91 91 91 80"},
       {"32,000 arrays in each other", deep.c_str()}});
}

TEST_CASE("refused: envelopes that break a rule") {
  check_refused(WireError::bad_envelope,
                {{"nothing but a nil", "c0"},
                 {"an integer", "05"},
                 {"a map", "81 01 02"},
                 {"no element at all", "90"},
                 {"five elements", "95 03 07 05 01 01"},
                 {"the type is text", "96 a1 03 07 05 01 01 90"},
                 {"the type is 256", "96 cd 01 00 07 05 01 01 90"},
                 {"the type is 2^32 + 3", "96 cf 00 00 00 01 00 00 00 03 07 05 01 01 90"},
                 {"the type is negative", "96 ff 07 05 01 01 90"},
                 {"the origin is nil", "96 03 c0 05 01 01 90"},
                 {"the origin is a float", "96 03 ca 00 00 00 01 05 01 01 90"},
                 {"the epoch is 0", "96 03 07 00 01 01 90"},
                 {"an op without a number", "96 03 07 05 00 01 90"},
                 {"a control message with a number", "96 45 07 05 01 01 91 01"},
                 {"the number is negative", "96 03 07 05 ff 01 90"},
                 {"128 hops left", "96 03 07 05 01 cc 80 90"},
                 {"256 hops left", "96 03 07 05 01 cd 01 00 90"},
                 {"hops are true", "96 03 07 05 01 c3 90"}});
}

TEST_CASE("refused: INSERTs that break a rule of their body") {
  check_refused(
      WireError::bad_body,
      {{"the body is nil", "96 01 07 05 01 01 c0"},
       {"the body is a map", "96 01 07 05 01 01 80"},
       {"an empty body", "96 01 07 05 01 01 90"},
       {"the slots are left out", "96 01 07 05 01 01 95 00 00 c0 01 c4 02 01 01"},
       {"an anchor without tokens", "96 01 07 05 01 01 96 01 00 c0 01 c4 02 01 01 c0"},
       {"an anchor without a seq", "96 01 07 05 01 01 96 00 01 c0 01 c4 02 01 01 c0"},
       {"an anchor of 2^32 tokens",
        "96 01 07 05 02 01 96 01 cf 00 00 00 01 00 00 00 01 c0 01 c4 02 01 01 c0"},
       {"a namespace of three parts", "96 01 07 05 01 01 96 00 00 93 c0 c0 c0 01 c4 02 01 01 c0"},
       {"a namespace of five parts",
        "96 01 07 05 01 01 96 00 00 95 c0 c0 c0 c0 c0 01 c4 02 01 01 c0"},
       {"a part that is an integer", "96 01 07 05 01 01 96 00 00 94 c0 01 c0 c0 01 c4 02 01 01 c0"},
       {"a part that is an array", "96 01 07 05 01 01 96 00 00 94 90 c0 c0 c0 01 c4 02 01 01 c0"},
       {"a joined namespace", "96 01 07 05 01 01 96 00 00 a1 6d 01 c4 02 01 01 c0"},
       {"no token", "96 01 07 05 01 01 96 00 00 c0 00 c4 01 01 c0"},
       {"32,769 tokens", "96 01 07 05 01 01 96 00 00 c0 cd 80 01 c4 02 01 01 c0"},
       {"2^32 tokens", "96 01 07 05 01 01 96 00 00 c0 cf 00 00 00 01 00 00 00 00 c4 02 01 01 c0"},
       {"tokens as a list", "96 01 07 05 01 01 96 00 00 c0 01 91 01 c0"},
       {"tokens as text", "96 01 07 05 01 01 96 00 00 c0 01 a2 01 01 c0"},
       {"tokens without a width", "96 01 07 05 01 01 96 00 00 c0 01 c4 00 c0"},
       {"a width of 0", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 00 01 c0"},
       {"a width of 33", "96 01 07 05 01 01 96 00 00 c0 01 c4 06 21 01 00 00 00 00 c0"},
       {"a byte too few", "96 01 07 05 01 01 96 00 00 c0 02 c4 02 08 01 c0"},
       {"a byte too many", "96 01 07 05 01 01 96 00 00 c0 01 c4 03 01 01 00 c0"},
       {"slots as a list", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 92 04 01"},
       {"slots of no run", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 00"},
       {"a run of no slot", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 02 04 00"},
       {"a run without a length", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 01 04"},
       {"a run that stops in a number", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 02 04 81"},
       {"one slot too few", "96 01 07 05 01 01 96 00 00 c0 02 c4 02 01 03 c4 02 04 01"},
       {"one slot too many", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 02 04 02"},
       {"one run too many", "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 04 04 01 04 01"},
       {"a LEB128 of 65 bits",
        "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 0b ff ff ff ff ff ff ff ff ff 03 01"},
       {"a LEB128 of eleven bytes",
        "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c4 0c 80 80 80 80 80 80 80 80 80 80 00 01"},
       {"a run that passes 2^64", "96 01 07 05 01 01 96 00 00 c0 02 c4 02 01 03 c4 02 01 02"}});
}

TEST_CASE("refused: other bodies that break a rule") {
  check_refused(
      WireError::bad_body,
      {{"DELETE of nothing", "96 02 07 05 01 01 90"},
       {"DELETE of half an anchor", "96 02 07 05 01 01 93 01 04 01"},
       {"DELETE of the root", "96 02 07 05 01 01 92 00 00"},
       {"DELETE of a page without a seq", "96 02 07 05 01 01 92 00 04"},
       {"DELETE of a page without tokens", "96 02 07 05 01 01 92 01 00"},
       {"DELETE of text", "96 02 07 05 01 01 92 a1 61 04"},
       {"RESET with an integer as the body", "96 03 07 05 01 01 00"},
       {"HEAD with a digest of 15 bytes",
        "96 40 07 05 00 01 95 01 01 c4 0f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 c0 90"},
       {"HEAD without a vector",
        "96 40 07 05 00 01 94 01 01 c4 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 c0"},
       {"HEAD whose load is short",
        "96 40 07 05 00 01 95 01 01 c4 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 94 01 02 "
        "03 04 90"},
       {"HEAD whose load is text",
        "96 40 07 05 00 01 95 01 01 c4 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 a1 61 "
        "90"},
       {"MARKER with two thirds of an entry", "96 41 07 05 00 01 91 92 07 05"},
       {"MARKER whose vector is nil", "96 41 07 05 00 01 91 c0"},
       {"REFUSED with binary", "96 44 07 05 00 01 91 c4 01 61"},
       {"HEARTBEAT with text", "96 45 07 05 00 01 91 a1 61"},
       {"REPLAY_REQUEST from 0", "96 47 07 05 00 01 94 08 05 00 04"},
       {"REPLAY_REQUEST that ends before it begins", "96 47 07 05 00 01 94 08 05 05 04"},
       {"REPLAY with a status of 3", "96 48 07 05 00 01 94 08 05 03 c4 00"},
       {"REPLAY with frames as text", "96 48 07 05 00 01 94 08 05 00 a0"},
       {"SNAPSHOT_REQUEST with 1 for true", "96 49 07 05 00 01 95 08 05 00 01 01"},
       {"SNAPSHOT_CHUNK with a status of 3", "96 4a 07 05 00 01 99 08 05 01 00 03 00 c2 90 90"},
       {"SNAPSHOT_CHUNK without entries", "96 4a 07 05 00 01 98 08 05 01 00 01 00 c2 90"},
       {"an entry that is an integer", "96 4a 07 05 00 01 99 08 05 01 00 01 09 c2 90 91 05"},
       {"an entry of seq 0",
        "96 4a 07 05 00 01 99 08 05 01 00 01 09 c2 90 91 97 00 00 00 c0 01 c4 02 01 01 c0"},
       {"an entry that is its own parent",
        "96 4a 07 05 00 01 99 08 05 01 00 01 09 c2 90 91 97 02 02 01 c0 01 c4 02 01 01 c0"},
       {"an entry below nothing",
        "96 4a 07 05 00 01 99 08 05 01 00 01 09 c2 90 91 97 02 00 01 c0 01 c4 02 01 01 c0"},
       {"SNAPSHOT_CREDIT with 2^32 chunks",
        "96 4b 07 05 00 01 93 08 01 cf 00 00 00 01 00 00 00 00"}});
}

TEST_CASE("refused: types that this version does not know, told apart by what must be done") {
  check_refused(WireError::unknown_op, {{"type 0", "96 00 07 05 01 01 90"},
                                        {"type 4", "96 04 07 05 01 01 90"},
                                        {"type 63", "96 3f 07 05 01 01 90"}});
  check_refused(WireError::unknown_control,
                {{"type 76", "96 4c 07 05 00 01 90"}, {"type 255", "96 cc ff 07 05 00 01 90"}});
  const Bytes unknown = framed("96 3f 07 05 09 01 90");
  const auto envelope = decode_envelope(unknown);  // its place in the order is known all the same
  REQUIRE(envelope);
  CHECK((envelope->origin == NodeId{7} && envelope->epoch == Epoch{5} && envelope->seq == Seq{9}));
}

TEST_CASE("refused: lengths that are not a frame's") {
  const auto taken = [](std::string_view bytes) {
    const auto frame = take_frame(bytes);
    return frame ? "a frame" : std::string(sentence(frame.error()));
  };
  const std::string truncated(sentence(WireError::truncated));
  const std::string oversized(sentence(WireError::oversized));
  CHECK(taken("") == truncated);
  CHECK(taken(unhex("00 00 00")) == truncated);
  CHECK(taken(unhex("00 00 00 01")) == truncated);
  CHECK(taken(unhex("00 00 00 00")) == oversized);
  CHECK(taken(unhex("00 00 00 00 90")) == oversized);
  CHECK(taken(unhex("00 01 00 01") + std::string(70'000, 'x')) == oversized);
  CHECK(taken(unhex("ff ff ff ff") + std::string(100, 'x')) == oversized);
  CHECK(taken(unhex("00 01 00 00") + std::string(65'535, 'x')) == truncated);
  CHECK(taken(unhex("00 01 00 00") + std::string(65'536, 'x')) == "a frame");
}

TEST_CASE("refused: every example that lost its end, and none takes more than its bytes") {
  for (const WireExample& example : wire_examples()) {
    CAPTURE(example.name);
    const Bytes whole = encode(example.message);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      REQUIRE_FALSE(decode_all(whole.substr(0, size)));
      if (size <= 4) continue;
      REQUIRE_FALSE(decode(reframed(whole.substr(4, size - 4))));  // cut, and the length agrees
    }
  }
}

TEST_CASE("refused: more than the bounds of limits.h") {
  const auto verdict = [](Message message) { return show(decode_all(encode(message))); };
  const auto bad = std::string(sentence(WireError::bad_body));
  const auto of = [](MessageType type, Seq seq, Body body) {
    return example_message(type, true, seq, std::move(body));
  };
  const DeleteOp removal{std::vector<Anchor>(limits::delete_entries_max + 1, {Seq{1}, 1})};
  CHECK(verdict(of(MessageType::remove, Seq{1}, removal)) == bad);
  const MarkerMessage marker{std::vector<VectorEntry>(limits::members_max + 1)};
  CHECK(verdict(of(MessageType::marker, Seq{}, marker)) == bad);
  const RefusedMessage refused{std::string(limits::reason_bytes_max + 1, 'x')};
  CHECK(verdict(of(MessageType::refused, Seq{}, refused)) == bad);
  InsertOp insert = example_insert_root();
  insert.name.parts[1] = {NamespacePart::Kind::text,
                          std::string(limits::namespace_part_bytes_max + 1, 'x')};
  CHECK(verdict(of(MessageType::insert, Seq{1}, insert)) == bad);
  const auto hello = [&](auto&& change) {
    HelloMessage message{example_introduction(true)};
    change(message);
    return verdict(of(MessageType::hello, Seq{}, message));
  };
  const std::string long_addr(limits::address_bytes_max + 1, 'x');
  CHECK(hello([](auto&) {}) != bad);
  CHECK(hello([&](auto& it) { it.addr = long_addr; }) == bad);
  CHECK(hello([&](auto& it) { it.publish_addr = long_addr; }) == bad);
  CHECK(hello([&](auto& it) { it.bulk_addr = long_addr; }) == bad);
  CHECK(hello([](auto& it) { it.cluster.assign(limits::cluster_bytes_max + 1, 'x'); }) == bad);
  CHECK(hello([](auto& it) { it.engine_token.assign(limits::engine_token_bytes_max + 1, 'x'); }) ==
        bad);
  CHECK(hello([](auto& it) { it.role = static_cast<Role>(4); }) == bad);
  CHECK(hello([](auto& it) { it.protocol_min = 2; }) == bad);
}

// ---- relays ------------------------------------------------------------------------------------

TEST_CASE("a relay changes the ttl and nothing else") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Message message = random_message(seed);
    const Bytes before = encode(message);
    for (std::uint8_t ttl : {0, 1, 63, 127}) {
      const Bytes after = with_ttl(before, ttl);
      message.envelope.ttl = ttl;
      REQUIRE(show(decode_all(after)) == WireShow::of(message));
      REQUIRE(after == encode(message));
    }
  }
}

// ---- sizes -------------------------------------------------------------------------------------

TEST_CASE("1,024 new tokens of a vocabulary of 128,000 cost 2.5 bytes each and 64 bytes an op") {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    InsertOp insert;
    insert.anchor = {Seq{std::uint64_t{random()} + 1}, 100'000};
    for (int i = 0; i < 1024; ++i) insert.tokens.push_back(any_token(random, 128'000));
    insert.slots = {{Slot{random()}, 1024}};
    std::string packed;
    pack_tokens(insert.tokens, packed);
    const std::size_t tokens = packed.size();
    const Seq seq{std::uint64_t{random()} * 1000 + 1};
    const std::size_t frame =
        encode(example_message(MessageType::insert, true, seq, std::move(insert))).size();
    CHECK(tokens <= 1024 * 5 / 2);
    CHECK(frame - tokens <= 64);
  }
}

TEST_CASE("whatever is inserted, each share fits a frame, and shares make the whole") {
  std::mt19937_64 random(2);
  CacheNamespace name;
  for (NamespacePart& part : name.parts) {
    part = {NamespacePart::Kind::bytes, std::string(limits::namespace_part_bytes_max, '\xff')};
  }
  for (const std::uint32_t page : {1u, 3u, 16u, 1000u, limits::page_tokens_max}) {
    for (const std::size_t pages : {std::size_t{1}, std::size_t{2}, std::size_t{70'000} / page}) {
      CAPTURE(page);
      CAPTURE(pages);
      std::vector<TokenId> tokens;
      SlotRuns slots;
      while (tokens.size() < pages * page) {
        tokens.push_back(TokenId{static_cast<std::uint32_t>(random())});
        slots.append({Slot{random() >> 1}, 1});  // far apart: 10 bytes a start
      }
      std::span<const TokenId> left = tokens;
      while (!left.empty()) {
        const std::uint32_t share = insert_share(left, slots, page);
        REQUIRE(share > 0);
        REQUIRE(share % page == 0);
        REQUIRE(share <= left.size());
        InsertOp insert{{}, name, {left.begin(), left.begin() + share}, slots.part(0, share)};
        const Message message = example_message(MessageType::insert, true, Seq{1}, insert);
        const Bytes bytes = encode(message);
        REQUIRE(bytes.size() <= 4 + limits::frame_bytes_max);
        REQUIRE(show(decode_all(bytes)) == WireShow::of(message));
        left = left.subspan(share);
        slots = slots.part(share, slots.size());
      }
    }
  }
}

// ---- packing -----------------------------------------------------------------------------------

TEST_CASE("packed tokens come back at every width and count, in the bytes that were foretold") {
  std::mt19937 random(3);
  for (std::uint32_t width = 1; width <= 32; ++width) {
    for (const std::uint32_t count : {1u, 2u, 7u, 8u, 9u, 31u, 32u, 33u, 1000u}) {
      std::vector<TokenId> tokens;
      for (std::uint32_t i = 0; i < count; ++i)
        tokens.push_back(any_token(random, std::uint64_t{1} << width));
      tokens.back() = TokenId{0xFFFFFFFFu >> (32 - width)};
      std::string packed = "before";
      pack_tokens(tokens, packed);
      REQUIRE(packed.starts_with("before"));
      packed.erase(0, 6);
      REQUIRE(packed.size() == 1 + (std::size_t{count} * width + 7) / 8);
      REQUIRE(packed.size() == packed_tokens_bytes(tokens));
      REQUIRE(static_cast<std::uint8_t>(packed[0]) == width);
      REQUIRE(unpack_tokens(packed, count) == tokens);
      REQUIRE_FALSE(unpack_tokens(packed, count + 8));
      REQUIRE_FALSE(unpack_tokens(packed.substr(0, packed.size() - 1), count));
    }
  }
}

TEST_CASE("packed slots come back, wherever they lie") {
  std::mt19937_64 random(4);
  for (int round = 0; round < 2000; ++round) {
    SlotRuns slots;
    for (std::uint64_t runs = random() % 20 + 1; runs > 0; --runs) {
      const std::uint64_t count = 1 + (random() >> (random() % 30 + 34));
      slots.append({Slot{(random() >> (random() % 64)) % (~std::uint64_t{0} - count)}, count});
    }
    std::string packed;
    pack_slots(slots, packed);
    const auto back = unpack_slots(packed, slots.size());
    REQUIRE(back);
    REQUIRE(*back == slots);
    REQUIRE_FALSE(unpack_slots(packed, slots.size() + 1));
    REQUIRE_FALSE(unpack_slots(packed, slots.size() - 1));
    REQUIRE_FALSE(unpack_slots(packed.substr(0, packed.size() - 1), slots.size()));
  }
}

TEST_CASE("contiguous slots cost a few bytes however many they are") {
  std::string packed;
  pack_slots({{Slot{5'000'000}, 32'768}}, packed);
  CHECK(packed.size() <= 8);
}

}  // namespace
}  // namespace radixmesh
