// radixmesh_sim_planted: shows that the simulator catches a core that is broken on purpose. Each
// fault in turn is planted and seeds are run until one fails; without any, the same seeds pass.
#include "lib/base/planted.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "tests/sim/run.h"

namespace {

using radixmesh::PlantedFault;

// For a fault to show, and without any.
constexpr std::uint64_t kSeedsMax = 1000, kSoundSeeds = 60;

struct Named {
  PlantedFault fault;
  std::string_view name;
};
constexpr Named kFaults[] = {{PlantedFault::no_gap_check, "no gap check"},
                             {PlantedFault::apply_twice, "apply twice"},
                             {PlantedFault::forget_epoch, "forget the epoch"},
                             {PlantedFault::mask_nothing, "mask nothing"},
                             {PlantedFault::skip_chunk, "skip a snapshot chunk"},
                             {PlantedFault::no_agreement, "collect without agreement"},
                             {PlantedFault::no_position, "refer before the position"},
                             {PlantedFault::no_check, "no check after the read"},
                             {PlantedFault::early_expiry, "expire a reader early"},
                             {PlantedFault::no_confirm, "refer before the confirmation"}};

PlantedFault& planted() {
  static PlantedFault fault = PlantedFault::none;
  return fault;
}

// Whether a seed passes, in a process of its own: an assertion of the core may end it.
bool passes(std::uint64_t seed) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    const std::string failure = radixmesh::sim::run({seed, false}).failure;
    if (!failure.empty()) std::printf("  %.100s\n", failure.c_str());
    std::fflush(stdout);
    ::_exit(failure.empty() ? 0 : 1);
  }
  int status = 1;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The first seed that fails; 0 if none does.
std::uint64_t first_failure(std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (!passes(seed)) return seed;
  }
  return 0;
}

}  // namespace

bool radixmesh::is_planted(PlantedFault fault) { return planted() == fault; }

int main() {
  bool good = true;
  for (const Named& each : kFaults) {
    planted() = each.fault;
    std::printf("%s:\n", each.name.data());
    const std::uint64_t seed = first_failure(kSeedsMax);
    std::printf("  %s\n",
                seed > 0 ? ("caught by seed " + std::to_string(seed)).c_str() : "NOT CAUGHT");
    good = good && seed > 0;
  }
  planted() = PlantedFault::none;
  const std::uint64_t seed = first_failure(kSoundSeeds);
  std::printf("none:\n  %s\n", seed == 0 ? "all seeds pass" : "FAILED");
  return good && seed == 0 ? 0 : 1;
}
