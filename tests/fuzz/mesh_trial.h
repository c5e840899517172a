// A small mesh among whose honest messages are forged ones, and what must be true of it when they
// have ended: it gets well by itself (lib/oplog/WIRE.md, "Numbers that only grow").
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/node_id.h"
#include "tests/fuzz/plausible.h"
#include "tests/sim/named_mesh.h"

namespace radixmesh {

class MeshTrial {
 public:
  static constexpr std::size_t kNodes = 3;
  enum class Way : std::uint8_t { published, question, answer };

  MeshTrial(Topology topology, GcMode mode, bool engines_free)
      : mesh_({"p0", "p1", "d0"}, settings(topology, mode)) {
    mesh_.start_all();
    require_soon(std::chrono::seconds(20), "starts", [&] {
      return std::ranges::all_of(mesh_.names(),
                                 [&](const auto& name) { return mesh_.at(name).ready(); });
    });
    for (std::size_t node = 0; node < kNodes; ++node) {
      Replica& replica = at(node);
      if (engines_free) replica.set_engine_frees(mesh_.now(), true, false);
      insert(node, std::string("abcd").substr(0, 4) + static_cast<char>('e' + node));
      // It refers to what others have, as far as they let it.
      acquire(node, "abcdefg");
    }
    mesh_.network().on_gc_free = [this](std::size_t node, const GcFree& free) {
      if (!free.advice) at(node).acknowledge_free(free.number);
    };
    mesh_.run(std::chrono::milliseconds(200));
  }

  // As they are at this moment.
  Speaker speaker(std::size_t node) {
    const StatusView status = at(node).status();
    const VectorView own = status.vector.at(status.addr);
    return {status.addr, status.rank, status.role, own.epoch, own.seq, own.digest};
  }
  static NodeId stranger() { return node_id("default", "stranger"); }

  void take(NodeId from, std::size_t to, Way way, Channel channel, const Bytes& payload) {
    if (way == Way::published) {
      at(to).step(mesh_.now(), Published{payload});
    } else {
      at(to).step(mesh_.now(), Received{from, channel, way == Way::answer, payload});
    }
    // The shell's turn then ends.
    at(to).step(mesh_.now(), Tick{});
    mesh_.network().perform(to);
  }

  void pass(Duration time) {
    time = std::min(time, kTimeMax - passed_);
    passed_ += time;
    mesh_.run(time);
  }

  // One of the engine's verbs; what it is refused does not matter while there are forgers.
  void call(std::size_t node, std::uint8_t verb, std::uint8_t argument) {
    Replica& replica = at(node);
    const TimePoint now = mesh_.now();
    const std::string letters = std::string("abcdxyz").substr(0, argument % 8);
    switch (verb % 7) {
      case 0:
        insert(node, letters);
        break;
      case 1:
        (void)replica.evict(now, argument);
        break;
      case 2:
        acquire(node, letters);
        break;
      case 3:
        release_all(node);
        break;
      case 4:
        if (const auto routed = replica.route(now, {}, tokens_of(letters), true)) {
          if (routed->booking) replica.finish_booking(now, *routed->booking);
        }
        break;
      case 5:
        (void)replica.gc(now, true);
        break;
      default:
        (void)replica.remove(now, {}, tokens_of(letters));
    }
    mesh_.network().perform(node);
  }

  // The forgers are gone: what they said must not last.
  void finish() {
    for (std::size_t node = 0; node < kNodes; ++node) release_all(node);
    require_soon(kHealMax, "what was forged does not last", [&] { return ailment().empty(); });
    // ... and does not come back in the time that it takes to miss somebody.
    mesh_.run(std::chrono::seconds(4));
    require_soon(kLook * 4, "it stays well", [&] { return ailment().empty(); });
    for (std::size_t node = 0; node < kNodes; ++node) require_verbs(node);
    require_soon(kHealMax, "nobody believes in what nobody holds", [&] {
      return ailment().empty() && std::ranges::all_of(mesh_.names(), [&](const auto& name) {
               return mesh_.at(name).status().tree_tokens == 0;
             });
    });
  }

 private:
  // Of an input's own time. More would only make it slow.
  static constexpr Duration kTimeMax = std::chrono::seconds(8);
  // Longer than every member is asked what it says of itself, than a hold and than a round.
  static constexpr Duration kHealMax = std::chrono::seconds(90);
  // Looked at in between: as often as that is cheap.
  static constexpr Duration kLook = std::chrono::milliseconds(500);

  static ReplicaSettings settings(Topology topology, GcMode mode) {
    ReplicaSettings settings;
    settings.gc.mode = mode;
    settings.topology = topology;
    // An input's time is spent on what is said and asked regularly: half as often as usual; and on
    // waiting for what ends what was forged: much sooner.
    settings.timers.heartbeat = std::chrono::milliseconds(1200);
    settings.timers.head_idle = std::chrono::seconds(2);
    settings.timers.audit = std::chrono::seconds(3);
    settings.gc.lease = std::chrono::seconds(2);
    settings.gc.round_max = std::chrono::seconds(10);
    return settings;
  }
  Replica& at(std::size_t node) { return mesh_.network().replica(node); }

  void insert(std::size_t node, std::string_view letters) {
    const auto tokens = tokens_of(letters);
    if (!tokens.empty()) {
      (void)at(node).insert(mesh_.now(), {}, tokens, {{Slot{next_slot_}, tokens.size()}});
    }
    next_slot_ += tokens.size();
    mesh_.network().perform(node);
  }
  void acquire(std::size_t node, std::string_view letters) {
    auto acquired = at(node).acquire(mesh_.now(), {}, tokens_of(letters), true);
    if (acquired && !acquired->wait) acquired_[node].push_back(std::move(*acquired));
    mesh_.network().perform(node);
  }
  void release_all(std::size_t node) {
    for (Acquired& each : acquired_[node]) {
      at(node).release(mesh_.now(), std::move(each.path), each.reference);
    }
    acquired_[node].clear();
    mesh_.network().perform(node);
  }

  template <class Condition>
  void require_soon(Duration limit, const char* what, Condition condition) {
    const TimePoint until = mesh_.now() + limit;
    while (!condition()) {
      if (mesh_.now() >= until) broken(what);
      mesh_.run(kLook);
    }
  }

  void require_verbs(std::size_t node) {
    Replica& replica = at(node);
    insert(node, "qrs");
    acquire(node, "qrs");
    if (acquired_[node].empty()) broken("acquire works");
    release_all(node);
    if (replica.match_prefix({}, tokens_of("qrs")).local_length != 3) broken("insert works");
    const auto routed = replica.route(mesh_.now(), {}, tokens_of("qrs"), false);
    if (!routed || !routed->prefill) broken("route works");
    require_soon(kHealMax, "evict(all) works", [&] {
      (void)replica.evict(mesh_.now(), ~0u);
      mesh_.network().perform(node);
      return replica.status().local_tokens == 0;
    });
    insert(node, "tu");
    require_soon(kHealMax, "reset works", [&] {
      const bool done = replica.reset(mesh_.now()).has_value();
      mesh_.network().perform(node);
      return done;
    });
  }

  // What is wrong with the mesh; empty if nothing is.
  std::string ailment() {
    const std::vector<std::string>& names = mesh_.names();
    for (const std::string& name : names) {
      Replica& replica = mesh_.at(name);
      const StatusView status = replica.status();
      if (!status.ready) return name + " is not ready";
      if (status.protected_tokens > 0 || status.gc.held_pages > 0) return name + " is locked";
      if (const std::string wrong = misjudged(name); !wrong.empty()) return name + ": " + wrong;
      for (const CandidateView& each :
           replica.explain(mesh_.now(), {}, tokens_of("ab")).candidates) {
        if (std::ranges::find(names, each.addr) != names.end() && !each.excluded.empty()) {
          return name + " excludes " + each.addr + ": " + std::string(each.excluded);
        }
      }
    }
    return {};
  }
  // Whom of the others this node takes for something else than they are.
  std::string misjudged(const std::string& name) {
    StatusView status = mesh_.at(name).status();
    for (const NodeView& each : mesh_.at(name).nodes(mesh_.now())) {
      if (std::ranges::find(mesh_.names(), each.addr) == mesh_.names().end()) continue;
      StatusView there = mesh_.at(each.addr).status();
      const VectorView &said = status.vector[each.addr], &is = there.vector[each.addr];
      if (each.state != MemberState::alive) return each.addr + " is not alive";
      if (!each.refusal.empty()) return each.addr + " is refused: " + each.refusal;
      if (each.epoch != is.epoch || said.epoch != is.epoch) return each.addr + " in another life";
      if (said.seq != is.seq || each.head != is.seq) return "ops of " + each.addr;
      if (said.digest != is.digest) return "entries of " + each.addr;
      if (each.rank != there.rank) return "the rank of " + each.addr;
      if (!each.work.booked.is_zero()) return "promises to " + each.addr;
    }
    return {};
  }

  [[noreturn]] void broken(const char* what) {
    for (const std::string& line : mesh_.network().log_lines) {
      std::fprintf(stderr, "  %s\n", line.c_str());
    }
    std::fprintf(stderr, "broken: %s (%s)\n", what, ailment().c_str());
    std::abort();
  }

  sim::NamedMesh mesh_;
  std::uint64_t next_slot_ = 1;
  Duration passed_{};
  std::vector<Acquired> acquired_[kNodes];
};

}  // namespace radixmesh
