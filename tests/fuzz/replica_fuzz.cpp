// Fuzzes a whole replica: "d0" of tests/unit/lone_replica.h, which holds something itself and knows
// something of p0 and p1, gets messages on every channel. Nothing may crash; what d0 holds itself
// stays; and what others hold stays, unless a valid message of a member was among what came.
//
// The input is records [kind, length of 2 bytes, big-endian, payload]: bits 0-1 of kind choose the
// channel (published, question, answer, time passes), bits 2-3 who sends (p0, p1, r0, a stranger),
// bit 4 whether the payload is the inside of a frame, whose length is then written before it. Of
// the input's first byte bit 0 chooses the topology, bits 1-2 how duplicates are collected.
#include <cstdio>
#include <cstdlib>

#include "tests/unit/lone_replica.h"
#include "tests/unit/wire_hex.h"

namespace radixmesh {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class ReplicaTrial {
 public:
  ReplicaTrial(Topology topology, GcMode mode) : d0_(settings(topology, mode)), mode_(mode) {
    for (const char* name : {"p0", "p1", "r0"}) d0_.introduce(name);
    d0_.published(LoneReplica::message("p0", 1, LoneReplica::insert_of("abcd", 10)));
    d0_.published(LoneReplica::message("p0", 2, LoneReplica::insert_of("xy", 20, {Seq{1}, 2})));
    d0_.published(LoneReplica::message("p1", 1, LoneReplica::insert_of("abcdef", 10)));
    const auto tokens = tokens_of("abcde");
    (void)d0_.replica.insert(d0_.now, {}, tokens, {{Slot{100}, tokens.size()}});
    // Of p0 two ops are missing, so that repair is under way.
    HeadMessage head;
    head.beat = 1;
    head.head = Seq{4};
    d0_.published(LoneReplica::message("p0", 0, head));
    d0_.replica.set_engine_frees(d0_.now, true, true);
    // It refers to what p0 has, as far as p0 lets it.
    (void)d0_.replica.acquire(d0_.now, {}, tokens_of("abxy"), true);
    before_ = d0_.match("abcdef");
  }

  void take(std::uint8_t kind, std::string_view payload) {
    const Bytes bytes = (kind & 16) != 0 ? reframed(payload) : Bytes(payload);
    const std::string from = std::array{"p0", "p1", "r0", "stranger"}[kind >> 2 & 3];
    if ((kind & 3) == 3) {
      // Never so long that a silent peer counts as dead.
      elapsed_ += payload.size();
      if (elapsed_ < 2000) d0_.now += std::chrono::milliseconds(payload.size());
      d0_.replica.step(d0_.now, Tick{});
    } else {
      told_ = told_ || says_something(bytes);
      if ((kind & 3) == 0) d0_.published(bytes);
      if ((kind & 3) == 1) d0_.asked(from, bytes);
      if ((kind & 3) == 2) d0_.answered(from, bytes);
    }
    check_effects();
    check_lookups();
  }

  void finish() {
    (void)d0_.replica.status();
    (void)d0_.replica.nodes(d0_.now);
    (void)d0_.replica.tree(0, 100);
    for (const char* name : {"p0", "p1", "d0"}) (void)d0_.replica.entries(name, 0, 100);
    (void)d0_.replica.gc(d0_.now, true);
    (void)d0_.replica.evict(d0_.now, 2);
    const auto reset = d0_.replica.reset(d0_.now);
    const bool may_wait = mode_ != GcMode::off && !reset;
    require(reset || (may_wait && reset.error().code == RefusalCode::retry_later),
            "the engine's verbs go on");
    check_effects();
  }

 private:
  static ReplicaSettings settings(Topology topology, GcMode mode) {
    ReplicaSettings settings;
    settings.gc.mode = mode;
    settings.topology = topology;
    settings.seed = 1;
    return settings;
  }

  // Whether some frame is a valid message of a member; what it says may change what is known.
  static bool says_something(std::string_view payload) {
    while (!payload.empty()) {
      const auto frame = take_frame(payload);
      if (!frame) return false;
      const auto message = decode(*frame);
      if (!message) continue;
      for (const char* name : {"p0", "p1", "r0"}) {
        if (message->envelope.origin == LoneReplica::id(name)) return true;
      }
    }
    return false;
  }

  // Whatever it sends can be read by others.
  void check_effects() {
    for (const Effect& effect : d0_.replica.take_effects()) {
      const Bytes* frame = nullptr;
      if (const auto* publish = std::get_if<Publish>(&effect)) frame = &publish->frame;
      if (const auto* marker = std::get_if<PublishMarker>(&effect)) frame = &marker->frame;
      if (const auto* ask = std::get_if<Ask>(&effect)) frame = &ask->frame;
      if (const auto* answer = std::get_if<Answer>(&effect)) frame = &answer->frame;
      if (frame != nullptr) require(decode(*frame).has_value(), "what is sent can be read");
    }
  }

  void check_lookups() {
    const MatchView match = d0_.match("abcdef");
    require(match.local_length == before_.local_length && match.local_slots == before_.local_slots,
            "what is here stays");
    require(told_ || match == before_, "garbage changes no answer");
  }

  LoneReplica d0_;
  GcMode mode_;
  MatchView before_;
  bool told_ = false;
  std::uint64_t elapsed_ = 0;
};

}  // namespace
}  // namespace radixmesh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace radixmesh;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  ReplicaTrial trial((input[0] & 1) != 0 ? Topology::ring : Topology::mesh,
                     static_cast<GcMode>((input[0] >> 1 & 3) % 3));
  input.remove_prefix(1);
  while (input.size() >= 3) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(input[at]); };
    const std::size_t length = byte(1) * 256u + byte(2);
    const std::uint8_t kind = byte(0);
    input.remove_prefix(3);
    trial.take(kind, input.substr(0, length));
    input.remove_prefix(std::min(length, input.size()));
  }
  trial.finish();
  return 0;
}
