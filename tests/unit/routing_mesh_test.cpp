// What routers tell each other through a mesh: in every topology, under loss, for as long as it
// holds.
#include <doctest/doctest.h>

#include "tests/sim/named_mesh.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

std::uint32_t booked_requests(NamedMesh& mesh, const std::string& at) {
  std::uint32_t sum = 0;
  for (const CandidateView& each : mesh.at(at).explain(mesh.now(), {}, {}).candidates) {
    sum += each.work.booked.requests;
  }
  return sum;
}

void check_all(NamedMesh& mesh, std::uint32_t requests) {
  for (const std::string& name : mesh.names()) {
    CAPTURE(name);
    CHECK(booked_requests(mesh, name) == requests);
  }
}

TEST_CASE("a booking is known everywhere as long as it is open, and no longer") {
  for (const Topology topology : {Topology::mesh, Topology::ring, Topology::groups}) {
    CAPTURE(topology_name(topology));
    ReplicaSettings settings;
    settings.topology = topology;
    NamedMesh mesh({"p0", "p1", "p2", "d0", "d1", "d2", "r0", "r1"}, settings);
    mesh.start_all();
    mesh.run(3s);
    const RouteView route = mesh.route("r0", "abcd", true);
    REQUIRE(route.booking);
    mesh.run(500ms);
    check_all(mesh, 2);  // one at the prefill node, one at the decode node
    mesh.run(25s);
    check_all(mesh, 1);  // the prompt was taken as computed long ago
    mesh.at("r0").finish_booking(mesh.now(), *route.booking);
    mesh.run(500ms);
    check_all(mesh, 0);
  }
}

TEST_CASE("lost frames change nothing for long") {
  NamedMesh mesh({"p0", "d0", "r0", "r1"});
  mesh.start_all();
  mesh.run(3s);
  mesh.network().faults.loss = 0.3;
  const RouteView route = mesh.route("r0", "abcd", true);
  mesh.run(5s);
  check_all(mesh, 2);
  mesh.at("r0").prefill_done(mesh.now(), *route.booking, std::nullopt);
  mesh.at("r0").finish_booking(mesh.now(), *route.booking);
  mesh.run(12s);
  check_all(mesh, 0);
}

TEST_CASE("what is booked counts as held at every node, under loss, and not for ever") {
  for (const Topology topology : {Topology::mesh, Topology::ring, Topology::groups}) {
    CAPTURE(topology_name(topology));
    ReplicaSettings settings;
    settings.topology = topology;
    NamedMesh mesh({"p0", "p1", "d0", "d1", "r0", "r1"}, settings);
    mesh.start_all();
    mesh.run(3s);
    // Where it goes from hop to hop, what is lost at each adds up.
    mesh.network().faults.loss = topology == Topology::mesh ? 0.3 : 0;
    const std::string prompt(1024, 'a');
    const RouteView route = mesh.route("r0", prompt, true);
    const auto held = [&](const std::string& at) {
      std::size_t nodes = 0;
      const ExplainView view = mesh.at(at).explain(mesh.now(), {}, tokens_of(prompt));
      for (const CandidateView& each : view.candidates) {
        const bool is_booked = each.addr == route.prefill->addr || each.addr == route.decode->addr;
        CHECK((is_booked || each.depth == 0));
        CHECK(each.indexed_depth == 0);
        nodes += each.depth == prompt.size() ? 1 : 0;
      }
      return nodes;
    };
    mesh.run(8s);
    for (const std::string& name : mesh.names()) CHECK(held(name) == 2);
    mesh.run(60s);
    for (const std::string& name : mesh.names()) CHECK(held(name) == 2);
    mesh.at("r0").finish_booking(mesh.now(), *route.booking);
    mesh.run(15s);
    for (const std::string& name : mesh.names()) CHECK(held(name) == 0);
  }
}

TEST_CASE("a restarted router has promised nothing, and numbers of its former life are unknown") {
  NamedMesh mesh({"p0", "d0", "r0", "r1"});
  mesh.start_all();
  mesh.run(3s);
  const RouteView before = mesh.route("r0", "abcd", true);
  mesh.run(500ms);
  mesh.crash("r0");
  mesh.start("r0");
  mesh.run(3s);
  check_all(mesh, 0);
  mesh.route("r0", "xyz", true);
  mesh.at("r0").finish_booking(mesh.now(), *before.booking);
  mesh.run(500ms);
  check_all(mesh, 2);
}

TEST_CASE("a node that leaves is asked to keep nothing: redirect sends its requests on") {
  NamedMesh mesh({"p0", "p1", "d0"});
  mesh.start_all();
  mesh.run(3s);
  mesh.insert("p0", "abcd", 1);
  const auto tokens = tokens_of("abcd");
  const auto redirect = [&] { return mesh.at("p0").redirect(mesh.now(), {}, tokens, {}); };
  CHECK(!redirect()->target);
  REQUIRE(mesh.at("p0").acquire(mesh.now(), {}, tokens));
  mesh.drain("p0");
  REQUIRE(redirect()->target);
  CHECK(redirect()->target->addr == "p1");
}

}  // namespace
}  // namespace radixmesh::sim
