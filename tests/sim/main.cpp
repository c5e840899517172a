// radixmesh_sim: runs seeds of the simulator. Prints one line a failing seed, with the command that
// repeats it; exits 1 if there was one.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "ipc/packing.h"
#include "tests/sim/effect_digest.h"
#include "tests/sim/run.h"

namespace {

// As a client gets it.
std::string shown(radixmesh::Replica& replica, radixmesh::TimePoint now) {
  std::string out;
  radixmesh::Buffer buffer{out};
  radixmesh::Packer packer(buffer);
  radixmesh::ipc::pack_status(packer, replica.status(), {});
  radixmesh::ipc::pack_nodes(packer, replica.nodes(now));
  radixmesh::ipc::pack_tree(packer, replica.tree(0, 100));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace radixmesh::sim;
  CLI::App app{"Simulated meshes: everything drawn from a seed, checked by models"};
  std::uint64_t first = 1, count = 100;
  bool verbose = false, digests = false;
  app.add_option("--seed", first, "the first seed")->capture_default_str();
  app.add_option("--count", count, "how many seeds")->capture_default_str();
  app.add_flag("--verbose", verbose, "print what each seed drew, and the nodes' log");
  app.add_flag("--digest", digests,
               "print one hash of all that the nodes owed and what they show at the end; with "
               "--verbose that of each seed as well");
  CLI11_PARSE(app, argc, argv);

  std::uint64_t failed = 0;
  double heal_ms_max = 0;
  RunReport total;
  EffectDigest all;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    RunOptions options{seed, verbose};
    if (digests) options.shown = shown;
    const RunReport report = run(options);
    all.add(report.digest);
    if (digests && verbose) {
      std::printf("digest of %llu: %s\n", static_cast<unsigned long long>(seed),
                  report.digest.c_str());
    }
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
  if (digests) std::printf("digest %s\n", all.hex().c_str());
  return failed == 0 ? 0 : 1;
}
