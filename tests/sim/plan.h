// All that a seed decides about a run: the mesh, its timers, the workload and the faults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/network.h"

namespace radixmesh::sim {

// Chances are per step.
struct Mischief {
  double crash = 0;       // a node, its state lost; down nodes start again by and by
  double cut = 0;         // one direction of one link, until it is drawn again
  double partition = 0;   // the mesh into two, both ways or one way; the next one heals it
  double pause = 0;       // a process, for up to pause_max
  double leave = 0;       // a node drains, and comes back later
  double join = 0;        // a node that is in nobody's lists
  double slow = 0;        // a node, until it is drawn again
  double clock_step = 0;  // of the clock that epochs are made of, back or forth
  Duration pause_max{};
};

// Frames with valid checks and false contents, in the faulty phase; see liar.h.
struct Lies {
  double chance = 0;                // of some, per step
  std::optional<std::size_t> liar;  // a member, which answers falsely as well; or a stranger
};

// No node is in a list: each knows the name of a service, and what that stands for is not the same
// everywhere and always, in the faulty phase.
struct Service {
  double missing = 0;  // chance that a node is not among the answers
  double alone = 0;    // that one finds only itself
  double unknown = 0;  // that one finds nothing
};

struct Plan {
  ReplicaSettings settings;
  Faults faults;
  Mischief mischief;
  Lies lies;
  NameFaults names;
  std::optional<Service> service;
  Duration turn_takes{};  // of a node that has work left
  double flood = 0;       // chance that a member asks one thing again and again, within the rules
  int steps = 0;
  Duration step_max{};         // of virtual time between two steps
  bool engines_named = false;  // engines say who they are, and some outlive their sidecar
  Duration read_max{};         // how long a read of others' slots takes at most
  bool engines_free = true;    // they free single slots when told
  bool lease_changes = false;  // some lives of a node grant one of 2 s
  bool undisturbed = false;    // no node fails, is cut off or stopped
  std::size_t joiners_max = 0;
  std::uint32_t alphabet = 2, length_max = 40;
  std::string text;  // all of it, as one line
};

Plan draw(std::uint64_t seed);

}  // namespace radixmesh::sim
