// Exhaustive search through the states of a protocol: breadth first, so that the first violation
// found is one with the fewest steps.
//
// A model has a State (with a `key()`: states of the same key are taken for one), an initial one,
// and
//   for_each_step(state, f)   calls f(State next, const char* what) for everything that may happen
//   violation(state)          the rule that the state breaks, or null
//   is_goal(state)            what must stay reachable from every state, by steps that are no
//                             faults: a crash would set everything free
//   is_fault(what)            whether a step is one
#pragma once

#include <tsl/robin_map.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace radixmesh::model {

struct Found {
  std::size_t states = 0;
  std::string violation;           // empty: none in all states
  std::vector<std::string> steps;  // that lead to it
  bool goal_stays_reachable = false;
};

// The key of a state of parties that are alike, so that which is which does not matter, and of
// what else there is.
template <class Party, std::size_t count>
std::uint64_t key_of_alike(const std::array<Party, count>& parties, std::uint64_t rest) {
  std::array<std::uint32_t, count> keys;
  std::ranges::transform(parties, keys.begin(), &Party::key);
  std::ranges::sort(keys);
  // Mixed apart: the rest and the keys have their bits in the same places.
  std::uint64_t key = 0;
  const auto add = [&key](std::uint64_t what) {
    key = (key ^ what) * 0x9E3779B97F4A7C15ull;
    key ^= key >> 32;
  };
  add(rest);
  for (std::uint32_t each : keys) add(each);
  return key;
}

template <class Model>
Found search(const Model& model) {
  using State = typename Model::State;
  struct Reached {
    State state;
    std::uint32_t from;
    const char* what;
  };
  std::vector<Reached> reached{{model.initial(), 0, ""}};
  tsl::robin_map<std::uint64_t, std::uint32_t> known{{model.initial().key(), 0}};
  Found found;
  const auto trace_to = [&](std::uint32_t at) {
    for (; at != 0; at = reached[at].from) found.steps.emplace_back(reached[at].what);
    std::ranges::reverse(found.steps);
  };
  for (std::uint32_t at = 0; at < reached.size() && found.violation.empty(); ++at) {
    const State state = reached[at].state;
    model.for_each_step(state, [&](const State& next, const char* what) {
      if (!found.violation.empty()) return;
      const auto [entry, is_new] =
          known.insert({next.key(), static_cast<std::uint32_t>(reached.size())});
      if (!is_new) return;
      reached.push_back({next, at, what});
      const char* broken = model.violation(next);
      if (broken == nullptr) return;
      found.violation = broken;
      trace_to(static_cast<std::uint32_t>(reached.size() - 1));
    });
  }
  found.states = reached.size();
  if (!found.violation.empty()) return found;

  // A state is good if it is a goal, or a step leads from it to a good one. Mostly later states
  // are nearer to the goal, so going backwards settles nearly all in the first pass.
  std::vector<bool> good(reached.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t at = reached.size(); at-- > 0;) {
      if (good[at]) continue;
      bool reaches = model.is_goal(reached[at].state);
      model.for_each_step(reached[at].state, [&](const State& next, const char* what) {
        reaches = reaches || (!model.is_fault(what) && good[known.at(next.key())]);
      });
      if (!reaches) continue;
      good[at] = changed = true;
    }
  }
  found.goal_stays_reachable = std::ranges::find(good, false) == good.end();
  return found;
}

}  // namespace radixmesh::model
