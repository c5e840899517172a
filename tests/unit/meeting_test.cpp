// Meshes that stand in no lists: who begins one, and how two that began apart become one.
#include <doctest/doctest.h>

#include <set>

#include "tests/sim/named_mesh.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

const std::string kService = "service";

// Nodes that know nothing but the name of a service, and what that stands for to each.
struct Fleet {
  sim::NamedMesh mesh{{}};
  std::map<std::string, std::vector<std::string>> stands_for;

  Fleet() {
    mesh.network().resolve = [this](std::size_t node, const std::string& seed) {
      if (seed != kService) return std::vector{seed};
      return stands_for[mesh.names().at(node)];
    };
  }
  // From now on it stands for all of these, to all of these.
  void tell(const std::vector<std::string>& names) {
    for (const std::string& name : names) stands_for[name] = names;
  }
  void start(const std::vector<std::string>& names) {
    for (const std::string& name : names) mesh.join(name, kService);
  }
  std::string founder(const std::string& name) {
    const auto founder = mesh.at(name).status().founder;
    return founder ? founder->addr : "none";
  }
  std::uint32_t rank(const std::string& name) { return mesh.at(name).self().rank.value; }
  // All see all, under ranks of their own, on which everyone agrees, in one mesh.
  void check_is_one(const std::vector<std::string>& names, const std::string& expected) {
    std::map<std::string, std::uint32_t> ranks;
    std::set<std::uint32_t> different;
    for (const std::string& name : names) different.insert(ranks[name] = rank(name));
    CHECK(different.size() == names.size());
    for (const std::string& name : names) {
      CAPTURE(name);
      CHECK(founder(name) == expected);
      CHECK(mesh.at(name).ready());
      std::map<std::string, std::uint32_t> seen;
      for (const NodeView& node : mesh.at(name).nodes(mesh.now())) {
        if (node.state == MemberState::alive) seen[node.addr] = node.rank.value;
      }
      CHECK(seen == ranks);
    }
    if (names.size() == mesh.names().size()) CHECK(mesh.agrees());
  }
};

TEST_CASE("a service's name is enough: the lowest address begins the mesh, after the wait") {
  Fleet fleet;
  fleet.tell({"p0", "p1", "d0"});
  fleet.start({"p1", "p0", "d0"});
  fleet.mesh.run(9s);
  for (const char* name : {"p0", "p1", "d0"}) {
    CHECK(fleet.founder(name) == "none");
    CHECK(!fleet.mesh.at(name).ready());
  }
  CHECK(fleet.mesh.at("p0").status().why_not_ready ==
        "it is in no mesh yet: d0 is to begin the mesh");
  CHECK(fleet.mesh.at("d0").status().why_not_ready ==
        "it is in no mesh yet: nobody is there to ask; it begins one in 1 s");
  fleet.mesh.run(6s);
  fleet.check_is_one({"p0", "p1", "d0"}, "d0");
}

TEST_CASE("a name that does not resolve, or gives only itself, is a mesh of one after the wait") {
  for (const bool resolves : {false, true}) {
    Fleet fleet;
    if (resolves) fleet.tell({"p0"});
    fleet.start({"p0"});
    fleet.mesh.run(9900ms);
    CHECK(fleet.founder("p0") == "none");
    fleet.mesh.run(1s);
    fleet.check_is_one({"p0"}, "p0");
    CHECK(fleet.rank("p0") == 0);
  }
}

TEST_CASE("who cannot talk with most of those it is to ask begins no mesh") {
  Fleet fleet;
  fleet.tell({"p0", "p1", "p2"});
  fleet.start({"p0"});
  fleet.mesh.run(60s);
  CHECK(fleet.founder("p0") == "none");
  CHECK(fleet.mesh.at("p0").status().why_not_ready ==
        "it is in no mesh yet: of the 2 other addresses that it is to ask, 0 answer: it may be cut "
        "off from a mesh; silent: p2, p1");
  fleet.start({"p1"});
  fleet.mesh.run(15s);
  fleet.check_is_one({"p0", "p1"}, "p0");
  // An address that is gone in time is missed no more.
  Fleet other;
  other.tell({"p0", "p1"});
  other.start({"p0"});
  other.mesh.run(20s);
  CHECK(other.founder("p0") == "none");
  other.tell({"p0"});
  other.mesh.run(6s);
  CHECK(other.founder("p0") == "p0");
}

TEST_CASE("of a name that does not resolve any more what it stood for is missed no more") {
  Fleet fleet;
  fleet.tell({"p0", "p1", "p2"});
  fleet.start({"p0"});
  fleet.mesh.run(20s);
  CHECK(fleet.founder("p0") == "none");
  fleet.stands_for.clear();
  fleet.mesh.run(6s);
  CHECK(fleet.founder("p0") == "p0");
}

TEST_CASE("one that refuses, and one that answers and never begins, do not hold up all others") {
  Fleet fleet;
  fleet.mesh.network().adjust = [](std::size_t node, ReplicaSettings& settings) {
    if (node == 0) settings.page_size = 4;
    if (node == 1) settings.timers.join_wait = 1h;
  };
  fleet.tell({"p9", "p0", "p1", "p2", "p3", "p4"});
  fleet.start({"p9", "p0", "p1", "p2", "p3", "p4"});
  fleet.mesh.run(15s);
  CHECK(fleet.mesh.at("p1").status().why_not_ready ==
        "it is in no mesh yet: p0 is to begin the mesh");
  fleet.mesh.run(25s);
  fleet.check_is_one({"p0", "p1", "p2", "p3", "p4"}, "p1");
  std::uint64_t begun = 0;
  for (const char* name : {"p0", "p1", "p2", "p3", "p4"}) {
    begun += fleet.mesh.counter(name, "meshes_begun");
  }
  CHECK(begun == 1);
}

TEST_CASE("a large fleet comes together, and a node comes back into it") {
  Fleet fleet;
  std::vector<std::string> names;
  for (int i = 10; i < 82; ++i) names.push_back("p" + std::to_string(i));
  fleet.tell(names);
  fleet.start(names);
  fleet.mesh.run(30s);
  fleet.check_is_one(names, "p10");
  fleet.mesh.crash("p50");
  fleet.mesh.run(1s);
  fleet.mesh.start("p50");
  fleet.mesh.run(10s);
  fleet.check_is_one(names, "p10");
}

TEST_CASE("a rank that an operator gave stays, and who was handed it takes another") {
  Fleet fleet;
  fleet.mesh.network().adjust = [](std::size_t node, ReplicaSettings& settings) {
    if (node == 2) settings.rank = NodeRank{0};
    if (node == 3) settings.rank = NodeRank{0};
  };
  fleet.tell({"p0", "p1", "p2"});
  fleet.start({"p0", "p1"});
  fleet.mesh.run(15s);
  CHECK(fleet.rank("p0") == 0);
  fleet.start({"p2"});
  fleet.mesh.run(20s);
  fleet.check_is_one({"p0", "p1", "p2"}, "p0");
  CHECK(fleet.rank("p2") == 0);
  // Two that operators gave one rank cannot both have it.
  fleet.tell({"p0", "p3"});
  fleet.start({"p3"});
  fleet.mesh.run(20s);
  CHECK(fleet.mesh.at("p3").status().why_not_ready.find("rank 0 is taken by p2") !=
        std::string::npos);
}

TEST_CASE("who is refused begins no mesh beside the one that refuses it") {
  Fleet fleet;
  fleet.tell({"p0", "p1"});
  fleet.mesh.network().adjust = [](std::size_t node, ReplicaSettings& settings) {
    if (node == 1) settings.page_size = 4;
  };
  fleet.start({"p1", "p0"});
  fleet.mesh.run(60s);
  CHECK(fleet.founder("p0") == "none");
  CHECK(fleet.mesh.at("p0").status().why_not_ready.find("page_size differs") != std::string::npos);
}

TEST_CASE("of two meshes that meet the one with the lower founder stays, and nothing is lost") {
  Fleet fleet;
  const std::vector<std::string> low{"p0", "p1", "d0"}, high{"p5", "p6", "r1"};
  std::vector<std::string> all = low;
  all.insert(all.end(), high.begin(), high.end());
  fleet.tell(low);
  fleet.tell(high);
  fleet.start(high);
  fleet.start(low);
  fleet.mesh.run(20s);
  fleet.check_is_one(low, "d0");
  fleet.check_is_one(high, "p5");
  fleet.mesh.insert("p0", "abcdef", 10);
  fleet.mesh.insert("p5", "abcxyz", 50);
  fleet.mesh.insert("p6", "ab", 70);
  fleet.mesh.run(2s);
  std::map<std::string, std::uint32_t> before;
  for (const std::string& name : low) before[name] = fleet.rank(name);
  SUBCASE("all see all at once") { fleet.tell(all); }
  SUBCASE("only one of the lower sees one of the higher") {
    fleet.stands_for["p1"] = {"p0", "p1", "d0", "r1"};
  }
  SUBCASE("only one of the higher sees one of the lower") {
    fleet.stands_for["p6"] = {"p5", "p6", "r1", "p1"};
  }
  fleet.mesh.run(25s);
  fleet.check_is_one(all, "d0");
  for (const std::string& name : low) CHECK(fleet.rank(name) == before[name]);
  for (const std::string& name : all) {
    CAPTURE(name);
    const MatchView match = fleet.mesh.match(name, "abcxyz");
    CHECK(match.depths.at("p0") == 3);
    CHECK(match.depths.at("p5") == 6);
    CHECK(match.depths.at("p6") == 2);
  }
  fleet.mesh.insert("p5", "abcd", 80);
  fleet.mesh.run(1s);
  CHECK(fleet.mesh.agrees());
}

TEST_CASE("a mesh that began beside one of lists joins that") {
  sim::NamedMesh mesh({"p8", "p9"});
  mesh.start_all();
  bool is_known = false;
  mesh.network().resolve = [&](std::size_t, const std::string& seed) {
    if (seed != kService) return std::vector{seed};
    return is_known ? std::vector<std::string>{"p8", "p0", "p1"} : std::vector<std::string>{};
  };
  mesh.join("p0", kService);
  mesh.run(12s);
  mesh.join("p1", "p0");
  mesh.run(5s);
  CHECK(mesh.at("p1").status().founder->addr == "p0");
  mesh.insert("p1", "abc", 1);
  is_known = true;
  mesh.run(25s);
  for (const char* name : {"p0", "p1", "p8", "p9"}) {
    CAPTURE(name);
    CHECK(mesh.at(name).status().founder == Founder{});
    CHECK(mesh.match(name, "abc").depths.at("p1") == 3);
  }
  CHECK(mesh.at("p8").self().rank.value == 0);
  CHECK(mesh.agrees());
}

TEST_CASE("a founder that restarts comes back into its mesh, and begins none beside it") {
  Fleet fleet;
  fleet.tell({"p0", "p1", "p2"});
  fleet.start({"p0", "p1", "p2"});
  fleet.mesh.run(20s);
  fleet.check_is_one({"p0", "p1", "p2"}, "p0");
  fleet.mesh.crash("p0");
  fleet.mesh.run(10s);
  fleet.mesh.start("p0");
  fleet.mesh.run(10s);
  fleet.check_is_one({"p0", "p1", "p2"}, "p0");
  CHECK(fleet.mesh.counter("p0", "meshes_begun") == 0);
}

}  // namespace
}  // namespace radixmesh
