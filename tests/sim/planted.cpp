// radixmesh_sim_planted: shows that the simulator catches a core that is broken on purpose. Each
// fault in turn is planted and seeds are run until one fails; without any, the same seeds pass.
#include <cstdio>
#include <string_view>

#include "lib/base/planted.h"
#include "tests/sim/run.h"

namespace {

using radixmesh::PlantedFault;

constexpr std::uint64_t kSeedsMax = 60;

struct Named {
  PlantedFault fault;
  std::string_view name;
};
constexpr Named kFaults[] = {{PlantedFault::no_gap_check, "no gap check"},
                             {PlantedFault::apply_twice, "apply twice"},
                             {PlantedFault::forget_epoch, "forget the epoch"},
                             {PlantedFault::mask_nothing, "mask nothing"},
                             {PlantedFault::skip_chunk, "skip a snapshot chunk"}};

PlantedFault& planted() {
  static PlantedFault fault = PlantedFault::none;
  return fault;
}

// The first seed that fails; 0 if none does.
std::uint64_t first_failure(std::uint64_t count, std::string& failure) {
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    failure = radixmesh::sim::run({seed, false}).failure;
    if (!failure.empty()) return seed;
  }
  return 0;
}

}  // namespace

bool radixmesh::is_planted(PlantedFault fault) { return planted() == fault; }

int main() {
  bool all_caught = true;
  std::string failure;
  for (const Named& each : kFaults) {
    planted() = each.fault;
    const std::uint64_t seed = first_failure(kSeedsMax, failure);
    std::printf("%-22s %s%llu: %.120s\n", each.name.data(),
                seed > 0 ? "caught by seed " : "NOT CAUGHT by any up to ",
                static_cast<unsigned long long>(seed > 0 ? seed : kSeedsMax), failure.c_str());
    all_caught = all_caught && seed > 0;
  }
  planted() = PlantedFault::none;
  const std::uint64_t seed = first_failure(kSeedsMax, failure);
  std::printf("%-22s %s\n", "none", seed == 0 ? "passes" : failure.c_str());
  return all_caught && seed == 0 ? 0 : 1;
}
