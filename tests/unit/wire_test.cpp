// The wire's bytes: what WIRE.md shows is what the codec reads and writes, and what is packed comes
// back.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "lib/base/limits.h"
#include "lib/oplog/packing.h"
#include "tests/unit/wire_examples.h"
#include "tests/unit/wire_random.h"
#include "tests/unit/wire_verdict.h"

namespace radixmesh {
namespace {

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

// Of the first four billion ops of a life; those after them have two or four bytes more.
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
    const Seq seq{std::uint64_t{random()} + 1};
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
