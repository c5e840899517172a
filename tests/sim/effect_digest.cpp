#include "tests/sim/effect_digest.h"

#include <type_traits>
#include <variant>

#include "lib/tree/digest.h"

namespace radixmesh::sim {
namespace {

// The fields of each kind, in their order.
struct Fields {
  EffectDigest& digest;

  void operator()(const Publish& of) { all(of.lane, of.frame, of.group); }
  void operator()(const ListenToGroup& of) { all(of.group); }
  void operator()(const PublishMarker& of) { all(of.subscriber, of.frame); }
  void operator()(const Ask& of) { all(of.peer, of.channel, of.frame); }
  void operator()(const Answer& of) { all(of.peer, of.channel, of.frame); }
  void operator()(const SubscribeTo& of) { all(of.peer, of.publish_addr, of.watch_only); }
  void operator()(const UnsubscribeFrom& of) { all(of.peer); }
  void operator()(const AskMarkers&) {}
  void operator()(const ConnectPeer& of) { all(of.peer, of.addr); }
  void operator()(const DropPeer& of) { all(of.peer); }
  void operator()(const FindSeeds&) {}
  void operator()(const Redial& of) { all(of.peer); }
  void operator()(const BulkPeer& of) { all(of.peer, of.bulk_addr); }
  void operator()(const OpApplied& of) { all(of.origin, of.epoch, of.seq, of.type, of.tokens); }
  void operator()(const MembershipChanged& of) {
    all(of.addr, of.rank, of.role, of.epoch, of.state);
  }
  void operator()(const GcFree& of) {
    all(of.number, of.advice, of.epoch, of.seq, of.slots.runs().size());
    for (const SlotRun& run : of.slots.runs()) all(run.start, run.count);
  }
  void operator()(const Left&) {}
  void operator()(const LogLine& of) { all(of.level, of.event, of.detail); }

 private:
  template <class... Values>
  void all(const Values&... values) {
    (one(values), ...);
  }
  void one(const std::string& text) { digest.add(text); }
  template <class Value>
  void one(const Value& value) {
    if constexpr (std::is_enum_v<Value> || std::is_integral_v<Value>) {
      digest.add(static_cast<std::uint64_t>(value));
    } else {
      digest.add(static_cast<std::uint64_t>(value.value));
    }
  }
};

}  // namespace

EffectDigest::EffectDigest() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }

void EffectDigest::add(TimePoint now, std::size_t node, const std::vector<Effect>& effects) {
  for (const Effect& effect : effects) {
    add(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    add(node);
    add(effect.index());
    std::visit(Fields{*this}, effect);
  }
}

void EffectDigest::add(std::string_view text) {
  add(text.size());
  XXH3_128bits_update(state_.get(), text.data(), text.size());
}

void EffectDigest::add(std::uint64_t number) {
  XXH3_128bits_update(state_.get(), &number, sizeof number);
}

std::string EffectDigest::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return digest_hex((static_cast<Digest>(hash.high64) << 64) | hash.low64);
}

}  // namespace radixmesh::sim
