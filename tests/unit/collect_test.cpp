// Collecting duplicates, told as stories of a mesh: what goes, what stays, and who is asked.
#include <doctest/doctest.h>

#include "tests/sim/named_mesh.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;
using sim::NamedMesh;

ReplicaSettings collecting(GcMode mode, Topology topology = Topology::mesh) {
  ReplicaSettings settings;
  settings.topology = topology;
  settings.gc.mode = mode;
  return settings;
}

// All nodes run, are ready, and their engines free what they are told to free.
NamedMesh mesh_of(const std::vector<std::string>& names, ReplicaSettings settings) {
  NamedMesh mesh(names, std::move(settings));
  mesh.start_all();
  mesh.run(2s);
  for (const std::string& name : names) {
    REQUIRE(mesh.at(name).ready());
    if (name[0] != 'r') mesh.frees(name);
  }
  return mesh;
}

SlotRuns run_of(std::uint64_t start, std::uint64_t count) { return {{Slot{start}, count}}; }

constexpr GcMode kBoth[] = {GcMode::local_ref, GcMode::global_ref};

TEST_CASE("a duplicate that nobody uses goes within two periods, in every topology") {
  for (GcMode mode : kBoth) {
    for (Topology topology : {Topology::mesh, Topology::ring, Topology::groups}) {
      CAPTURE(gc_mode_name(mode));
      CAPTURE(topology_name(topology));
      NamedMesh mesh = mesh_of({"p0", "p1", "p2", "d0", "r0"}, collecting(mode, topology));
      mesh.insert("p0", "abcd", 10);
      mesh.insert("p1", "abcdef", 20);
      mesh.insert("p2", "abxy", 30);
      mesh.insert("d0", "abcd", 40);
      mesh.run(20s);
      // p1 keeps what only it has, and d0 is of another role. "ab" of p2 has "xy" below it.
      CHECK(mesh.told_to_free("p0").empty());
      CHECK(mesh.told_to_free("p1").empty());
      CHECK(mesh.told_to_free("p2").empty());
      CHECK(mesh.told_to_free("d0").empty());
      mesh.insert("p0", "abcdef", 10);
      mesh.insert("p0", "abxy", 50);
      mesh.run(20s);
      CHECK(mesh.told_to_free("p1") == run_of(20, 6));
      CHECK(mesh.told_to_free("p2") == run_of(30, 4));
      CHECK(mesh.agrees());
      CHECK(mesh.match("r0", "abxy").depths ==
            std::map<std::string, std::uint32_t>{{"p0", 4}, {"d0", 2}});
      CHECK(mesh.at("p1").status().gc.unacknowledged == 0);
      CHECK(mesh.counter("p1", "gc_tokens_freed") == 6);
    }
  }
}

TEST_CASE("a page that another node refers to stays until it is released, and no longer") {
  for (GcMode mode : kBoth) {
    CAPTURE(gc_mode_name(mode));
    NamedMesh mesh = mesh_of({"p0", "p1", "d0"}, collecting(mode));
    mesh.insert("p1", "abcdef", 20);
    mesh.run(1s);
    const auto lease = mesh.acquire("d0", "abcdxy", true);
    REQUIRE(lease.segments.size() == 1);
    CHECK(lease.segments[0].addr == "p1");
    CHECK(lease.segments[0].slots == run_of(20, 4));
    CHECK(mesh.is_valid("d0", lease));
    CHECK(mesh.at("d0").status().gc.references.at("p1") == 1);
    CHECK(mesh.at("p1").status().gc.readers.contains("d0"));

    mesh.insert("p0", "abcdef", 10);
    mesh.run(30s);
    // What is below the referred page does not go alone: it is one edge with it.
    CHECK(mesh.is_valid("d0", lease));
    CHECK(mesh.match("p1", "abcd").local_length == 4);
    mesh.release("d0", lease);
    const TimePoint released = mesh.now();
    mesh.network().run_until([&] { return mesh.match("p1", "a").local_length == 0; }, 20s);
    CHECK(mesh.match("p1", "a").local_length == 0);
    // The owner hears of it at once.
    CHECK(mesh.now() - released < 11s);
    CHECK(!mesh.told_to_free("p1").empty());
    mesh.run(1s);
    CHECK(mesh.agrees());
  }
}

}  // namespace
}  // namespace radixmesh
