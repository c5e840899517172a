#include "tests/sim/plan.h"

#include <sstream>

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;
using Random = Network::Random;

template <class T>
T pick(Random& random, std::initializer_list<T> values) {
  return values.begin()[random() % values.size()];
}

void draw_mesh(Random& random, Plan& plan) {
  ReplicaSettings& settings = plan.settings;
  settings.page_size = pick<std::uint32_t>(random, {1, 1, 2, 4, 16});
  settings.topology = pick(random, {Topology::mesh, Topology::ring, Topology::groups});
  // Groups are groups only where there are some.
  const std::size_t more = settings.topology == Topology::groups ? random() % 3 : 0;
  const auto add = [&](std::size_t count, Role role) {
    for (std::size_t i = 0; i < count; ++i) {
      settings.members.push_back({std::string(role_name(role)) + ":" + std::to_string(i), role});
    }
  };
  add(1 + random() % 3 + more, Role::prefill);
  add(random() % 3 + more, Role::decode);
  add(random() % 2, Role::unified);
  add(random() % 3, Role::router);
  settings.keep_remote_slots = random() % 4 != 0;
  settings.max_radix_cache_size = pick<std::uint64_t>(random, {0, 0, 200, 1000});
  settings.pieces_per_turn_max = pick<std::size_t>(random, {1, 5, 1000});
  settings.own_log_bytes_max = pick<std::size_t>(random, {1000, 20'000, 1'000'000});
  settings.other_log_bytes_max = pick<std::size_t>(random, {1000, 20'000, 1'000'000});
  Timers& timers = settings.timers;
  timers.forget_after = pick<Duration>(random, {600s, 600s, 4s});
  timers.former_kept = pick<Duration>(random, {60s, 60s, 2s});
  timers.tick = pick<Duration>(random, {10s, 1s});
}

void draw_faults(Random& random, Plan& plan) {
  plan.faults.loss = pick(random, {0.0, 0.01, 0.1, 0.3});
  plan.faults.duplication = pick(random, {0.0, 0.05, 0.3});
  plan.faults.reordering = pick(random, {0.0, 0.05, 0.5});
  plan.faults.burst = pick(random, {0.0, 0.0, 0.01});
  plan.faults.corruption = pick(random, {0.0, 0.0, 0.0, 0.002});
  plan.faults.in_flight_max = pick(random, {0, 0, 3});
  Mischief& mischief = plan.mischief;
  mischief.crash = pick(random, {0.0, 0.005, 0.03});
  mischief.cut = pick(random, {0.0, 0.005, 0.02});
  mischief.partition = pick(random, {0.0, 0.0, 0.01});
  mischief.pause = pick(random, {0.0, 0.0, 0.01});
  mischief.pause_max = pick<Duration>(random, {500ms, 5s, 20s});
  mischief.leave = pick(random, {0.0, 0.0, 0.005});
  mischief.join = pick(random, {0.0, 0.0, 0.01});
  mischief.slow = pick(random, {0.0, 0.0, 0.01});
  mischief.clock_step = pick(random, {0.0, 0.0, 0.02});
}

void draw_collection(Random& random, Plan& plan) {
  GcSettings& gc = plan.settings.gc;
  gc.mode = pick(random, {GcMode::off, GcMode::local_ref, GcMode::local_ref, GcMode::global_ref});
  gc.period = pick<Duration>(random, {200ms, 1s, 3s});
  gc.lease = pick<Duration>(random, {2s, 3s, 10s});
  gc.round_max = pick<Duration>(random, {3s, 20s});
  gc.keep_copies = pick<std::uint32_t>(random, {1, 1, 1, 2});
  gc.hot_copies = pick<std::uint32_t>(random, {0, 0, 2, 3});
  gc.expires_silent = random() % 2 == 0;
  plan.lease_changes = random() % 3 == 0;
  plan.read_max = pick<Duration>(random, {300ms, 3s, 15s});
  plan.engines_free = random() % 8 != 0;
  // Sometimes only messages are lost, late or doubled: then the last copy must stay.
  if (random() % 6 == 0) {
    plan.mischief = {};
    plan.faults.corruption = 0;
  }
  const Mischief& mischief = plan.mischief;
  plan.undisturbed = mischief.crash + mischief.cut + mischief.partition + mischief.pause +
                         mischief.leave + mischief.join + plan.faults.corruption ==
                     0;
}

// What came to be drawn later stands last, so that each seed keeps what it drew before. A mesh that
// nothing disturbs stays so.
void draw_strangers(Random& random, Plan& plan) {
  const double chance = pick(random, {0.0, 0.0, 0.0, 0.02, 0.1, 0.3});
  const bool is_member = random() % 2 == 0;
  const std::size_t liar = random() % plan.settings.members.size();
  plan.flood = pick(random, {0.0, 0.0, 0.0, 0.02});
  if (plan.undisturbed || chance == 0) return;
  plan.lies.chance = chance;
  if (is_member) plan.lies.liar = liar;
}

void draw_names(Random& random, Plan& plan) {
  const bool has_names = random() % 4 == 0;
  NameFaults names;
  names.slow = pick(random, {0.0, 0.1, 0.5});
  names.silent = pick(random, {0.0, 0.0, 0.3});
  names.failing = pick(random, {0.0, 0.0, 0.3});
  names.moves = pick(random, {0.0, 0.3, 1.0});
  names.no_descriptors = pick(random, {0.0, 0.0, 0.3});
  names.has_dead = random() % 3 == 0;
  if (plan.undisturbed || !has_names || !names.any()) return;
  plan.names = names;
  for (std::size_t i = 0; i < plan.settings.members.size(); ++i) {
    plan.settings.members[i].addr = "host" + std::to_string(i) + ":7000";
  }
}

void draw_service(Random& random, Plan& plan) {
  const bool is_one = random() % 6 == 0;
  Service service;
  service.missing = pick(random, {0.0, 0.3, 0.7});
  service.alone = pick(random, {0.0, 0.0, 0.3});
  service.unknown = pick(random, {0.0, 0.0, 0.3});
  const auto wait = pick<Duration>(random, {0s, 500ms, 5s});
  if (plan.undisturbed || !is_one) return;
  plan.service = service;
  plan.settings.timers.join_wait = wait;
}

std::string show(std::uint64_t seed, const Plan& plan) {
  std::ostringstream out;
  const Faults& faults = plan.faults;
  const Mischief& mischief = plan.mischief;
  out << "seed=" << seed << " nodes=" << plan.settings.members.size()
      << " page_size=" << plan.settings.page_size
      << " topology=" << topology_name(plan.settings.topology) << " steps=" << plan.steps
      << " step_ms=" << plan.step_max.count() / 1000
      << " cache=" << plan.settings.max_radix_cache_size
      << " log=" << plan.settings.own_log_bytes_max << " loss=" << faults.loss
      << " duplication=" << faults.duplication << " reordering=" << faults.reordering
      << " burst=" << faults.burst << " corruption=" << faults.corruption
      << " in_flight=" << faults.in_flight_max << " crash=" << mischief.crash
      << " cut=" << mischief.cut << " partition=" << mischief.partition
      << " pause=" << mischief.pause << " leave=" << mischief.leave << " join=" << mischief.join
      << " slow=" << mischief.slow << " clock_step=" << mischief.clock_step
      << " engines=" << plan.engines_named << " gc=" << gc_mode_name(plan.settings.gc.mode)
      << " keep=" << plan.settings.gc.keep_copies << " hot=" << plan.settings.gc.hot_copies
      << " lease_s=" << plan.settings.gc.lease.count() / 1'000'000
      << " lease_changes=" << plan.lease_changes << " expires=" << plan.settings.gc.expires_silent
      << " frees=" << plan.engines_free << " flood=" << plan.flood << " lies=" << plan.lies.chance
      << " slow_names=" << plan.names.slow << " silent_names=" << plan.names.silent
      << " failing_names=" << plan.names.failing << " moves=" << plan.names.moves
      << " no_descriptors=" << plan.names.no_descriptors << " dead_numbers=" << plan.names.has_dead
      << " turn_us=" << plan.turn_takes.count() << " service=" << plan.service.has_value()
      << " liar=" << (plan.lies.liar ? std::to_string(*plan.lies.liar) : "none");
  return out.str();
}

}  // namespace

Plan draw(std::uint64_t seed) {
  Random random(seed * 0x9E3779B97F4A7C15ull + 1);
  Plan plan;
  draw_mesh(random, plan);
  draw_faults(random, plan);
  plan.steps = 100 + static_cast<int>(random() % 400);
  plan.step_max = pick<Duration>(random, {30ms, 30ms, 200ms});
  plan.engines_named = random() % 2 == 0;
  plan.joiners_max = plan.mischief.join > 0 ? 1 + random() % 3 : 0;
  plan.alphabet = pick<std::uint32_t>(random, {2, 2, 5, 1000});
  plan.length_max = pick<std::uint32_t>(random, {8, 40, 300});
  draw_collection(random, plan);
  draw_strangers(random, plan);
  draw_names(random, plan);
  draw_service(random, plan);
  plan.turn_takes = pick<Duration>(random, {0us, 0us, 50us, 500us});
  plan.text = show(seed, plan);
  return plan;
}

}  // namespace radixmesh::sim
