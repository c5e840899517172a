// One replica without a network: the test says what arrives, byte by byte, and sees what is owed.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/node_id.h"
#include "lib/replica.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh {

inline constexpr Epoch kPeerEpoch{100};

// "d0" among the members p0, p1, d0 and r0.
class LoneReplica {
 public:
  explicit LoneReplica(ReplicaSettings settings = {})
      : settings_(with_members(std::move(settings))), replica(settings_, TimePoint{}) {}

  static NodeId id(const std::string& name) { return node_id("default", name); }
  // What a peer would say; an op if `seq` is not 0.
  static Message message(const std::string& from, std::uint64_t seq, Body body,
                         Epoch epoch = kPeerEpoch, std::uint8_t ttl = 1) {
    const auto type = static_cast<std::uint8_t>(radixmesh::type_of(body));
    return Message{Envelope{type, id(from), epoch, Seq{seq}, ttl}, std::move(body)};
  }
  static InsertOp insert_of(std::string_view letters, std::uint64_t slot, Anchor anchor = {}) {
    const auto tokens = tokens_of(letters);
    return InsertOp{anchor, {}, tokens, {{Slot{slot}, tokens.size()}}};
  }

  void published(const Bytes& payload) { replica.step(now, Published{payload}); }
  void published(const Message& message) { published(encode(message)); }
  // The shell's turn then ends, as turns do.
  void asked(const std::string& from, const Bytes& payload) {
    replica.step(now, Received{id(from), Channel::control, false, payload});
    replica.step(now, Tick{});
  }
  void answered(const std::string& from, const Bytes& payload) {
    replica.step(now, Received{id(from), Channel::bulk, true, payload});
  }
  // From then on the peer counts as alive.
  void introduce(const std::string& name, Epoch epoch = kPeerEpoch) {
    WelcomeMessage hello;
    hello.cluster = settings_.cluster;
    hello.page_size = settings_.page_size;
    hello.fingerprint = settings_fingerprint(settings_.cluster, settings_.page_size);
    hello.addr = hello.publish_addr = hello.bulk_addr = name;
    for (std::uint32_t i = 0; i < settings_.members.size(); ++i) {
      if (settings_.members[i].addr != name) continue;
      hello.rank = NodeRank{i};
      hello.role = settings_.members[i].role;
    }
    const Bytes welcome = encode(message(name, 0, hello, epoch));
    replica.step(now, Received{id(name), Channel::control, true, welcome});
  }

  template <class T>
  std::vector<T> owed() {
    std::vector<T> out;
    for (Effect& effect : replica.take_effects()) {
      if (auto* one = std::get_if<T>(&effect)) out.push_back(std::move(*one));
    }
    return out;
  }
  MatchView match(std::string_view letters) { return replica.match_prefix({}, tokens_of(letters)); }
  std::uint64_t counter(std::string_view name) {
    const StatusView view = replica.status();
    const auto found = view.counters.find(name);
    return found == view.counters.end() ? 0 : found->second;
  }

 private:
  static ReplicaSettings with_members(ReplicaSettings settings) {
    settings.members = {
        {"p0", Role::prefill}, {"p1", Role::prefill}, {"d0", Role::decode}, {"r0", Role::router}};
    settings.self = "d0";
    settings.epoch = Epoch{50};
    settings.publish_addr = settings.bulk_addr = "d0";
    return settings;
  }
  ReplicaSettings settings_;

 public:
  Replica replica;
  TimePoint now{};
};

}  // namespace radixmesh
