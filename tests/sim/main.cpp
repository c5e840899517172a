// radixmesh_sim: runs seeds of the simulator. Prints one line a failing seed, with the command that
// repeats it; exits 1 if there was one.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/sim/run.h"

int main(int argc, char** argv) {
  using namespace radixmesh::sim;
  CLI::App app{"Simulated meshes: everything drawn from a seed, checked by models"};
  std::uint64_t first = 1, count = 100;
  bool verbose = false;
  app.add_option("--seed", first, "the first seed")->capture_default_str();
  app.add_option("--count", count, "how many seeds")->capture_default_str();
  app.add_flag("--verbose", verbose, "print what each seed drew, and the nodes' log");
  CLI11_PARSE(app, argc, argv);

  std::uint64_t failed = 0;
  double heal_ms_max = 0;
  RunReport total;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RunReport report = run({seed, verbose});
    heal_ms_max = std::max(heal_ms_max, report.heal_ms);
    total.messages += report.messages;
    total.ops += report.ops;
    total.snapshots += report.snapshots;
    total.replays += report.replays;
    total.recovered += report.recovered;
    total.reads_accepted += report.reads_accepted;
    total.reads_refused += report.reads_refused;
    total.collected += report.collected;
    if (report.failure.empty()) continue;
    ++failed;
    std::printf("FAILED %s\n  %s\n  again: %s --seed %llu --count 1 --verbose\n",
                report.drawn.c_str(), report.failure.c_str(), argv[0],
                static_cast<unsigned long long>(seed));
  }
  std::printf(
      "%llu seeds from %llu: %llu failed; %llu messages, %llu ops applied, %llu snapshots, "
      "%llu replays, %llu states taken back; %llu remote reads used, %llu not, %llu tokens "
      "collected; slowest to agree after healing %.0f ms\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(first),
      static_cast<unsigned long long>(failed), static_cast<unsigned long long>(total.messages),
      static_cast<unsigned long long>(total.ops), static_cast<unsigned long long>(total.snapshots),
      static_cast<unsigned long long>(total.replays),
      static_cast<unsigned long long>(total.recovered),
      static_cast<unsigned long long>(total.reads_accepted),
      static_cast<unsigned long long>(total.reads_refused),
      static_cast<unsigned long long>(total.collected), heal_ms_max);
  return failed == 0 ? 0 : 1;
}
