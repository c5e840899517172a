// The defects of the Python original that concern the tree, the ops and the tests themselves. None
// of them may come back; each has a test with its number, on replicas and on a simulated mesh.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "tests/sim/checker.h"
#include "tests/sim/named_mesh.h"
#include "tests/unit/lone_replica.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;
using sim::NamedMesh;

SlotRuns run_of(std::uint64_t start, std::uint64_t count) { return {{Slot{start}, count}}; }

// A running mesh in which all know each other.
NamedMesh mesh_of(const std::vector<std::string>& names, ReplicaSettings settings = {}) {
  NamedMesh mesh(names, std::move(settings));
  mesh.start_all();
  mesh.run(1s);
  return mesh;
}

std::vector<std::string> owners(const MatchView& match) {
  std::vector<std::string> out;
  for (const SegmentView& segment : match.segments) out.push_back(segment.addr);
  return out;
}

using Depths = std::map<std::string, std::uint32_t>;
using Names = std::vector<std::string>;

// ---- data safety -------------------------------------------------------------------------------

TEST_CASE("D1: slots of another node are never returned as local") {
  NamedMesh mesh = mesh_of({"p0", "p1"});
  mesh.insert("p0", "ab", 10);
  mesh.run(1s);
  MatchView match = mesh.match("p1", "abc");
  CHECK(match.length == 2);
  CHECK(match.local_length == 0);
  CHECK(match.local_slots.empty());
  mesh.insert("p1", "abc", 20);
  match = mesh.match("p1", "abc");
  CHECK(match.local_slots == run_of(20, 3));
  CHECK(match.depths == Depths{{"p0", 2}, {"p1", 3}});
  REQUIRE(match.segments.size() == 2);
  CHECK(match.segments[0] == SegmentView{0, 2, "p0", run_of(10, 2)});
  CHECK(match.segments[1] == SegmentView{2, 3, "p1", run_of(22, 1)});
}

TEST_CASE("D2: a lower rank with the same prefix takes no slot from this node") {
  NamedMesh mesh = mesh_of({"p0", "p1"});
  mesh.insert("p1", "abcd", 20);
  mesh.run(100ms);
  mesh.insert("p0", "abcd", 5);
  mesh.run(1s);
  const MatchView match = mesh.match("p1", "abcd");
  CHECK(owners(match) == Names{"p0"});
  CHECK(match.local_slots == run_of(20, 4));
  CHECK(mesh.evict("p1", 4) == run_of(20, 4));
}

TEST_CASE("D3: evict frees, the pool shrinks, and the others learn of it") {
  NamedMesh mesh = mesh_of({"p0", "r0"});
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p0", "abxy", 20);
  mesh.run(1s);
  CHECK(mesh.match("r0", "abcd").length == 4);
  CHECK(mesh.evict("p0", 2) == run_of(12, 2));
  CHECK(mesh.at("p0").status().local_tokens == 4);
  mesh.run(1s);
  CHECK(mesh.match("r0", "abcd").length == 2);
  mesh.remove("p0", "a");
  mesh.run(1s);
  CHECK(mesh.match("r0", "abxy").length == 0);
  CHECK(mesh.at("r0").status().tree_tokens == 0);
}

TEST_CASE("D4: only a node's own tokens count in its sizes") {
  NamedMesh mesh = mesh_of({"p0", "p1", "r0"});
  mesh.insert("p1", "abcd", 10);
  const auto path = mesh.at("p1").acquire(mesh.now(), {}, tokens_of("abcd"))->path;
  mesh.insert("p0", std::string(100, 'x'), 1);
  mesh.insert("p0", "abcdef", 200);
  mesh.run(1s);
  StatusView status = mesh.at("p1").status();
  CHECK(status.local_tokens == 4);
  CHECK(status.evictable_tokens == 0);
  CHECK(status.protected_tokens == 4);
  CHECK(status.tree_tokens == 106);
  mesh.at("p1").release(mesh.now(), path);
  status = mesh.at("p1").status();
  CHECK(status.evictable_tokens == 4);
  CHECK(status.protected_tokens == 0);
  status = mesh.at("r0").status();
  CHECK(status.local_tokens == 0);
  CHECK(status.tree_tokens == 106);
}

TEST_CASE("D5: what others insert and remove leaves locks as they are") {
  NamedMesh mesh = mesh_of({"p0", "p1"});
  mesh.insert("p1", "abcdef", 10);
  const auto deep = mesh.at("p1").acquire(mesh.now(), {}, tokens_of("abcdef"))->path;
  const auto shallow = mesh.at("p1").acquire(mesh.now(), {}, tokens_of("abc"))->path;
  for (const char* key : {"abcdef", "abcdxy", "axy", "abcdefgh"}) {
    mesh.insert("p0", key, 100);
    mesh.run(100ms);
    CHECK(mesh.at("p1").status().protected_tokens == 6);
    CHECK(mesh.evict("p1", 10).empty());
  }
  mesh.remove("p0", "ab");
  mesh.run(100ms);
  mesh.reset("p0");
  mesh.run(100ms);
  CHECK(mesh.at("p1").status().protected_tokens == 6);
  mesh.at("p1").release(mesh.now(), deep);
  CHECK(mesh.at("p1").status().protected_tokens == 3);
  CHECK(mesh.evict("p1", 10) == run_of(13, 3));
  mesh.at("p1").release(mesh.now(), shallow);
  CHECK(mesh.at("p1").status().protected_tokens == 0);
  CHECK(mesh.evict("p1", 10) == run_of(10, 3));
}

TEST_CASE("D6: a lock covers what matched and not the rest of its edge, on a decode node too") {
  NamedMesh mesh = mesh_of({"p0", "d0"});
  mesh.insert("d0", "abcdef", 10);
  const auto acquired = mesh.at("d0").acquire(mesh.now(), {}, tokens_of("abxy"));
  CHECK(acquired->match.local_length == 2);
  CHECK(mesh.at("d0").status().protected_tokens == 2);
  CHECK(mesh.at("d0").status().evictable_tokens == 4);
  CHECK(mesh.evict("d0", 6) == run_of(12, 4));
}

// ---- convergence -------------------------------------------------------------------------------

// Every node's answer to each query, apart from what is local: all must be alike.
void check_alike(NamedMesh& mesh, const std::vector<std::string>& queries) {
  for (const std::string& query : queries) {
    const MatchView first = mesh.match(mesh.names()[0], query);
    for (const std::string& name : mesh.names()) {
      const MatchView match = mesh.match(name, query);
      REQUIRE(match.depths == first.depths);
      REQUIRE(owners(match) == owners(first));
    }
  }
}

std::string random_key(std::mt19937& random) {
  std::string key(random() % 8 + 1, 'a');
  for (char& letter : key) letter = static_cast<char>('a' + random() % 2);
  return key;
}

TEST_CASE("D7: two nodes using equal slot numbers still conflict") {
  NamedMesh mesh = mesh_of({"p0", "p1", "d0", "r0"});
  mesh.insert("p1", "abc", 1);
  mesh.insert("p0", "abc", 1);
  mesh.insert("d0", "abcd", 1);
  mesh.run(1s);
  for (const std::string& name : mesh.names()) {
    const MatchView match = mesh.match(name, "abcd");
    CHECK(match.depths == Depths{{"p0", 3}, {"p1", 3}, {"d0", 4}});
    CHECK(owners(match) == Names{"p0", "d0"});
  }
  mesh.reset("p0");
  mesh.run(1s);
  for (const std::string& name : mesh.names()) {
    CHECK(owners(mesh.match(name, "abcd")) == Names{"p1", "d0"});
  }
}

TEST_CASE(
    "D7: in random histories with every pool from slot 1 on, all nodes name the same owners") {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    NamedMesh mesh = mesh_of({"p0", "p1", "d0", "r0"});
    std::map<std::string, std::uint64_t> next_slot{{"p0", 1}, {"p1", 1}, {"d0", 1}};
    std::vector<std::string> keys;
    for (int i = 0; i < 30; ++i) {
      const std::string name = Names{"p0", "p1", "d0"}[random() % 3];
      keys.push_back(random_key(random));
      mesh.insert(name, keys.back(), next_slot[name]);
      next_slot[name] += keys.back().size();
      mesh.run(Duration{random() % 1000});
    }
    mesh.run(2s);
    check_alike(mesh, keys);
  }
}

TEST_CASE("D8: insert says what was on this node before, and adopts exactly the rest") {
  NamedMesh mesh = mesh_of({"p0", "p1"});
  mesh.insert("p1", "abc", 50);
  mesh.run(1s);
  InsertResult result = mesh.insert("p0", "abc", 1);
  CHECK(result.prefix_len == 0);  // p1 has it, p0 had not
  CHECK(result.stored == 3);
  CHECK(mesh.match("p0", "abc").local_slots == run_of(1, 3));
  result = mesh.insert("p0", "abcde", 70);
  CHECK(result.prefix_len == 3);
  CHECK(result.stored == 2);
  CHECK(mesh.match("p0", "abcde").local_slots == SlotRuns{{Slot{1}, 3}, {Slot{73}, 2}});
}

TEST_CASE("D9: what its owner stores anew has its new slots everywhere") {
  NamedMesh mesh = mesh_of({"p0", "p1"});
  mesh.insert("p0", "ab", 1);
  mesh.run(1s);
  mesh.evict("p0", 2);
  mesh.insert("p0", "ab", 8);
  mesh.run(1s);
  REQUIRE(mesh.match("p1", "ab").segments.size() == 1);
  CHECK(mesh.match("p1", "ab").segments[0] == SegmentView{0, 2, "p0", run_of(8, 2)});
}

TEST_CASE("D9: an owner's later op replaces the slots of an earlier one") {
  LoneReplica d0;
  d0.introduce("p0");
  d0.published(LoneReplica::message("p0", 1, LoneReplica::insert_of("ab", 1)));
  d0.published(LoneReplica::message("p0", 2, LoneReplica::insert_of("ab", 8)));
  REQUIRE(d0.match("ab").segments.size() == 1);
  CHECK(d0.match("ab").segments[0] == SegmentView{0, 2, "p0", run_of(8, 2)});
}

TEST_CASE("D10: when the winner goes, the runner-up is still known") {
  NamedMesh mesh = mesh_of({"p0", "p1", "r0"});
  mesh.insert("p1", "abcd", 1);
  mesh.insert("p0", "abcd", 1);
  mesh.run(1s);
  mesh.evict("p0", 2);
  mesh.run(1s);
  for (const std::string& name : mesh.names()) {
    CHECK(owners(mesh.match(name, "abcd")) == Names{"p0", "p1"});
  }
}

TEST_CASE("D10: histories with evictions end where a model that forgets nothing says") {
  std::mt19937 random(10);
  for (int round = 0; round < 20; ++round) {
    NamedMesh mesh = mesh_of({"p0", "p1", "d0", "r0"});
    sim::Checker checker(mesh.network(), 1);
    std::vector<std::vector<TokenId>> keys;
    for (int i = 0; i < 40; ++i) {
      const std::string name = Names{"p0", "p1", "d0"}[random() % 3];
      sim::NodeModel& model = checker.engine(mesh.index(name)).model();
      if (random() % 3 == 0) {
        model.freed(mesh.evict(name, random() % 4));
      } else {
        const std::string key = random_key(random);
        keys.push_back(tokens_of(key));
        mesh.insert(name, key, model.next_slot);
        model.insert(keys.back(), key.size());
        model.next_slot += key.size();
      }
      mesh.run(Duration{random() % 1000});
    }
    mesh.run(2s);
    REQUIRE(checker.converged(keys) == "");
  }
}

TEST_CASE("D11: each hop counts the ttl down, passes nothing on twice, and stops at the last") {
  ReplicaSettings ring;
  ring.topology = Topology::ring;
  LoneReplica d0(ring);
  d0.introduce("p0");
  d0.owed<Publish>();
  const auto op = [](std::uint64_t seq, std::uint8_t ttl) {
    return LoneReplica::message("p0", seq, LoneReplica::insert_of("ab", 1), kPeerEpoch, ttl);
  };
  d0.published(op(1, 5));
  auto sent = d0.owed<Publish>();
  std::erase_if(sent, [](const Publish& each) { return each.lane != Lane::ops; });
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].frame == encode(op(1, 4)));
  const auto passes_on = [&](const Message& message) {
    d0.published(message);
    const auto effects = d0.owed<Publish>();
    return std::ranges::any_of(effects, [](const Publish& each) { return each.lane == Lane::ops; });
  };
  CHECK_FALSE(passes_on(op(1, 5)));
  CHECK_FALSE(passes_on(op(1, 4)));
  CHECK_FALSE(passes_on(op(2, 1)));
  CHECK(passes_on(op(3, 2)));
  CHECK_FALSE(passes_on(LoneReplica::message("nobody", 1, LoneReplica::insert_of("ab", 1))));
}

TEST_CASE("D11: in a ring an op goes around once, and that of an origin not in it dies") {
  ReplicaSettings ring;
  ring.topology = Topology::ring;
  NamedMesh mesh = mesh_of({"p0", "p1", "p2", "d0", "r0"}, ring);
  const auto counted = [&](std::string_view counter) {
    std::uint64_t total = 0;
    for (const std::string& name : mesh.names()) {
      if (mesh.running(name)) total += mesh.counter(name, counter);
    }
    return total;
  };
  mesh.insert("p0", "abcd", 1);
  mesh.run(5s);
  for (const std::string& name : mesh.names()) CHECK(mesh.match(name, "abcd").length == 4);
  CHECK(counted("ops_duplicate") <= 1);
  CHECK(counted("ttl_expired") == 0);

  // What p0 said last arrives after p0 has gone.
  const StatusView status = mesh.at("p0").status();
  mesh.crash("p0");
  mesh.run(10s);
  const Bytes last =
      encode(LoneReplica::message("p0", status.vector.at("p0").seq.value + 1,
                                  LoneReplica::insert_of("xyz", 9), status.epoch, 10));
  mesh.at("p1").step(mesh.now(), Published{last});
  mesh.network().perform(mesh.index("p1"));
  const Bytes foreign = encode(LoneReplica::message("nobody", 1, LoneReplica::insert_of("q", 9)));
  mesh.at("p1").step(mesh.now(), Published{foreign});
  mesh.network().perform(mesh.index("p1"));
  mesh.run(10s);
  CHECK(counted("unknown_origins") == 1);
  CHECK(counted("ops_duplicate") <= 2);
  CHECK(counted("ttl_expired") == 0);
  CHECK(mesh.at("r0").status().vector.at("p0").seq == Seq{2});
}

TEST_CASE("D12: what was lost is asked for again, until all have all") {
  NamedMesh mesh = mesh_of({"p0", "p1", "r0"});
  mesh.network().faults.loss = 0.5;
  for (std::uint64_t i = 0; i < 200; ++i) {
    mesh.insert(i % 2 == 0 ? "p0" : "p1", "key" + std::to_string(i), 10 * i);
    mesh.run(1ms);
  }
  CHECK_FALSE(mesh.agrees());
  mesh.network().faults.loss = 0;
  CHECK(mesh.network().run_until([&] { return mesh.agrees(); }, 10s));
  CHECK(mesh.match("r0", "key199").depths.at("p1") == 6);
}

TEST_CASE("D12: a lost tail is found though nothing follows it") {
  NamedMesh mesh = mesh_of({"p0", "r0"});
  mesh.network().cut.insert({mesh.index("p0"), mesh.index("r0")});
  mesh.insert("p0", "abcd", 1);
  mesh.run(100ms);
  mesh.network().cut.clear();
  mesh.run(3s);
  CHECK(mesh.match("r0", "abcd").length == 4);
}

TEST_CASE("D12: who comes late or again has all, and its earlier life is forgotten") {
  NamedMesh mesh({"p0", "p1", "r0"});
  mesh.start("p0");
  mesh.start("p1");
  mesh.run(1s);
  mesh.insert("p0", "abcd", 1);
  mesh.insert("p1", "abxy", 1);
  mesh.run(1s);
  mesh.start("r0");
  mesh.run(8s);
  CHECK(mesh.at("r0").ready());
  CHECK(mesh.match("r0", "abcd").depths == Depths{{"p0", 4}, {"p1", 2}});
  mesh.crash("p1");
  mesh.run(500ms);
  mesh.start("p1");
  mesh.run(8s);
  CHECK(mesh.agrees());
  for (const char* name : {"p0", "p1", "r0"}) {
    CHECK(mesh.match(name, "abxy").depths == Depths{{"p0", 2}});
  }
}

TEST_CASE("D12: reset clears the node's own entries everywhere, and no others'") {
  NamedMesh mesh = mesh_of({"p0", "p1", "r0"});
  mesh.insert("p0", "abcd", 1);
  mesh.insert("p1", "abcd", 1);
  mesh.run(1s);
  CHECK(mesh.reset("p0") == run_of(1, 4));
  mesh.run(1s);
  for (const std::string& name : mesh.names()) {
    CHECK(mesh.match(name, "abcd").depths == Depths{{"p1", 4}});
  }
  mesh.insert("p0", "ab", 9);
  mesh.run(1s);
  CHECK(mesh.match("r0", "ab").depths == Depths{{"p0", 2}, {"p1", 2}});
}

TEST_CASE("D13: ops go to the wire in the order in which they were applied") {
  LoneReplica d0;
  d0.replica.take_effects();
  const auto tokens = [](const char* letters) { return tokens_of(letters); };
  (void)d0.replica.insert(d0.now, {}, tokens("abcd"), run_of(1, 4));
  (void)d0.replica.insert(d0.now, {}, tokens("abxy"), run_of(11, 4));
  (void)d0.replica.evict(d0.now, 2);
  (void)d0.replica.insert(d0.now, {}, tokens("abcz"), run_of(21, 4));
  (void)d0.replica.remove(d0.now, {}, tokens("ab"));
  (void)d0.replica.reset(d0.now);
  std::uint64_t published = 0, applied = 0;
  std::vector<int> types;
  for (const Effect& effect : d0.replica.take_effects()) {
    if (const auto* publish = std::get_if<Publish>(&effect)) {
      if (publish->lane != Lane::ops) continue;
      const auto message = decode(publish->frame);
      REQUIRE(message);
      CHECK(message->envelope.seq.value == ++published);
      types.push_back(message->envelope.type);
    } else if (const auto* event = std::get_if<OpApplied>(&effect)) {
      CHECK(event->seq.value == ++applied);
    }
  }
  CHECK(published == applied);
  CHECK(types == std::vector<int>{1, 1, 2, 1, 2, 3});
}

TEST_CASE("D13: whatever the network does, each node applies each op once and in order") {
  NamedMesh mesh = mesh_of({"p0", "p1", "r0"});
  std::map<std::pair<std::size_t, std::string>, std::uint64_t> last;
  bool in_order = true;
  mesh.network().on_applied = [&](std::size_t node, const OpApplied& event) {
    in_order = in_order && event.seq.value == ++last[{node, event.origin}];
  };
  mesh.network().faults.reordering = 0.5;
  mesh.network().faults.duplication = 0.5;
  mesh.network().faults.loss = 0.1;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::string_view name = i % 2 == 0 ? "p0" : "p1";
    i % 7 == 6 ? (void)mesh.evict(name, 3)
               : (void)mesh.insert(name, "k" + std::to_string(i), 9 * i);
    mesh.run(1ms);
  }
  CHECK(mesh.network().run_until([&] { return mesh.agrees(); }, 30s));
  CHECK(in_order);
  CHECK(last.size() == 6);
}

TEST_CASE("D13: a lookup changes nothing") {
  NamedMesh mesh = mesh_of({"p0", "r0"});
  mesh.insert("p0", "abcdef", 1);
  mesh.run(1s);
  for (const char* name : {"p0", "r0"}) {
    const std::size_t edges = mesh.at(name).tree(0, 100).total;
    CHECK(mesh.match(name, "abcx").length == 3);
    CHECK(mesh.route(name, "abx").prefill.has_value());
    CHECK(mesh.at(name).tree(0, 100).total == edges);
  }
}

// ---- transport, ops, interface -----------------------------------------------------------------

TEST_CASE("D25: an op of 1,000 tokens costs a quarter of what it did, and little beside them") {
  LoneReplica d0;
  d0.replica.take_effects();
  std::vector<TokenId> tokens(1000);
  for (std::uint32_t i = 0; i < 1000; ++i) tokens[i] = TokenId{i * 127 % 128'000};
  REQUIRE(d0.replica.insert(d0.now, {}, tokens, run_of(5000, 1000)));
  const auto sent = d0.owed<Publish>();
  REQUIRE(sent[0].lane == Lane::ops);
  CHECK(sent[0].frame.size() <= 2500 + 64);
}

TEST_CASE("D25: nothing is too long to be sent once it is applied") {
  LoneReplica d0;
  d0.introduce("p0");
  d0.replica.take_effects();
  std::vector<TokenId> tokens(limits::request_tokens_max + 1);
  std::iota(reinterpret_cast<std::uint32_t*>(tokens.data()),
            reinterpret_cast<std::uint32_t*>(tokens.data() + tokens.size()), 0u);
  const auto refused = d0.replica.insert(d0.now, {}, tokens, run_of(1, tokens.size()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == RefusalCode::send_less);
  CHECK(d0.replica.status().local_tokens == 0);
  CHECK(d0.owed<Publish>().empty());

  tokens.pop_back();
  REQUIRE(d0.replica.insert(d0.now, {}, tokens, run_of(1, tokens.size())));
  NamedMesh other({"p0", "p1", "d0", "r0"});
  other.start("r0");
  Replica& r0 = other.at("r0");
  for (const Publish& each : d0.owed<Publish>()) {
    CHECK(each.frame.size() <= 4 + limits::frame_bytes_max);
    r0.step(other.now(), Published{each.frame});
  }
  CHECK(r0.status().tree_tokens == tokens.size());
  CHECK(r0.status().vector.at("d0").digest == d0.replica.status().vector.at("d0").digest);
}

TEST_CASE("D27: pages are of any size, and a part page at the end is ignored") {
  ReplicaSettings paged;
  paged.page_size = 4;
  NamedMesh mesh = mesh_of({"p0", "r0"}, paged);
  CHECK(mesh.insert("p0", "abcdefghij", 1).stored == 8);
  CHECK(mesh.insert("p0", "abc", 50).stored == 0);
  mesh.run(1s);
  for (const char* name : {"p0", "r0"}) {
    CHECK(mesh.match(name, "abcdefghij").length == 8);
    CHECK(mesh.match(name, "abcdefgX").length == 4);
    CHECK(mesh.at(name).status().tree_tokens == 8);
  }
  CHECK(mesh.evict("p0", 1) == run_of(5, 4));
}

TEST_CASE("D27: namespaces keep equal tokens apart, and do not meet by being joined") {
  LoneReplica d0;
  const auto named = [](std::string model, std::string lora) {
    CacheNamespace name;
    name.parts[0] = {NamespacePart::Kind::text, std::move(model)};
    name.parts[1] = {NamespacePart::Kind::text, std::move(lora)};
    return name;
  };
  const auto tokens = tokens_of("abc");
  REQUIRE(d0.replica.insert(d0.now, named("a", "bc"), tokens, run_of(1, 3)));
  CHECK(d0.replica.match_prefix(named("a", "bc"), tokens).local_slots == run_of(1, 3));
  CHECK(d0.replica.match_prefix(named("ab", "c"), tokens).length == 0);
  CHECK(d0.replica.match_prefix({}, tokens).length == 0);
  REQUIRE(d0.replica.insert(d0.now, named("ab", "c"), tokens, run_of(7, 3)));
  CHECK(d0.replica.match_prefix(named("ab", "c"), tokens).local_slots == run_of(7, 3));
  CHECK(d0.replica.status().tree_tokens == 6);
}

TEST_CASE("D27: the empty key is an answer, and so are the totals of an empty tree") {
  for (const char* name : {"p0", "r0"}) {
    CAPTURE(name);
    NamedMesh mesh = mesh_of({"p0", "r0"});
    CHECK(mesh.match(name, "").length == 0);
    CHECK(mesh.match(name, "").segments.empty());
    CHECK(mesh.route(name, "").prefill.has_value());
    CHECK(mesh.at(name).status().tree_tokens == 0);
    CHECK(mesh.at(name).tree(0, 10).edges.empty());
  }
  NamedMesh mesh = mesh_of({"p0", "r0"});
  CHECK(mesh.insert("p0", "", 1).stored == 0);
  CHECK(mesh.remove("p0", "").empty());
  CHECK(mesh.evict("p0", 5).empty());
  CHECK(mesh.reset("p0").empty());
}

// ---- the tests themselves ----------------------------------------------------------------------

// Only D28 runs these, in a process of their own.
TEST_CASE("planted: a check that fails" * doctest::skip()) { CHECK(1 == 2); }
TEST_CASE("planted: an exception" * doctest::skip()) { throw std::runtime_error("planted"); }
TEST_CASE("planted: a mesh that does not agree" * doctest::skip()) {
  NamedMesh mesh = mesh_of({"p0", "r0"});
  mesh.network().cut.insert({mesh.index("p0"), mesh.index("r0")});
  mesh.insert("p0", "abcd", 1);
  mesh.run(1s);
  CHECK(mesh.match("r0", "abcd").length == 4);
}
TEST_CASE("planted: all is well" * doctest::skip()) { CHECK(1 == 1); }

// The exit code of this program when it runs that test case alone.
int run_planted(const std::string& name) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  return std::system(
      ("'" + self + "' --no-skip --test-case='planted: " + name + "' >/dev/null 2>&1").c_str());
}

TEST_CASE("D28: a test that is broken fails, and the program with it") {
  CHECK(run_planted("all is well") == 0);
  CHECK(run_planted("a check that fails") != 0);
  CHECK(run_planted("an exception") != 0);
  CHECK(run_planted("a mesh that does not agree") != 0);
}

TEST_CASE("D28: the simulator's checker sees an entry too many, one too few, and a wrong slot") {
  NamedMesh mesh = mesh_of({"p0", "p1", "r0"});
  const std::vector<std::vector<TokenId>> queries = {tokens_of("abcd"), tokens_of("xy")};
  mesh.insert("p0", "abcd", 1);
  mesh.run(1s);
  const auto verdict = [&](auto&& tell) {
    sim::Checker checker(mesh.network(), 1);
    tell(checker.engine(mesh.index("p0")).model());
    return checker.converged(queries);
  };
  CHECK(verdict([&](sim::NodeModel& p0) { p0.insert(queries[0], 4); }) == "");
  CHECK(verdict([&](sim::NodeModel& p0) { p0.insert(queries[0], 3); }) != "");
  CHECK(verdict([&](sim::NodeModel&) {}) != "");
  CHECK(verdict([&](sim::NodeModel& p0) {
          p0.insert(queries[0], 4);
          p0.insert(queries[1], 2);
        }) != "");
  CHECK(verdict([&](sim::NodeModel& p0) {
          p0.next_slot = 9;
          p0.insert(queries[0], 4);
        }) != "");
  mesh.network().cut.insert({mesh.index("p0"), mesh.index("r0")});
  mesh.network().cut.insert({mesh.index("p1"), mesh.index("r0")});
  mesh.insert("p0", "xy", 10);
  mesh.run(1s);
  CHECK(verdict([&](sim::NodeModel& p0) {
          p0.insert(queries[0], 4);
          p0.next_slot = 10;
          p0.insert(queries[1], 2);
        }) != "");
}

}  // namespace
}  // namespace radixmesh
