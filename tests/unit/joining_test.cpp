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

}  // namespace
}  // namespace radixmesh
