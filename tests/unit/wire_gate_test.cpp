// The gate for what comes from other nodes: what of WIRE.md's forms is accepted, and that what
// breaks a rule of it is refused, with the error that says how to go on.
#include <doctest/doctest.h>

#include "lib/base/limits.h"
#include "tests/unit/wire_examples.h"
#include "tests/unit/wire_verdict.h"

namespace radixmesh {
namespace {

// One token 1 without slots at the root: [1, origin 7, epoch 5, seq 1, ttl 1, body].
constexpr const char* kInsert = "96 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0";

TEST_CASE("accepted: other forms of what is valid") {
  const Case cases[] = {
      {"as it is sent", kInsert},
      {"with a check", "97 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 ce cc 90 7d 3f"},
      {"with a check, hops counted down",
       "97 01 07 05 01 00 96 00 00 c0 01 c4 02 01 01 c0 ce cc 90 7d 3f"},
      {"a field between the body and the check",
       "98 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 a1 78 ce cd 86 31 eb"},
      {"a field after the body's last", "96 01 07 05 01 01 97 00 00 c0 01 c4 02 01 01 c0 91 c3"},
      {"a field of the body that is nested",
       "96 01 07 05 01 01 97 00 00 c0 01 c4 02 01 01 c0 91 90"},
      {"a map where it is skipped",
       "98 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 81 01 02 ce 56 0e c0 41"},
      {"as deep as may be", "98 03 07 05 01 01 90 91 91 91 90 ce 11 1f ef b7"},
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
  };
  for (const Case& each : cases) {
    CAPTURE(each.why);
    const Verdict verdict = decode_all(framed(each.hex));
    CHECK_MESSAGE(verdict.has_value(), show(verdict));
    if (each.hex.ends_with("ff c0")) CHECK(show(verdict) == show(decode_all(framed(kInsert))));
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
       {"32,000 arrays in each other", deep}});
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
                 {"a control message with a number", "96 4c 07 05 01 01 91 08"},
                 {"the number is negative", "96 03 07 05 ff 01 90"},
                 {"128 hops left", "96 03 07 05 01 cc 80 90"},
                 {"256 hops left", "96 03 07 05 01 cd 01 00 90"},
                 {"hops are true", "96 03 07 05 01 c3 90"}});
}

TEST_CASE("refused: frames that were changed on their way") {
  check_refused(
      WireError::bad_check,
      {{"a bit of the token", "97 01 07 05 01 01 96 00 00 c0 01 c4 02 01 00 c0 ce cc 90 7d 3f"},
       {"a bit of the seq", "97 01 07 05 03 01 96 00 00 c0 01 c4 02 01 01 c0 ce cc 90 7d 3f"},
       {"a bit of the check", "97 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 ce cc 90 7d 3e"},
       {"the check in eight bytes",
        "97 01 07 05 01 01 96 00 00 c0 01 c4 02 01 01 c0 cf 00 00 00 00 cc 90 7d 3f"},
       {"a field after the body and no check", "97 03 07 05 01 01 90 01"},
       {"a field after the check", "98 03 07 05 01 01 90 ce 11 1f ef b7 01"}});
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

TEST_CASE("refused: DELETEs and RESETs that break a rule of their body") {
  check_refused(WireError::bad_body,
                {{"DELETE of nothing", "96 02 07 05 01 01 90"},
                 {"DELETE of half an anchor", "96 02 07 05 01 01 93 01 04 01"},
                 {"DELETE of the root", "96 02 07 05 01 01 92 00 00"},
                 {"DELETE of a page without a seq", "96 02 07 05 01 01 92 00 04"},
                 {"DELETE of a page without tokens", "96 02 07 05 01 01 92 01 00"},
                 {"DELETE of text", "96 02 07 05 01 01 92 a1 61 04"},
                 {"RESET with an integer as the body", "96 03 07 05 01 01 00"}});
}

// The beginnings of control messages whose first fields are many; each table says how they go on.
const std::string kDigest = "c4 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ";
const std::string kHead = "96 40 07 05 00 01 99 01 01 " + kDigest;
const std::string kIntroduction = "01 01 01 a1 64 01 a1 61 00 00 c4 00 a1 70 a1 62 c0 ";
const std::string kHello = "96 42 07 05 00 01 dc 00 1e " + kIntroduction;
const std::string kOwnNumbers = " 00 00 00 00 00 00 00 c0 c2 c2";
const std::string kLongHead = "96 40 07 05 00 01 9c 01 01 " + kDigest;
const std::string kHeartbeat = "96 45 07 05 00 01 98 01 02 ";
const std::string kNews = "96 4e 07 05 00 01 92 ";
const std::string kTick = "96 4f 07 05 00 01 97 08 05 ";

TEST_CASE("accepted: the least that control messages may say, and fields after the last") {
  const Case cases[] = {
      {"HEAD", kHead + "c0 90 00 c4 00 c0 90"},
      {"HEAD that took over nothing", kHead + "c0 90 00 c4 00 92 00 00 90"},
      {"HEAD that keeps duplicates", kLongHead + "c0 90 00 c4 00 c0 90 c3 00 c3"},
      {"HEAD with more in its arrays", kHead + "96 01 02 c0 04 05 06 90 00 c4 00 93 05 04 90 90"},
      {"HELLO", kHello + "00 00 00 00 94 00 00 c4 00 c2 00 00 00" + kOwnNumbers},
      {"HELLO with more in `former`",
       kHello + "00 00 00 00 95 00 00 c4 00 c2 2a 00 00 00" + kOwnNumbers},
      {"HEARTBEAT", kHeartbeat + "00 00 00 c0 90 90"},
      {"HEARTBEAT of one digest", kHeartbeat + "05 01 03 c0 94 08 05 01 " + kDigest + "90"},
      {"SNAPSHOT_REQUEST", "96 49 07 05 00 01 96 08 05 00 01 c3 c4 00"},
      {"PROBE_REQUEST", "96 4c 07 05 00 01 91 08"},
      {"PROBE_REPORT", "96 4d 07 05 00 01 92 08 c2"},
      {"NEWS of nobody", kNews + "90 c2"},
      {"NEWS of one", kNews + "91 96 a1 61 00 03 00 00 03 c2"},
      {"NEWS of one that was removed", kNews + "91 97 a1 61 00 03 00 00 03 c3 c2"},
      {"NEWS with more in an entry", kNews + "91 98 a1 61 00 03 00 00 03 c2 91 2a c2"},
      {"TICK that visited nobody", kTick + "01 01 04 90 90"},
      {"TICK", kTick + "01 02 04 93 08 05 00 91 09"},
      {"TICK_ACK", "96 50 07 05 00 01 93 08 01 02"},
      {"JOINED", "96 52 07 05 00 01 93 00 01 92 a1 61 05"},
      {"JOINED of a mesh of lists", "96 52 07 05 00 01 93 00 01 92 a0 00"},
      {"JOINED with more", "96 52 07 05 00 01 94 00 01 92 a0 00 c0"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.why);
    const Verdict verdict = decode_all(framed(each.hex));
    CHECK_MESSAGE(verdict.has_value(), show(verdict));
  }
}

// One request, and its prompt of 5 tokens, at one node; no chunks.
const std::string kBookings = "96 53 07 05 00 01 94 01 95 07 01 01 05 05 90 ";

TEST_CASE("refused: published control messages that break a rule of their body") {
  check_refused(
      WireError::bad_body,
      {{"HEAD with a digest of 15 bytes",
        "96 40 07 05 00 01 99 01 01 c4 0f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 c0 90 00 c4 "
        "00 c0 90"},
       {"HEAD without a vector", "96 40 07 05 00 01 94 01 01 " + kDigest + "c0"},
       {"HEAD whose load is short", kHead + "94 01 02 03 04 90 00 c4 00 c0 90"},
       {"HEAD whose load is text", kHead + "a1 61 90 00 c4 00 c0 90"},
       {"HEAD that ends with the vector", "96 40 07 05 00 01 95 01 01 " + kDigest + "c0 90"},
       {"HEAD whose refute has 33 bits", kHead + "c0 90 cf 00 00 00 01 00 00 00 00 c4 00 c0 90"},
       {"HEAD whose engine token is text", kHead + "c0 90 00 a0 c0 90"},
       {"HEAD that took over an epoch alone", kHead + "c0 90 00 c4 00 91 05 90"},
       {"HEAD that took over a number", kHead + "c0 90 00 c4 00 05 90"},
       {"HEAD that took over an epoch past 2^62",
        kHead + "c0 90 00 c4 00 92 cf 40 00 00 00 00 00 00 01 00 90"},
       {"HEAD that keeps 1 of duplicates", kLongHead + "c0 90 00 c4 00 c0 90 c3 00 01"},
       {"HEAD without news", "96 40 07 05 00 01 98 01 01 " + kDigest + "c0 90 00 c4 00 c0"},
       {"HEAD whose news is nil", kHead + "c0 90 00 c4 00 c0 c0"},
       {"BOOKINGS whose pulls are nil", kBookings + "c0"},
       {"BOOKINGS with two thirds of a pull", kBookings + "92 00 05"},
       {"BOOKINGS that pulls at a second node of one", kBookings + "93 01 05 05"},
       {"BOOKINGS that pulls twice at one node", kBookings + "96 00 05 05 00 05 05"},
       {"BOOKINGS that pulls more than its prompts have", kBookings + "93 00 ce 00 10 00 01 00"},
       {"BOOKINGS that pulls more than all bookings have",
        kBookings + "93 00 00 cf 00 00 00 50 00 00 00 00"},
       {"MARKER with two thirds of an entry", "96 41 07 05 00 01 91 92 07 05"},
       {"MARKER whose vector is nil", "96 41 07 05 00 01 91 c0"}});
}

TEST_CASE("refused: introductions and heartbeats that break a rule of their body") {
  check_refused(
      WireError::bad_body,
      {{"HELLO that ends with the endpoints", "96 42 07 05 00 01 9c " + kIntroduction},
       {"HELLO with two thirds of a standing",
        "96 42 07 05 00 01 9f " + kIntroduction + "00 00 00"},
       {"HELLO with a state of 4", kHello + "00 00 00 04 94 00 00 c4 00 c2 00 00 00" + kOwnNumbers},
       {"HELLO without `former`", "96 42 07 05 00 01 dc 00 10 " + kIntroduction + "00 00 00 00"},
       {"HELLO whose `former` is nil", kHello + "00 00 00 00 c0 00 00 00" + kOwnNumbers},
       {"HELLO whose `former` is short",
        kHello + "00 00 00 00 93 00 00 c4 00 00 00 00" + kOwnNumbers},
       {"HELLO whose `former` has 0 for false",
        kHello + "00 00 00 00 94 00 00 c4 00 00 00 00 00" + kOwnNumbers},
       {"HELLO whose `former` is of a text",
        kHello + "00 00 00 00 94 00 00 a0 c2 00 00 00" + kOwnNumbers},
       {"HELLO with a lease below 0",
        kHello + "00 00 00 00 94 00 00 c4 00 c2 ff 00 00" + kOwnNumbers},
       {"HELLO without its number", "96 42 07 05 00 01 dc 00 1a " + kIntroduction +
                                        "00 00 00 00 94 00 00 c4 00 c2 00 00 00 00 00 00 00 00 00"},
       {"HELLO without the former lease",
        "96 42 07 05 00 01 dc 00 13 " + kIntroduction + "00 00 00 00 94 00 00 c4 00 c2 00 00"},
       {"REFUSED with binary", "96 44 07 05 00 01 91 c4 01 61"},
       {"HEARTBEAT with text", "96 45 07 05 00 01 98 a1 61 02 00 00 00 c0 90 90"},
       {"HEARTBEAT of a beat alone", "96 45 07 05 00 01 91 2a"},
       {"HEARTBEAT with a state of 4", kHeartbeat + "00 00 04 c0 90 90"},
       {"HEARTBEAT whose state is text", kHeartbeat + "00 00 a1 61 c0 90 90"},
       {"HEARTBEAT whose load is short", kHeartbeat + "00 00 00 91 01 90 90"},
       {"HEARTBEAT whose digests are nil", kHeartbeat + "00 00 00 c0 c0 90"},
       {"HEARTBEAT with three quarters of a digest", kHeartbeat + "00 00 00 c0 93 08 05 01 90"},
       {"HEARTBEAT with a digest of one byte", kHeartbeat + "00 00 00 c0 94 08 05 01 c4 01 00 90"},
       {"HEARTBEAT with a digest of nothing", kHeartbeat + "00 00 00 c0 94 08 05 01 c0 90"},
       {"HEARTBEAT without news", "96 45 07 05 00 01 97 01 02 00 00 00 c0 90"}});
}

TEST_CASE("refused: questions and answers of repair that break a rule of their body") {
  check_refused(
      WireError::bad_body,
      {{"REPLAY_REQUEST from 0", "96 47 07 05 00 01 94 08 05 00 04"},
       {"REPLAY_REQUEST that ends before it begins", "96 47 07 05 00 01 94 08 05 05 04"},
       {"REPLAY with a status of 3", "96 48 07 05 00 01 94 08 05 03 c4 00"},
       {"REPLAY with frames as text", "96 48 07 05 00 01 94 08 05 00 a0"},
       {"SNAPSHOT_REQUEST with 1 for true", "96 49 07 05 00 01 96 08 05 00 01 01 c4 00"},
       {"SNAPSHOT_REQUEST without an engine token", "96 49 07 05 00 01 95 08 05 00 01 c3"},
       {"SNAPSHOT_REQUEST of an engine token as text", "96 49 07 05 00 01 96 08 05 00 01 c3 a0"},
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

TEST_CASE("refused: messages about members that break a rule of their body") {
  check_refused(
      WireError::bad_body,
      {{"PROBE_REQUEST for nobody", "96 4c 07 05 00 01 90"},
       {"PROBE_REQUEST for an address", "96 4c 07 05 00 01 91 a1 61"},
       {"PROBE_REPORT that does not say", "96 4d 07 05 00 01 91 08"},
       {"PROBE_REPORT with 1 for true", "96 4d 07 05 00 01 92 08 01"},
       {"NEWS that is nil", kNews + "c0 c2"},
       {"NEWS with 0 for false", kNews + "90 00"},
       {"NEWS that is flat", kNews + "96 a1 61 00 03 00 00 03 c2"},
       {"NEWS of an integer", kNews + "91 05 c2"},
       {"NEWS of five fields", kNews + "91 95 a1 61 00 03 00 00 c2"},
       {"NEWS of no address", kNews + "91 96 a0 00 03 00 00 03 c2"},
       {"NEWS of an address in binary", kNews + "91 96 c4 01 61 00 03 00 00 03 c2"},
       {"NEWS of a rank of 33 bits",
        kNews + "91 96 a1 61 cf 00 00 00 01 00 00 00 00 03 00 00 03 c2"},
       {"NEWS of one that was removed by a number", kNews + "91 97 a1 61 00 03 00 00 03 01 c2"},
       {"NEWS of a role of 4", kNews + "91 96 a1 61 00 04 00 00 03 c2"},
       {"NEWS of an epoch past 2^62",
        kNews + "91 96 a1 61 00 03 cf 40 00 00 00 00 00 00 01 00 03 c2"},
       {"NEWS of a state of 4", kNews + "91 96 a1 61 00 03 00 00 04 c2"},
       {"NEWS of a state by its name", kNews + "91 96 a1 61 00 03 00 00 a4 64 65 61 64 c2"},
       {"TICK of round 0", kTick + "01 00 04 90 90"},
       {"TICK of round 3", kTick + "01 03 04 90 90"},
       {"TICK of round 257", kTick + "01 cd 01 01 04 90 90"},
       {"TICK of a nonce past 2^62", kTick + "cf 40 00 00 00 00 00 00 01 01 04 90 90"},
       {"TICK of 2^32 hops", kTick + "01 01 cf 00 00 00 01 00 00 00 00 90 90"},
       {"TICK that does not say who was skipped", "96 4f 07 05 00 01 96 08 05 01 01 04 90"},
       {"TICK whose visited are nil", kTick + "01 01 04 c0 90"},
       {"TICK whose skipped are nil", kTick + "01 01 04 90 c0"},
       {"TICK that visited two thirds", kTick + "01 01 04 92 08 05 90"},
       {"TICK that visited a text", kTick + "01 01 04 93 a1 61 05 00 90"},
       {"TICK that skipped a text", kTick + "01 01 04 90 91 a1 61"},
       {"TICK_ACK of round 0", "96 50 07 05 00 01 93 08 01 00"},
       {"TICK_ACK of round 3", "96 50 07 05 00 01 93 08 01 03"},
       {"TICK_ACK of no round", "96 50 07 05 00 01 92 08 01"},
       {"JOIN of nothing", "96 51 07 05 00 01 90"},
       {"JOINED without members", "96 52 07 05 00 01 91 01"},
       {"JOINED without a founder", "96 52 07 05 00 01 92 00 01"},
       {"JOINED of a nil founder", "96 52 07 05 00 01 93 00 01 c0"},
       {"JOINED of a founder without a life", "96 52 07 05 00 01 93 00 01 91 a1 61"},
       {"JOINED of a founder of life 0", "96 52 07 05 00 01 93 00 01 92 a1 61 00"},
       {"JOINED of nobody's life", "96 52 07 05 00 01 93 00 01 92 a0 05"},
       {"JOINED with a rank of 33 bits",
        "96 52 07 05 00 01 93 cf 00 00 00 01 00 00 00 00 02 92 a0 00"}});
}

TEST_CASE("refused: types that this version does not know, told apart by what must be done") {
  check_refused(WireError::unknown_op, {{"type 0", "96 00 07 05 01 01 90"},
                                        {"type 6", "96 06 07 05 01 01 90"},
                                        {"type 63", "96 3f 07 05 01 01 90"}});
  check_refused(WireError::unknown_control,
                {{"type 88", "96 58 07 05 00 01 90"}, {"type 255", "96 cc ff 07 05 00 01 90"}});
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

// ---- bounds ------------------------------------------------------------------------------------

std::string verdict_on(Message message) { return show(decode_all(encode(message))); }
std::string verdict_on(MessageType type, Body body, Seq seq = {}) {
  return verdict_on(example_message(type, true, seq, std::move(body)));
}
const std::string kBad(sentence(WireError::bad_body));

TEST_CASE("refused: more than the bounds of limits.h") {
  const DeleteOp removal{std::vector<Anchor>(limits::delete_entries_max + 1, {Seq{1}, 1})};
  CHECK(verdict_on(MessageType::remove, removal, Seq{1}) == kBad);
  const MarkerMessage marker{std::vector<VectorEntry>(limits::members_max + 1)};
  CHECK(verdict_on(MessageType::marker, marker) == kBad);
  const RefusedMessage refused{std::string(limits::reason_bytes_max + 1, 'x')};
  CHECK(verdict_on(MessageType::refused, refused) == kBad);
  InsertOp insert = example_insert_root();
  insert.name.parts[1] = {NamespacePart::Kind::text,
                          std::string(limits::namespace_part_bytes_max + 1, 'x')};
  CHECK(verdict_on(MessageType::insert, insert, Seq{1}) == kBad);
}

TEST_CASE_TEMPLATE("refused: introductions past the bounds", T, HelloMessage, WelcomeMessage,
                   JoinMessage) {
  const auto with = [&](auto&& change) {
    T message{example_introduction(true)};
    change(message);
    return verdict_on(type_of(Body(message)), message);
  };
  const std::string long_addr(limits::address_bytes_max + 1, 'x');
  const std::string long_token(limits::engine_token_bytes_max + 1, 'x');
  CHECK(with([](T&) {}) != kBad);
  CHECK(with([&](T& it) { it.addr = long_addr; }) == kBad);
  CHECK(with([&](T& it) { it.publish_addr = long_addr; }) == kBad);
  CHECK(with([&](T& it) { it.bulk_addr = long_addr; }) == kBad);
  CHECK(with([](T& it) { it.cluster.assign(limits::cluster_bytes_max + 1, 'x'); }) == kBad);
  CHECK(with([&](T& it) { it.engine_token = long_token; }) == kBad);
  CHECK(with([&](T& it) { it.former.engine_token = long_token; }) == kBad);
  CHECK(with([&](T& it) { it.founder = {long_addr, Epoch{1}}; }) == kBad);
  CHECK(with([](T& it) { it.founder = {"a", Epoch{0}}; }) == kBad);
  CHECK(with([](T& it) { it.founder = {"a", Epoch{limits::count_max + 1}}; }) == kBad);
  CHECK(with([](T& it) { it.role = static_cast<Role>(4); }) == kBad);
  CHECK(with([](T& it) { it.seen.state = static_cast<MemberState>(4); }) == kBad);
  CHECK(with([](T& it) { it.seen.epoch.value = limits::count_max + 1; }) == kBad);
  CHECK(with([](T& it) { it.former.seq.value = limits::count_max + 1; }) == kBad);
  CHECK(with([](T& it) { it.protocol_min = 2; }) == kBad);
  static constexpr Duration kLongLease{limits::lease_us_max + 1};
  CHECK(with([](T& it) { it.lease = kLongLease; }) == kBad);
  CHECK(with([](T& it) { it.earlier_lease = kLongLease; }) == kBad);
  CHECK(with([](T& it) { it.former_lease = kLongLease; }) == kBad);
  for (auto field : {&T::beat, &T::bookings, &T::nonce, &T::stamp, &T::round, &T::question}) {
    CHECK(with([&](T& it) { it.*field = limits::count_max + 1; }) == kBad);
  }
  CHECK(with([](T& it) { it.head.value = limits::count_max + 1; }) == kBad);
}

TEST_CASE("refused: what nodes say of others past the bounds") {
  const auto with = [](auto message, auto&& change) {
    change(message);
    return verdict_on(type_of(Body(message)), message);
  };
  const std::string long_token(limits::engine_token_bytes_max + 1, 'x');
  const auto too_many = [](auto& it) {
    it.news.assign(limits::news_per_message_max + 1, example_news_of_r0(0, MemberState::dead));
  };
  const HeartbeatMessage heartbeat{example_pulse(true)};
  CHECK(with(NewsMessage{}, too_many) == kBad);
  CHECK(with(example_head(), too_many) == kBad);
  CHECK(with(heartbeat, too_many) == kBad);
  CHECK(with(HeartbeatAckMessage{example_pulse(true)}, too_many) == kBad);
  CHECK(with(heartbeat, [](auto& it) { it.digests.resize(limits::heartbeat_digests_max + 1); }) ==
        kBad);
  CHECK(with(example_head(), [&](auto& it) { it.engine_token = long_token; }) == kBad);
  CHECK(with(example_head(), [](auto& it) { it.vector.resize(limits::members_max + 1); }) == kBad);
  CHECK(with(SnapshotRequest{}, [&](auto& it) { it.engine_token = long_token; }) == kBad);
  CHECK(with(NewsMessage{}, [](auto& it) {
          it.news.assign(1, example_news_of_r0(0, MemberState::dead));
          it.news[0].addr.assign(limits::address_bytes_max + 1, 'x');
        }) == kBad);
  CHECK(with(NewsMessage{}, [](auto& it) {
          it.news.assign(1, example_news_of_r0(0, MemberState::dead));
          it.news[0].rank = NodeRank{limits::rank_max + 1};
        }) == kBad);
  CHECK(with(example_head(), [](auto& it) { it.refute = limits::refute_max + 1; }) == kBad);
  CHECK(with(example_tick(), [](auto& it) { it.visited.resize(limits::members_max + 1); }) == kBad);
  CHECK(with(example_tick(), [](auto& it) { it.skipped.resize(limits::members_max + 1); }) == kBad);
}

TEST_CASE("accepted: what is as full as the bounds allow fits a frame") {
  constexpr NodeId kNode{~std::uint64_t{0}};
  constexpr Epoch kEpoch{limits::count_max};
  constexpr Seq kSeq{limits::count_max};
  constexpr std::uint32_t kMax = ~std::uint32_t{0};
  const std::vector<MemberNews> news(limits::news_per_message_max,
                                     {std::string(limits::address_bytes_max, 'x'), NodeRank{kMax},
                                      Role::router, kEpoch, limits::refute_max, MemberState::left});
  const Load load{kMax,
                  kMax,
                  ~std::uint64_t{0},
                  ~std::uint64_t{0},
                  ~std::uint64_t{0},
                  limits::count_max,
                  limits::count_max};
  HeadMessage head;
  head.beat = limits::count_max;
  head.head = kSeq;
  head.load = load;
  head.vector.assign(limits::members_max, {kNode, kEpoch, kSeq});
  head.refute = limits::refute_max;
  head.engine_token.assign(limits::engine_token_bytes_max, 'x');
  head.taken_over = TakenOver{kEpoch, kSeq};
  head.news = news;
  HeartbeatMessage heartbeat;
  heartbeat.beat = limits::count_max;
  heartbeat.view_hash = ~std::uint64_t{0};
  heartbeat.seen = {kEpoch, limits::refute_max, MemberState::left};
  heartbeat.load = load;
  heartbeat.digests.assign(limits::heartbeat_digests_max, {{kNode, kEpoch, kSeq}, ~Digest{0}});
  heartbeat.news = news;
  TickMessage tick{kNode, kEpoch, limits::count_max, 2, kMax, {}, {}};
  tick.visited.assign(limits::members_max, {kNode, kEpoch, limits::refute_max});
  tick.skipped.assign(limits::members_max, kNode);
  constexpr std::uint32_t kBookings = limits::bookings_max;
  constexpr std::uint64_t kTokens = std::uint64_t{kBookings} * limits::request_tokens_max;
  BookingsMessage bookings{limits::count_max, {}, {}};
  bookings.promises.assign(limits::members_max, {kNode, {kBookings, kBookings, kTokens, kTokens}});
  bookings.chunks.assign(limits::booked_chunks_per_message_max, {kNode, {ChunkHash{~0ull}}});
  // The most that bookings can be, spread evenly.
  constexpr std::uint32_t kEach = kBookings / limits::members_max;
  constexpr std::uint64_t kTogether = std::uint64_t{kEach} * limits::request_tokens_max;
  const Promise each{kEach, kEach, kTogether, kTogether, kTogether, kTogether};
  BookingsMessage pulls = bookings;
  pulls.promises.assign(limits::members_max, {kNode, each});
  for (const Body& body : {Body(head), Body(heartbeat), Body(NewsMessage{news, true}), Body(tick),
                           Body(bookings), Body(pulls)}) {
    const Message message = example_message(type_of(body), true, Seq{}, body);
    CAPTURE(int{message.envelope.type});
    CHECK(verdict_on(message) == WireShow::of(message));
  }
}

}  // namespace
}  // namespace radixmesh
