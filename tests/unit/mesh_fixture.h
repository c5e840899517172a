// The parts of lib/mesh in a test, as PartFixture has those below them.
#pragma once

#include "lib/mesh/mesh_parts.h"
#include "tests/unit/part_fixture.h"

namespace radixmesh {

class MeshFixture : public PartFixture {
 public:
  explicit MeshFixture(Topology topology = Topology::mesh, std::vector<std::string> names = {})
      : PartFixture({}, topology),
        mesh({{"default", 1, kProtocolMin, kProtocolMax},
              {"default", "d0", std::move(names), kAnyRank, Epoch{50}},
              ReadyNeeds::majority},
             timers, {roster, picture, own, streams, pace, post, out}, now) {}

  // Heard a moment ago.
  void hear(std::string_view name) {
    meet(name);
    mesh.liveness.heard(now, id(name));
  }
  Introduction hello_of(const std::string& name) {
    Introduction hello;
    hello.cluster = "default";
    hello.page_size = 1;
    hello.fingerprint = settings_fingerprint("default", 1);
    hello.addr = name;
    hello.rank = member(name).rank;
    hello.role = member(name).role;
    return hello;
  }

  MeshParts mesh;
};

}  // namespace radixmesh
