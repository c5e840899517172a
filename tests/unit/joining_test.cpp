// Nodes that are in nobody's lists: who forgets them, and how they come back.
#include <doctest/doctest.h>

#include "tests/sim/named_mesh.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

TEST_CASE("who was forgotten while nothing of it was heard is let in again") {
  ReplicaSettings settings;
  settings.timers.forget_after = settings.timers.reap_after = 5s;
  sim::NamedMesh mesh({"p0"}, settings);
  mesh.start_all();
  mesh.run(2s);
  mesh.join("d0", "p0");
  mesh.run(2s);
  // It goes on hearing p0, and believes that all is well.
  mesh.network().cut.insert({mesh.index("d0"), mesh.index("p0")});
  mesh.run(30s);
  CHECK(mesh.at("p0").nodes(mesh.now()).size() == 1);
  mesh.network().cut.clear();
  mesh.run(10s);
  for (const char* name : {"p0", "d0"}) {
    CAPTURE(name);
    const std::vector<NodeView> nodes = mesh.at(name).nodes(mesh.now());
    CHECK(std::ranges::count(nodes, MemberState::alive, &NodeView::state) == 2);
    CHECK(mesh.at(name).ready());
  }
}

std::string removal_refused(sim::NamedMesh& mesh, const char* at, const char* addr) {
  const auto answer = mesh.at(at).member_remove(mesh.now(), addr);
  mesh.network().perform(mesh.index(at));
  return answer ? "" : answer.error().message;
}

bool knows(sim::NamedMesh& mesh, const char* at, const char* addr) {
  const std::vector<NodeView> nodes = mesh.at(at).nodes(mesh.now());
  return std::ranges::find(nodes, addr, &NodeView::addr) != nodes.end();
}

TEST_CASE("who joined and is gone for good is removed by word, everywhere") {
  sim::NamedMesh mesh({"p0", "p1", "r0"});
  mesh.start_all();
  mesh.run(2s);
  mesh.join("d0", "p0");
  mesh.join("d1", "p0");
  mesh.run(2s);
  mesh.crash("p1");
  mesh.crash("d0");
  CHECK(removal_refused(mesh, "r0", "d0") == "d0 is alive: drain it");
  mesh.run(4s);
  CHECK(removal_refused(mesh, "r0", "d0") == "d0 is suspect: whether it is dead is not known yet");
  mesh.run(6s);
  CHECK(removal_refused(mesh, "r0", "p1") ==
        "p1 stands in the lists: only who joined can be removed");
  CHECK(removal_refused(mesh, "r0", "r0") == "r0 is this node itself: drain it");
  CHECK(removal_refused(mesh, "r0", "d9") == "d9 is no member here");
  CHECK(removal_refused(mesh, "r0", "d0") == "");
  mesh.run(2s);
  for (const char* at : {"p0", "r0", "d1"}) {
    CAPTURE(at);
    CHECK(!knows(mesh, at, "d0"));
    CHECK(knows(mesh, at, "p1"));
    CHECK(mesh.counter(at, "members_removed") == 1);
  }
  // It may come back all the same, as somebody new.
  mesh.start("d0");
  mesh.run(3s);
  for (const char* at : {"p0", "r0", "d1"}) CHECK(knows(mesh, at, "d0"));
}

TEST_CASE("who is dead to one and alive to the others is not taken from them by a removal") {
  sim::NamedMesh mesh({"p0", "p1", "p2"});
  mesh.start_all();
  mesh.run(2s);
  mesh.join("d0", "p0");
  mesh.run(2s);
  // Nothing that d0 says reaches p2, nor what the others could say of it.
  const std::size_t p2 = mesh.index("p2");
  for (const char* other : {"p0", "p1", "d0"}) mesh.network().cut.insert({mesh.index(other), p2});
  mesh.run(60s);
  mesh.network().cut.clear();
  CHECK(removal_refused(mesh, "p2", "d0") == "");
  mesh.run(10s);
  for (const char* at : {"p0", "p1", "p2"}) {
    CAPTURE(at);
    CHECK(knows(mesh, at, "d0"));
    CHECK(mesh.at(at).ready());
  }
}

}  // namespace
}  // namespace radixmesh
