// Whether a node that knows nothing but names begins a mesh, from what those stand for and answer.
#include "lib/mesh/seeds.h"

#include <doctest/doctest.h>

#include "lib/base/node_id.h"
#include "lib/oplog/codec.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

const Founder kOwn{"b:1", Epoch{5}}, kLower{"a:1", Epoch{5}}, kHigher{"c:1", Epoch{5}};

struct Asker {
  Seeds seeds{"default", id("b:1"), {"name:1"}, 3s, 10s};
  TimePoint now{1h};

  static NodeId id(const std::string& addr) { return node_id("default", addr); }
  void found(const std::vector<std::string>& addresses, const std::vector<std::string>& here = {},
             bool is_known = true) {
    seeds.found("name:1", addresses, here, is_known);
  }
  void declines(const std::string& addr, const Founder& candidate = kHigher) {
    seeds.declined(now, id(addr), id("x"), candidate);
  }
  bool begins() const { return seeds.why_not_begin(now, kOwn).empty(); }
};

TEST_CASE(
    "seeds: nothing is begun before each name was looked up, and anything is where it fails") {
  Asker asker;
  CHECK(!asker.begins());
  asker.found({}, {}, false);
  CHECK(asker.begins());
}

TEST_CASE("seeds: a silent name server takes away nobody who was known, a certain no does") {
  Asker asker;
  asker.found({"1.1.1.1:1", "1.1.1.2:1"});
  CHECK(!asker.begins());
  asker.found({}, {}, false);
  CHECK(!asker.begins());
  asker.found({}, {}, true);
  CHECK(asker.begins());
}

TEST_CASE("seeds: most must answer, in IPv4 or in IPv6, and one's own address answers for nobody") {
  Asker asker;
  asker.found({"b:1", "1.1.1.2:1", "1.1.1.3:1", "[::2]:1", "[::3]:1"});
  CHECK(!asker.begins());
  asker.declines("1.1.1.2:1");
  CHECK(asker.begins());
  asker.now += 4s;  // that was a while ago
  CHECK(!asker.begins());
  asker.declines("[::3]:1");
  CHECK(asker.begins());
  // Of the other family it has only its own.
  Asker cut_off;
  cut_off.found({"b:1", "[::1]:1", "1.1.1.2:1", "1.1.1.3:1"});
  cut_off.seeds.note_own(cut_off.now, Asker::id("[::1]:1"));
  CHECK(!cut_off.begins());
}

TEST_CASE("seeds: an address of this machine where nobody listens is nobody's") {
  Asker asker;
  asker.found({"b:1", "[::1]:1"}, {"[::1]:1"});
  CHECK(asker.begins());
  asker.declines("[::1]:1", kLower);
  CHECK(!asker.begins());
}

TEST_CASE("seeds: who lets it in is waited for, who refuses it counts as silent") {
  Asker asker;
  asker.found({"1.1.1.2:1", "1.1.1.3:1"});
  asker.declines("1.1.1.2:1");
  CHECK(asker.seeds.refused(asker.now, Asker::id("1.1.1.3:1"), {}, "page_size differs"));
  CHECK(!asker.seeds.refused(asker.now, Asker::id("1.1.1.3:1"), {}, "page_size differs"));
  CHECK(asker.begins());
  asker.seeds.let_in(asker.now, Asker::id("1.1.1.3:1"), {});
  CHECK(!asker.begins());
}

TEST_CASE("seeds: the lower ones' turns come first, each for its time") {
  Asker asker;
  asker.found({"1.1.1.2:1", "1.1.1.3:1"});
  const auto both_decline_for = [&](Duration time) {
    for (const TimePoint until = asker.now + time; asker.now < until; asker.now += 1s) {
      asker.declines("1.1.1.2:1", kLower);
      asker.declines("1.1.1.3:1", Founder{"a:2", Epoch{5}});
    }
  };
  both_decline_for(19s);
  CHECK(!asker.begins());
  both_decline_for(2s);
  CHECK(asker.begins());
  // Who was out of reach in between is waited for anew.
  asker.now += 1min;
  both_decline_for(2s);
  CHECK(!asker.begins());
}

}  // namespace
}  // namespace radixmesh
