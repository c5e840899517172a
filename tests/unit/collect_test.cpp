// Collecting duplicates, told as stories of a mesh: what goes, what stays, and who is asked.
#include <doctest/doctest.h>

#include "tests/sim/named_mesh.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;
using sim::NamedMesh;
using Depths = std::map<std::string, std::uint32_t>;

ReplicaSettings collecting(GcMode mode, Topology topology = Topology::mesh) {
  ReplicaSettings settings;
  settings.topology = topology;
  settings.gc.mode = mode;
  return settings;
}

// All nodes run, are ready, and their engines free what they are told to free.
class Mesh : public NamedMesh {
 public:
  Mesh(const std::vector<std::string>& names, ReplicaSettings settings)
      : NamedMesh(names, std::move(settings)) {
    start_all();
    run(2s);
    for (const std::string& name : names) {
      REQUIRE(at(name).ready());
      if (name[0] != 'r') frees(name);
    }
  }
  // Runs until nothing of the letters is on the node, at most so long; for how long it took.
  Duration until_gone(std::string_view name, std::string_view letters, Duration most) {
    const TimePoint begin = now();
    const auto gone = [&] { return match(name, letters).local_length == 0; };
    CHECK(network().run_until(gone, most));
    return now() - begin;
  }
  RefusalCode refusal_of_remove(std::string_view name, std::string_view letters) {
    const auto removed = at(name).remove(now(), {}, tokens_of(letters));
    network().perform(index(name));
    REQUIRE(!removed);
    return removed.error().code;
  }
  Evicted evict_all(std::string_view name, std::uint64_t tokens) {
    auto evicted = at(name).evict(now(), tokens);
    network().perform(index(name));
    REQUIRE(evicted);
    return std::move(*evicted);
  }
};

SlotRuns run_of(std::uint64_t start, std::uint64_t count) { return {{Slot{start}, count}}; }

constexpr GcMode kBoth[] = {GcMode::local_ref, GcMode::global_ref};

// ---- what goes ---------------------------------------------------------------------------------

TEST_CASE("a duplicate that nobody uses goes within two periods, in every topology") {
  for (GcMode mode : kBoth) {
    for (Topology topology : {Topology::mesh, Topology::ring, Topology::groups}) {
      CAPTURE(gc_mode_name(mode));
      CAPTURE(topology_name(topology));
      Mesh mesh({"p0", "p1", "p2", "d0", "r0"}, collecting(mode, topology));
      mesh.insert("p0", "abcd", 10);
      mesh.insert("p1", "abcdef", 20);
      mesh.insert("p2", "abxy", 30);
      mesh.insert("d0", "abcd", 40);
      mesh.run(20s);
      // p1 keeps what only it has, and d0 is of another role. "ab" of p2 has "xy" below it.
      for (const char* name : {"p0", "p1", "p2", "d0"}) CHECK(mesh.told_to_free(name).empty());
      mesh.insert("p0", "abcdef", 10);
      mesh.insert("p0", "abxy", 50);
      mesh.run(20s);
      CHECK(mesh.told_to_free("p1") == run_of(20, 6));
      CHECK(mesh.told_to_free("p2") == run_of(30, 4));
      CHECK(mesh.agrees());
      CHECK(mesh.match("r0", "abxy").depths == Depths{{"p0", 4}, {"d0", 2}});
      CHECK(mesh.at("p1").status().gc.unacknowledged == 0);
      CHECK(mesh.counter("p1", "gc_tokens_freed") == 6);
    }
  }
}

TEST_CASE("off collects nothing, and grants no references") {
  Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::off));
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p1", "abcd", 20);
  mesh.run(60s);
  CHECK(mesh.match("p1", "abcd").local_length == 4);
  const auto lease = mesh.acquire("d0", "abcd", true);
  CHECK(lease.reference == 0);
  CHECK(lease.segments.empty());
  CHECK(mesh.at("p1").status().gc.readers.empty());
}

TEST_CASE("as many copies stay as are to be kept, those of the lowest ranks") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  settings.gc.keep_copies = 2;
  Mesh mesh({"p0", "p1", "p2", "p3"}, settings);
  for (const char* name : {"p0", "p1", "p2", "p3"}) mesh.insert(name, "abcd", 10);
  mesh.run(20s);
  CHECK(mesh.match("p0", "abcd").depths == Depths{{"p0", 4}, {"p1", 4}});
}

TEST_CASE("a copy that is used often stays where more copies of hot prefixes are kept") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  settings.gc.hot_copies = 2;
  settings.gc.hot_uses = 3;
  Mesh mesh({"p0", "p1", "p2"}, settings);
  for (const char* name : {"p0", "p1", "p2"}) mesh.insert(name, "abcd", 10);
  const auto use = [&] {
    for (int i = 0; i < 4; ++i) {
      for (const char* name : {"p1", "p2"}) mesh.release(name, mesh.acquire(name, "abcd"));
    }
  };
  for (int i = 0; i < 8; ++i) {
    use();
    mesh.run(5s);
  }
  // Hot on both, and p2 has two better copies.
  CHECK(mesh.match("p0", "abcd").depths == Depths{{"p0", 4}, {"p1", 4}});
  CHECK(mesh.at("p1").gc(mesh.now(), false)->hot_tokens == 4);
  mesh.run(40s);
  CHECK(mesh.match("p0", "abcd").depths == Depths{{"p0", 4}});
}

TEST_CASE("what is more than a round can hold follows in the next one at once") {
  Mesh mesh({"p0", "p1"}, collecting(GcMode::local_ref));
  for (const char* name : {"p0", "p1"}) {
    for (std::uint64_t i = 0; i < 3 * limits::gc_pages_max; ++i) {
      const std::vector<TokenId> key = {TokenId{7}, TokenId{static_cast<std::uint32_t>(i)}};
      REQUIRE(mesh.at(name).insert(mesh.now(), {}, key, {{Slot{2 * i}, 2}}));
    }
    mesh.network().perform(mesh.index(name));
  }
  mesh.run(2s);
  CHECK(mesh.network().run_until([&] { return mesh.at("p1").status().local_tokens == 0; }, 20s));
  CHECK(mesh.counter("p1", "gc_rounds") >= 3);
  mesh.run(1s);
  CHECK(mesh.at("p0").status().protected_tokens == 0);
}

TEST_CASE("what a reader refers to for long does not hold up what nobody does") {
  for (GcMode mode : kBoth) {
    CAPTURE(gc_mode_name(mode));
    Mesh mesh({"p0", "p1", "d0"}, collecting(mode));
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    const auto lease = mesh.acquire("d0", "abcd", true);
    mesh.insert("p0", "abcd", 10);
    mesh.run(15s);
    for (int i = 0; i < 3; ++i) {
      for (const char* name : {"p0", "p1"}) mesh.insert(name, "wxyz", 30);
      CHECK(mesh.until_gone("p1", "w", 30s) <= 21s);
    }
    CHECK(mesh.is_valid("d0", lease));
    CHECK(mesh.match("p1", "abcd").local_length == 4);
    mesh.release("d0", lease);
    CHECK(mesh.until_gone("p1", "a", 20s) < 11s);
  }
}

// A holder that is asked to keep copies and does not answer: what it was asked for is not new.
TEST_CASE("what was not held does not take back what retires, however short the period") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  settings.gc.period = 200ms;
  settings.timers.suspect_after = 60s;
  Mesh mesh({"p0", "p1", "p2", "d0"}, settings);
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p1", "wxyz", 10);
  mesh.insert("p2", "wxyz", 30);
  mesh.run(1s);
  mesh.network().pause(mesh.index("p1"), 20s);
  const auto lease = mesh.acquire("d0", "abcd", true);
  mesh.release("d0", lease);
  mesh.insert("p2", "abcd", 20);
  mesh.until_gone("p2", "a", 10s);
}

TEST_CASE("more copies than a round can hold may be referred to: the others have their turn") {
  for (GcMode mode : kBoth) {
    for (bool first_ones : {false, true}) {
      CAPTURE(gc_mode_name(mode));
      Mesh mesh({"p0", "p1", "d0"}, collecting(mode));
      constexpr std::uint32_t kReferred = limits::gc_pages_max, kOthers = 76;
      const auto key = [](std::uint32_t i) { return std::vector<TokenId>{TokenId{7}, TokenId{i}}; };
      const auto insert_all = [&](const char* name) {
        for (std::uint32_t i = 0; i < kReferred + kOthers; ++i) {
          REQUIRE(mesh.at(name).insert(mesh.now(), {}, key(i), {{Slot{2 * i}, 2}}));
        }
        mesh.network().perform(mesh.index(name));
        mesh.run(1s);
      };
      insert_all("p1");
      for (std::uint32_t i = 0; i < kReferred; ++i) {
        REQUIRE(mesh.acquire("d0", key(first_ones ? i : kOthers + i), true).reference != 0);
      }
      insert_all("p0");
      mesh.run(60s);
      CHECK(mesh.at("p1").status().local_tokens == 1 + kReferred);
    }
  }
}

TEST_CASE("a duplicate is no larger than what an engine is told of at once") {
  Mesh mesh({"p0", "p1"}, collecting(GcMode::local_ref));
  for (const char* name : {"p0", "p1"}) {
    for (std::uint32_t i = 0; i < 3; ++i) {
      std::vector<TokenId> key(400'000, TokenId{i});
      key[0] = TokenId{7};
      REQUIRE(mesh.at(name).insert(mesh.now(), {}, key, {{Slot{400'000 * i}, key.size()}}));
      mesh.network().perform(mesh.index(name));
    }
  }
  mesh.run(1s);
  const auto view = mesh.at("p1").gc(mesh.now(), false);
  REQUIRE(view->duplicates.size() == 3);  // and what they have in common goes after them
  for (const DuplicateRow& row : view->duplicates) CHECK(row.tokens == 399'999);
  CHECK(view->above_tokens + view->duplicate_tokens == 1'199'998);
  CHECK(mesh.network().run_until([&] { return mesh.at("p1").status().local_tokens == 0; }, 20s));
}

// ---- references --------------------------------------------------------------------------------

TEST_CASE("a page that another node refers to stays until it is released, and no longer") {
  for (GcMode mode : kBoth) {
    CAPTURE(gc_mode_name(mode));
    Mesh mesh({"p0", "p1", "d0"}, collecting(mode));
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
    CHECK(mesh.is_valid("d0", lease));
    CHECK(mesh.match("p1", "abcd").local_length == 4);
    mesh.release("d0", lease);
    // The owner hears of it at once.
    CHECK(mesh.until_gone("p1", "a", 20s) < 11s);
    CHECK(mesh.told_to_free("p1") == run_of(20, 6));
    mesh.run(1s);
    CHECK(mesh.agrees());
  }
}

TEST_CASE("global-ref acts as soon as the last register is even, and not only periodically") {
  ReplicaSettings settings = collecting(GcMode::global_ref);
  settings.gc.period = 1000s;
  Mesh mesh({"p0", "p1", "d0", "d1"}, settings);
  mesh.insert("p1", "abcd", 20);
  mesh.run(1s);
  const auto first = mesh.acquire("d0", "abcd", true);
  const auto second = mesh.acquire("d1", "abcd", true);
  CHECK(mesh.at("p1").status().protected_tokens == 4);
  mesh.insert("p0", "abcd", 10);
  mesh.run(1200s);
  CHECK(mesh.match("p1", "abcd").local_length == 4);
  mesh.release("d0", first);
  mesh.run(1s);
  CHECK(mesh.match("p1", "abcd").local_length == 4);
  mesh.release("d1", second);
  CHECK(mesh.until_gone("p1", "abcd", 20s) < 1s);
}

TEST_CASE("who refers to what is not here refers to the deepest other holder") {
  Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p1", "abcdef", 20);
  mesh.insert("d0", "ab", 30);
  mesh.run(1s);
  const auto lease = mesh.acquire("d0", "abcdef", true);
  REQUIRE(lease.segments.size() == 2);
  CHECK((lease.segments[0].addr == "d0" && lease.segments[0].slots == run_of(30, 2)));
  CHECK((lease.segments[1].begin == 2 && lease.segments[1].slots == run_of(22, 4)));
  CHECK(mesh.acquire("d0", "ab", true).reference == 0);  // all of it is here
}

TEST_CASE("where the best holder is silent, the next best is referred to") {
  for (GcMode mode : kBoth) {
    CAPTURE(gc_mode_name(mode));
    Mesh mesh({"p0", "p1", "d0"}, collecting(mode));
    mesh.insert("p0", "abcdef", 10);
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    mesh.network().pause(mesh.index("p0"), 20s);
    const TimePoint asked = mesh.now();
    const auto lease = mesh.acquire("d0", "abcdef", true);
    CHECK(mesh.now() - asked < 1s);
    REQUIRE(lease.segments.size() == 1);
    CHECK((lease.segments[0].addr == "p1" && lease.segments[0].slots == run_of(20, 4)));
  }
}

TEST_CASE("a registration ends when nothing is referred to for a lease") {
  Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
  mesh.insert("p0", "abcd", 10);
  mesh.run(1s);
  mesh.release("d0", mesh.acquire("d0", "abcd", true));
  CHECK(mesh.at("p0").status().gc.readers.size() == 1);
  mesh.run(15s);
  CHECK(mesh.at("p0").status().gc.readers.empty());
  CHECK(mesh.acquire("d0", "abcd", true).reference != 0);
}

// ---- silence -----------------------------------------------------------------------------------

TEST_CASE("a silent reader blocks; or is waited for until its lease has lapsed, and knows it") {
  for (bool expires : {false, true}) {
    CAPTURE(expires);
    ReplicaSettings settings = collecting(GcMode::local_ref);
    settings.gc.expires_silent = expires;
    Mesh mesh({"p0", "p1", "d0"}, settings);
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    const auto lease = mesh.acquire("d0", "abcd", true);
    mesh.insert("p0", "abcd", 10);
    mesh.network().pause(mesh.index("d0"), 200s);
    mesh.run(100s);
    CHECK((mesh.match("p1", "abcd").local_length == 4) == !expires);
    mesh.run(101s);
    CHECK(!mesh.is_valid("d0", lease));  // the check is made after the read
    mesh.release("d0", lease);
    mesh.until_gone("p1", "abcd", 40s);
  }
}

TEST_CASE("a reader that restarts or leaves is waited for no longer") {
  for (bool leaves : {false, true}) {
    CAPTURE(leaves);
    Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    (void)mesh.acquire("d0", "abcd", true);
    mesh.insert("p0", "abcd", 10);
    mesh.run(1s);
    leaves ? mesh.drain("d0") : mesh.crash("d0");
    mesh.run(5s);
    if (!leaves) {
      mesh.run(60s);
      CHECK(mesh.match("p1", "abcd").local_length == 4);
      mesh.start("d0");
    }
    mesh.until_gone("p1", "abcd", 40s);
  }
}

TEST_CASE("a reader that had joined and left is not forgotten before its lease has lapsed") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  settings.timers.forget_after = 1s;
  Mesh mesh({"p0", "p1"}, settings);
  mesh.join("d0", "p0");
  mesh.insert("p1", "abcd", 20);
  mesh.run(2s);
  REQUIRE(mesh.acquire("d0", "abcd", true).reference != 0);
  mesh.insert("p0", "abcd", 10);
  mesh.drain("d0");
  CHECK(mesh.until_gone("p1", "abcd", 40s) > 8s);
  mesh.run(2s);
  CHECK(mesh.at("p1").nodes(mesh.now()).size() == 2);
}

TEST_CASE("an owner that restarts frees nothing while leases of its former life may stand") {
  Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
  mesh.attach_engine("p1", "gpu");
  mesh.insert("p1", "abcd", 20);
  mesh.insert("p0", "abcd", 10);
  mesh.run(1s);
  const auto lease = mesh.acquire("d0", "abcd", true);
  REQUIRE(lease.segments[0].addr == "p0");
  mesh.crash("p1");
  mesh.start("p1");
  mesh.attach_engine("p1", "gpu");
  const TimePoint started = mesh.now();
  mesh.frees("p1");
  mesh.run(3s);
  REQUIRE(mesh.match("p1", "abcd").local_length == 4);
  CHECK(mesh.evict_all("p1", 4).freed.empty());
  CHECK(mesh.refusal_of_remove("p1", "abcd") == RefusalCode::retry_later);
  CHECK(mesh.at("p1").free_wait(mesh.now()) > 6s);
  mesh.until_gone("p1", "abcd", 40s);
  CHECK(mesh.now() - started > 10s);
}

TEST_CASE("an owner that restarts with a shorter lease, or collects no more, waits all the same") {
  for (GcMode mode : {GcMode::local_ref, GcMode::off}) {
    CAPTURE(gc_mode_name(mode));
    Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
    mesh.attach_engine("p1", "gpu");
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    const auto lease = mesh.acquire("d0", "abcd", true);
    REQUIRE(lease.segments[0].addr == "p1");
    mesh.network().adjust = [&](std::size_t node, ReplicaSettings& settings) {
      if (node != mesh.index("p1")) return;
      settings.gc.mode = mode;
      settings.gc.lease = 2s;
    };
    // The reader hears nothing of all this, and goes on reading.
    mesh.network().side = {0, 0, 1};
    for (int restarts = 0; restarts < 2; ++restarts) {
      mesh.crash("p1");
      mesh.start("p1");
      mesh.attach_engine("p1", "gpu");
      mesh.run(3s);
      REQUIRE(mesh.match("p1", "abcd").local_length == 4);
    }
    CHECK(mesh.is_valid("d0", lease));
    CHECK(mesh.evict_all("p1", 4).freed.empty());
    CHECK(mesh.refusal_of_remove("p1", "abcd") == RefusalCode::retry_later);
    CHECK(mesh.network().run_until([&] { return !mesh.is_valid("d0", lease); }, 10s));
    mesh.run(5s);
    CHECK(mesh.evict_all("p1", 4).freed == run_of(20, 4));
    // Later lives know nothing of that any more.
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    mesh.crash("p1");
    mesh.start("p1");
    mesh.attach_engine("p1", "gpu");
    mesh.run(3s);
    CHECK(mesh.evict_all("p1", 4).freed == run_of(20, 4));
  }
}

// ---- what the owner's engine does --------------------------------------------------------------

TEST_CASE("a lock of the owner's engine, or an insert, takes back what retires") {
  for (bool locks : {false, true}) {
    CAPTURE(locks);
    Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    const auto reader = mesh.acquire("d0", "abcd", true);
    mesh.insert("p0", "abcd", 10);
    mesh.network().run_until([&] { return mesh.at("p1").status().gc.retiring_tokens == 4; }, 20s);
    REQUIRE(mesh.at("p1").status().gc.retiring_tokens == 4);
    mesh.run(100ms);
    CHECK(mesh.match("d0", "abcd").depths == Depths{{"p0", 4}});
    if (locks) {
      (void)mesh.acquire("p1", "abcd");
    } else {
      mesh.insert("p1", "abcdef", 20);
    }
    mesh.run(100ms);
    CHECK(mesh.at("p1").status().gc.retiring_tokens == 0);
    CHECK(mesh.match("d0", "abcd").depths == Depths{{"p0", 4}, {"p1", 4}});
    mesh.release("d0", reader);
    mesh.run(40s);
    CHECK(mesh.match("p1", "abcd").local_length == 4);
    CHECK(mesh.agrees());
  }
}

TEST_CASE("where others are registered, evict frees what nobody refers to, as soon as they agree") {
  for (GcMode mode : kBoth) {
    CAPTURE(gc_mode_name(mode));
    Mesh mesh({"p0", "d0"}, collecting(mode));
    mesh.insert("p0", "abcd", 10);
    mesh.insert("p0", "wxyz", 20);
    mesh.run(1s);
    const auto lease = mesh.acquire("d0", "abcd", true);
    Evicted evicted = mesh.evict_all("p0", 8);
    if (mode == GcMode::local_ref) {
      CHECK(evicted.freed.empty());
      CHECK(evicted.retiring == 8);
      mesh.run(100ms);
      evicted = mesh.evict_all("p0", 8);
    }
    CHECK(evicted.freed == run_of(20, 4));
    mesh.run(1s);
    CHECK(mesh.is_valid("d0", lease));
    CHECK(mesh.evict_all("p0", 8).freed.empty());
    mesh.release("d0", lease);
    mesh.run(100ms);
    CHECK(mesh.evict_all("p0", 8).freed == run_of(10, 4));
    mesh.run(1s);
    CHECK(mesh.agrees());
  }
}

TEST_CASE("an insert finds room in what was retired ahead") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  settings.max_radix_cache_size = 100;
  settings.gc.reserve_percent = 10;
  Mesh mesh({"p0", "d0"}, settings);
  std::uint64_t slot = 0;
  const auto insert = [&](std::uint32_t first) {
    std::vector<TokenId> key;
    for (std::uint32_t i = 0; i < 10; ++i) key.push_back(TokenId{first + i});
    const auto result = mesh.at("p0").insert(mesh.now(), {}, key, {{Slot{slot += 10}, 10}});
    mesh.network().perform(mesh.index("p0"));
    REQUIRE(result);
    return *result;
  };
  for (std::uint32_t i = 0; i < 10; ++i) CHECK(insert(100 * i).stored == 10);
  mesh.run(1s);
  const std::vector<TokenId> last = {TokenId{900}, TokenId{901}};
  const auto lease = mesh.at("d0").acquire(mesh.now(), {}, last, true);
  mesh.network().perform(mesh.index("d0"));
  REQUIRE((lease && lease->wait));
  mesh.run(1s);
  // A tenth retires ahead, and is agreed to; so is what is retired in its place.
  CHECK(mesh.at("p0").status().gc.retiring_tokens == 10);
  for (std::uint32_t i = 10; i < 15; ++i) {
    const InsertResult result = insert(100 * i);
    CHECK(result.stored == 10);
    CHECK(result.freed.size() == 10);
    mesh.run(1s);
  }
  CHECK(mesh.at("p0").status().local_tokens == 100);
}

TEST_CASE("delete and reset are to be asked again while others may read what would go") {
  Mesh mesh({"p0", "d0"}, collecting(GcMode::local_ref));
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p0", "xy", 20);
  mesh.run(1s);
  const auto lease = mesh.acquire("d0", "abcd", true);
  CHECK(mesh.refusal_of_remove("p0", "ab") == RefusalCode::retry_later);
  mesh.run(1s);
  CHECK(mesh.refusal_of_remove("p0", "ab") == RefusalCode::retry_later);
  CHECK(mesh.is_valid("d0", lease));
  mesh.release("d0", lease);
  mesh.run(100ms);
  CHECK(mesh.remove("p0", "ab").size() == 3);
  CHECK(!mesh.at("p0").reset(mesh.now()));
  mesh.network().perform(mesh.index("p0"));
  mesh.run(100ms);
  CHECK(mesh.reset("p0").size() == 3);
  mesh.run(1s);
  CHECK(mesh.agrees());
}

TEST_CASE("an engine that never acknowledges is shown, and nothing is freed twice") {
  Mesh mesh({"p0", "p1"}, collecting(GcMode::local_ref));
  mesh.frees("p1", false);
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p1", "abcd", 20);
  mesh.run(60s);
  CHECK(mesh.told_to_free("p1") == run_of(20, 4));
  const GcCountsView gc = mesh.at("p1").status().gc;
  CHECK((gc.unacknowledged == 1 && gc.unacknowledged_tokens == 4));
  CHECK(gc.unacknowledged_for > 20s);
  const std::vector<GcFree> waiting = mesh.at("p1").unacknowledged();
  REQUIRE(waiting.size() == 1);
  mesh.at("p1").acknowledge_free(waiting[0].number);
  mesh.at("p1").acknowledge_free(waiting[0].number);
  CHECK(mesh.counter("p1", "gc_tokens_freed") == 4);
  CHECK(mesh.at("p1").unacknowledged().empty());
}

TEST_CASE("an engine that frees no single slots is advised, when that changes") {
  NamedMesh mesh({"p0", "p1"}, collecting(GcMode::local_ref));
  mesh.start_all();
  mesh.run(2s);
  std::vector<GcFree> told;
  mesh.network().on_gc_free = [&](std::size_t, const GcFree& event) { told.push_back(event); };
  mesh.at("p1").set_engine_frees(mesh.now(), false, true);
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p1", "abcd", 20);
  mesh.run(60s);
  REQUIRE(told.size() == 1);
  CHECK((told[0].advice && told[0].slots == run_of(20, 4)));
  CHECK(mesh.match("p1", "abcd").local_length == 4);
  CHECK(mesh.at("p1").gc(mesh.now(), false)->not_collecting != "");
  // Others should send no request there that makes more of them.
  mesh.insert("p0", "xyzw", 50);
  mesh.run(2s);
  const auto terms = [&] {
    return mesh.at("p0").explain(mesh.now(), {}, tokens_of("xyzw")).candidates.at(1).terms;
  };
  CHECK(terms().duplicate == doctest::Approx(3 * terms().compute));
  mesh.at("p1").set_engine_frees(mesh.now(), true, true);
  mesh.run(1s);
  CHECK(terms().duplicate == 0);
}

// ---- the better holder -------------------------------------------------------------------------

TEST_CASE("a better holder that lets go of its copy in the middle leaves the other's") {
  for (GcMode mode : kBoth) {
    CAPTURE(gc_mode_name(mode));
    Mesh mesh({"p0", "p1"}, collecting(mode));
    mesh.insert("p0", "abcd", 10);
    mesh.insert("p1", "abcd", 20);
    mesh.run(1s);
    // What p0 publishes from now on is late: p1 still counts on its copy.
    mesh.network().set_slowness(mesh.index("p0"), 20ms);
    mesh.run(1s);
    REQUIRE(mesh.at("p1").gc(mesh.now(), true)->round_running);
    mesh.network().perform(mesh.index("p1"));
    CHECK(mesh.evict("p0", 4) == run_of(10, 4));
    mesh.run(30s);
    CHECK(mesh.match("p1", "abcd").local_length == 4);
    CHECK(mesh.told_to_free("p1").empty());
  }
}

TEST_CASE("a better holder keeps what it is asked to keep, for as long as the round lasts") {
  Mesh mesh({"p0", "p1", "d0"}, collecting(GcMode::local_ref));
  mesh.insert("p1", "abcd", 20);
  mesh.run(1s);
  const auto lease = mesh.acquire("d0", "abcd", true);
  mesh.insert("p0", "abcd", 10);
  mesh.network().run_until([&] { return mesh.at("p0").status().gc.held_pages == 1; }, 20s);
  CHECK(mesh.evict("p0", 4).empty());
  mesh.run(65s);  // the reader does not let go: the round is given up, and the next one begins
  CHECK(mesh.counter("p1", "gc_rounds_given_up") == 1);
  mesh.crash("p1");  // and never says that it is over
  mesh.run(70s);
  CHECK(mesh.at("p0").status().gc.held_pages == 0);
  CHECK(mesh.evict("p0", 4) == run_of(10, 4));
}

// ---- replication of what retires ---------------------------------------------------------------

TEST_CASE("who comes late learns by a snapshot what retires") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  settings.own_log_bytes_max = settings.other_log_bytes_max = 1;
  Mesh mesh({"p0", "p1", "d0", "r0"}, settings);
  mesh.insert("p1", "ab", 20);
  mesh.insert("p1", "abcd", 20);
  mesh.run(1s);
  (void)mesh.acquire("d0", "abcd", true);
  mesh.insert("p0", "abcd", 10);
  mesh.network().run_until([&] { return mesh.at("p1").status().gc.retiring_tokens == 4; }, 20s);
  mesh.crash("r0");
  mesh.start("r0");
  mesh.run(5s);
  REQUIRE(mesh.at("p1").status().gc.retiring_tokens == 4);
  CHECK(mesh.counter("r0", "snapshots_taken") > 0);
  CHECK(mesh.match("r0", "abcd").depths == Depths{{"p0", 4}});
  CHECK(mesh.agrees());
}

// ---- the defects of the original ---------------------------------------------------------------

TEST_CASE("D2: the slots of a copy that goes are told to its engine, each once") {
  Mesh mesh({"p0", "p1"}, collecting(GcMode::local_ref));
  mesh.insert("p1", "abcdef", 20);
  mesh.insert("p0", "abcd", 10);  // wins over p1's unlocked copy, and takes nothing of it
  mesh.run(30s);
  CHECK(mesh.match("p1", "abcdef").local_slots == run_of(20, 6));
  mesh.insert("p0", "abcdef", 10);
  mesh.run(30s);
  CHECK(mesh.told_to_free("p1") == run_of(20, 6));
}

TEST_CASE("D14: GC_QUERY, GC_ABORT and the DELETE reach every node") {
  Mesh mesh({"p0", "p1", "d0", "r0"}, collecting(GcMode::local_ref, Topology::ring));
  std::map<std::size_t, std::vector<MessageType>> seen;
  mesh.network().on_applied = [&](std::size_t node, const OpApplied& event) {
    if (event.origin == "p1") seen[node].push_back(event.type);
  };
  mesh.insert("p1", "abcd", 20);
  mesh.run(1s);
  const auto lease = mesh.acquire("d0", "abcd", true);
  mesh.insert("p0", "abcd", 10);
  mesh.network().run_until([&] { return mesh.at("p1").status().gc.retiring_tokens == 4; }, 20s);
  mesh.release("p1", mesh.acquire("p1", "abcd"));
  mesh.release("d0", lease);
  mesh.run(30s);
  const std::vector<MessageType> all = {MessageType::insert, MessageType::gc_query,
                                        MessageType::gc_abort, MessageType::gc_query,
                                        MessageType::remove};
  for (const char* name : {"p0", "p1", "d0", "r0"}) {
    CAPTURE(name);
    CHECK(seen[mesh.index(name)] == all);
  }
}

TEST_CASE("D15: collecting goes on though there was nothing to collect at first") {
  Mesh mesh({"p0", "p1"}, collecting(GcMode::local_ref));
  mesh.run(100s);
  mesh.insert("p0", "abcd", 10);
  mesh.insert("p1", "abcd", 20);
  CHECK(mesh.until_gone("p1", "abcd", 20s) <= 20s);
}

TEST_CASE("D16: what is a duplicate does not depend on how the tree came about") {
  const std::vector<std::pair<std::string, std::string>> inserts = {
      {"p0", "abc"}, {"p1", "abc"}, {"p1", "abcde"}, {"p0", "abcde"}, {"p1", "abx"}};
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  do {
    Mesh mesh({"p0", "p1", "r0"}, collecting(GcMode::local_ref));
    std::uint64_t slot = 0;
    for (std::size_t each : order) {
      mesh.insert(inserts[each].first, inserts[each].second, slot += 10);
      mesh.run(10ms);
    }
    mesh.run(30s);
    REQUIRE(mesh.match("r0", "abcde").depths == Depths{{"p0", 5}, {"p1", 2}});
    REQUIRE(mesh.match("r0", "abx").depths == Depths{{"p0", 2}, {"p1", 3}});
    REQUIRE(mesh.told_to_free("p1").size() == 3);
  } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("D17: agreements are a set: what is said twice, late or by others counts once or not") {
  ReplicaSettings settings = collecting(GcMode::local_ref);
  Mesh mesh({"p0", "p1", "d0", "d1"}, settings);
  mesh.network().faults.duplication = 1;
  mesh.network().faults.reordering = 0.5;
  mesh.insert("p1", "abcd", 20);
  mesh.run(1s);
  const auto first = mesh.acquire("d0", "abcd", true);
  const auto second = mesh.acquire("d1", "abcd", true);
  mesh.insert("p0", "abcd", 10);
  mesh.network().run_until([&] { return mesh.at("p1").status().gc.retiring_tokens == 4; }, 20s);
  // d0 lets go, and says so again and again; a vote is a promise: it takes no new reference there.
  mesh.release("d0", first);
  CHECK(mesh.acquire("d0", "abcd", true).segments[0].addr == "p0");
  mesh.run(30s);
  CHECK(mesh.match("p1", "abcd").local_length == 4);
  CHECK(mesh.is_valid("d1", second));
  mesh.release("d1", second);
  mesh.until_gone("p1", "abcd", 15s);
  CHECK(mesh.told_to_free("p1").size() == 4);
  mesh.run(60s);
  CHECK(mesh.told_to_free("p1").empty());  // the owner asks no more, and frees it once
  CHECK(mesh.counter("p1", "gc_rounds") <= 2);
}

TEST_CASE("D18: a router keeps nothing of duplicates that went") {
  Mesh mesh({"p0", "p1", "p2", "r0"}, collecting(GcMode::local_ref));
  const std::uint64_t before = mesh.at("r0").status().memory_bytes;
  std::uint64_t alone = 0;
  for (const char* name : {"p0", "p1", "p2"}) {
    for (std::uint32_t prompt = 0; prompt < 200; ++prompt) {
      std::vector<TokenId> key;
      for (std::uint32_t i = 0; i < 64; ++i) key.push_back(TokenId{prompt * 1000 + i});
      REQUIRE(mesh.at(name).insert(mesh.now(), {}, key, {{Slot{prompt * 64}, 64}}));
    }
    mesh.network().perform(mesh.index(name));
    mesh.run(5s);
    if (alone == 0) alone = mesh.at("r0").status().memory_bytes;
  }
  CHECK(mesh.at("r0").status().tree_tokens == 200 * 64);
  mesh.run(20s);
  CHECK(mesh.at("p1").status().local_tokens == 0);
  CHECK(mesh.at("r0").status().tree_tokens == 200 * 64);
  // What is left is what one node's copies alone take, and the op log's few ops.
  CHECK(mesh.at("r0").status().memory_bytes - before < 3 * (alone - before));
}

}  // namespace
}  // namespace radixmesh
