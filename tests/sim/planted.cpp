// radixmesh_sim_planted: shows that the simulator catches a core that is broken on purpose. Each
// fault in turn is planted, and seeds that can show it are run until one fails; without any, the
// first seeds pass.
#include "lib/base/planted.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "tests/sim/plan.h"
#include "tests/sim/run.h"

namespace {

using radixmesh::GcMode;
using radixmesh::PlantedFault;
using radixmesh::sim::Plan;

// Runs for a fault to show, and without any.
constexpr int kRunsMax = 1500, kSoundRuns = 60;

bool any(const Plan&) { return true; }

// Nodes read what others have, who let go of it. Who believes lies may read anything.
bool reads(const Plan& plan) {
  return plan.settings.gc.mode != GcMode::off && plan.lies.chance == 0;
}

// A reader is cut off or stopped for longer than it takes to be called dead, amid reads.
bool reads_in_silence(const Plan& plan) {
  const auto& mischief = plan.mischief;
  const bool any_silence = mischief.cut + mischief.partition + mischief.pause > 0;
  return reads(plan) && any_silence && plan.settings.gc.expires_silent &&
         plan.read_max >= std::chrono::seconds(3);
}

struct Named {
  PlantedFault fault;
  std::string_view name;
  bool (*can_show)(const Plan&) = any;
};
constexpr Named kFaults[] = {
    {PlantedFault::no_gap_check, "no gap check"},
    {PlantedFault::apply_twice, "apply twice"},
    {PlantedFault::forget_epoch, "forget the epoch"},
    {PlantedFault::mask_nothing, "mask nothing"},
    {PlantedFault::skip_chunk, "skip a snapshot chunk"},
    {PlantedFault::no_agreement, "collect without agreement", reads},
    {PlantedFault::no_position, "refer before the position", reads},
    {PlantedFault::no_check, "no check after the read", reads},
    {PlantedFault::early_expiry, "expire a reader early", reads_in_silence},
    {PlantedFault::no_confirm, "refer before the confirmation", reads}};

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

// The first seed that fails among so many that can show it; 0 if none does.
std::uint64_t first_failure(bool (*can_show)(const Plan&), int runs) {
  for (std::uint64_t seed = 1; runs > 0; ++seed) {
    if (!can_show(radixmesh::sim::draw(seed))) continue;
    if (!passes(seed)) return seed;
    --runs;
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
    const std::uint64_t seed = first_failure(each.can_show, kRunsMax);
    std::printf("  %s\n",
                seed > 0 ? ("caught by seed " + std::to_string(seed)).c_str() : "NOT CAUGHT");
    good = good && seed > 0;
  }
  planted() = PlantedFault::none;
  const std::uint64_t seed = first_failure(any, kSoundRuns);
  std::printf("none:\n  %s\n", seed == 0 ? "all seeds pass" : "FAILED");
  return good && seed == 0 ? 0 : 1;
}
