// Property tests of the tree against the model: random histories over every key shape, page size
// and value class. A failure names the seed that repeats it; RADIXMESH_SEEDS=100 tries more of
// them.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "tests/unit/tree_trial.h"

namespace radixmesh {
namespace {

struct Evictions {
  std::size_t exact = 0, coarse = 0;
};

template <class OwnerValue, class MemberTreeValue>
Evictions run_trial(const TrialOptions& options, std::uint64_t seed, int steps) {
  SeededChoices choices(seed);
  TreeTrial<OwnerValue, MemberTreeValue> trial(options, choices);
  int step = 0;
  std::string failure;
  try {
    for (; step < steps; ++step) trial.step();
    trial.finish();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  const std::string where = std::string("shape ") + name_of(options.shape) + ", page " +
                            std::to_string(options.page_size) + ", seed " + std::to_string(seed) +
                            ", step " + std::to_string(step);
  CHECK_MESSAGE(failure.empty(), where, ": ", failure);
  return {trial.exact_evictions(), trial.coarse_evictions()};
}

std::uint64_t seeds() {
  const char* wanted = std::getenv("RADIXMESH_SEEDS");
  return wanted == nullptr ? 3 : std::strtoull(wanted, nullptr, 10);
}

// `pages_max`: the owner's bound, which is then no whole number of pages; 0: none.
template <class OwnerValue, class MemberTreeValue>
void run_trials(std::uint64_t pages_max) {
  for (KeyShape shape : kKeyShapes) {
    for (std::uint32_t page_size : {1u, 4u, 16u, 64u}) {
      for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
        TrialOptions options;
        options.page_size = page_size;
        options.shape = shape;
        if (pages_max > 0) options.tokens_max = pages_max * page_size + page_size / 2;
        options.names = static_cast<std::uint32_t>(1 + seed % test_namespaces().size());
        run_trial<OwnerValue, MemberTreeValue>(options, seed, 120);
      }
    }
  }
}

TEST_CASE("model: a member's cache, a member and a router agree with the model") {
  run_trials<MemberValue, OwnSlotsValue>(0);
}
TEST_CASE("model: a plain cache, a member and a router agree with the model") {
  run_trials<OwnSlotsValue, MemberValue>(0);
}
TEST_CASE("model: a bounded cache never holds more than its bound") {
  run_trials<MemberValue, OwnSlotsValue>(12);
}
TEST_CASE("model: the least recently used pages go first, by page, within the bound of an edge") {
  Evictions all;
  for (KeyShape shape : kKeyShapes) {
    for (std::uint32_t page_size : {1u, 4u, 16u}) {
      for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
        TrialOptions options;
        options.page_size = page_size;
        options.shape = shape;
        if (seed % 3 == 0) options.tokens_max = 60 * page_size;
        options.origins = 2;
        options.looks_up = true;
        const Evictions some = run_trial<MemberValue, OwnSlotsValue>(options, seed, 120);
        all.exact += some.exact;
        all.coarse += some.coarse;
      }
    }
  }
  CHECK(all.exact > 20 * seeds());
  CHECK(all.coarse > 5 * seeds());
}

}  // namespace
}  // namespace radixmesh
