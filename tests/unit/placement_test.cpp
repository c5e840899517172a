// Routing in a mesh without a replica: who may be chosen, and what is told; and the picture that it
// asks.
#include "lib/routing/placement.h"

#include "tests/unit/part_fixture.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

Load load_of(std::uint32_t running, std::uint32_t waiting) {
  Load load;
  load.running = running;
  load.waiting = waiting;
  return load;
}

class PlacementFixture : public PartFixture {
 public:
  PlacementFixture()
      : PartFixture({1, false, true, 0}),
        placement({}, roster, picture, post, out, pace, Epoch{50}, 3, now) {
    for (const char* name : {"p0", "p1"}) {
      meet(name);
      member(name).role = Role::unified;
      placement.note_welcome(id(name), true, 0);
    }
  }
  RouteView route(std::string_view letters, bool book = false) {
    const auto tokens = tokens_of(letters);
    return placement.route(now, {{}, tokens}, {"router", false}, book);
  }
  std::string why_not(const std::string& addr) {
    for (const CandidateView& each :
         placement.explain(now, {{}, {}}, {"router", false}).candidates) {
      if (each.addr == addr) return std::string(each.excluded);
    }
    return "no candidate";
  }

  Placement placement;
};

TEST_CASE("a prompt goes where it is cached, and to nobody who may not be chosen") {
  PlacementFixture parts;
  parts.op("p1", 1, PartFixture::insert_of("abcd", 90));
  CHECK(parts.route("abcd").prefill->addr == "p1");
  CHECK(parts.route("abcd").prefill->depth == 4);
  CHECK(parts.route("abcd").reason == "prefix");
  CHECK(parts.why_not("p1").empty());
  parts.placement.note_head(PartFixture::id("p1"), false, false);
  CHECK(parts.why_not("p1") == "not_ready");
  CHECK(parts.route("abcd").prefill->addr == "p0");
  parts.lose("p0");
  CHECK(parts.why_not("p0") == "dead");
  CHECK(!parts.route("abcd").prefill);
  CHECK(parts.route("abcd").reason == "nobody");
}

TEST_CASE("what is booked is told soon, and again while it is open") {
  PlacementFixture parts;
  parts.placement.publish_bookings(parts.now);
  CHECK(parts.owed<Publish>().empty());
  const auto booking = parts.route("abcd", true).booking;
  REQUIRE(booking.has_value());
  CHECK(parts.placement.due() <= parts.now + 20ms);
  parts.placement.publish_bookings(parts.now + 20ms);
  CHECK(parts.owed<Publish>().size() == 1);
  CHECK(parts.placement.bookings_told() == 1);
  parts.placement.publish_bookings(parts.now + 1020ms);
  CHECK(parts.owed<Publish>().size() == 1);
  parts.placement.finish(parts.now + 2s, *booking);
  parts.placement.finish(parts.now + 2s, *booking);
  CHECK(parts.counter("bookings_unknown") == 1);
  parts.placement.publish_bookings(parts.now + 3s);
  CHECK(parts.owed<Publish>().size() == 1);
  parts.placement.publish_bookings(parts.now + 10s);
  CHECK(parts.owed<Publish>().empty());  // nothing is promised any more
}

TEST_CASE("promises of others count, but not to strangers and not from an earlier life") {
  PlacementFixture parts;
  parts.meet("r0");
  const auto says = [&](Epoch epoch, std::uint64_t version, NodeId to) {
    BookingsMessage said;
    said.version = version;
    said.promises = {{to, Promise{1, 1, 1000, 1000}}};
    return parts.placement.on_bookings(parts.now, Envelope{83, PartFixture::id("r0"), epoch, {}, 1},
                                       said);
  };
  CHECK(!says(Epoch{99}, 1, PartFixture::id("p0")));
  CHECK(parts.counter("misplaced_messages") == 1);
  CHECK(says(Epoch{100}, 1, PartFixture::id("p0")));
  CHECK(!says(Epoch{100}, 1, PartFixture::id("p0")));  // a repetition
  CHECK(parts.placement.work_of(PartFixture::id("p0")).booked.prefill_tokens == 1000);
  CHECK(says(Epoch{100}, 2, NodeId{12345}));
  CHECK(parts.placement.work_of(PartFixture::id("p0")).booked.is_zero());
  CHECK(parts.placement.bookings_heard(PartFixture::id("r0")) == 2);
}

TEST_CASE("a load that differs much is told at once; the same again is no news") {
  PlacementFixture parts;
  parts.pace.told(parts.now);
  parts.placement.report_load(parts.now, load_of(1, 0));
  CHECK(parts.pace.next() <= parts.now + 20ms);
  parts.placement.told_load();
  parts.pace.told(parts.now);
  CHECK(!parts.pace.is_due(parts.now + 200ms));
  parts.placement.report_load(parts.now, load_of(1, 0));
  CHECK(!parts.pace.is_due(parts.now + 200ms));
  parts.placement.report_load(parts.now, load_of(1, 9));
  CHECK(parts.pace.is_due(parts.now + 200ms));
  CHECK(parts.placement.own_load()->report == 3);
}

TEST_CASE("who died is told anew what it repeats; another life of it says all anew") {
  PlacementFixture parts;
  const NodeId p0 = PartFixture::id("p0");
  Load load = load_of(4, 2);
  load.report = 1;
  parts.placement.note_load(parts.now, p0, load);
  CHECK(parts.placement.load_of(p0)->running == 4);
  parts.placement.end(parts.now, p0);
  CHECK(!parts.placement.load_of(p0));
  CHECK(parts.placement.is_ready(p0));
  parts.placement.begin_life(parts.now, p0);
  CHECK(!parts.placement.is_ready(p0));
}

TEST_CASE("an answer shows nothing of who is silent, and what is held elsewhere by rank") {
  PartFixture parts;
  parts.meet("p0");
  parts.meet("p1");
  parts.op("p0", 1, PartFixture::insert_of("ab", 10));
  parts.op("p1", 1, PartFixture::insert_of("abcd", 20));
  parts.insert_own("a", 30);
  const auto view = [&] {
    return parts.picture.view_of(parts.picture.match({}, tokens_of("abcd")));
  };
  CHECK(view().depths == std::map<std::string, std::uint32_t>{{"d0", 1}, {"p0", 2}, {"p1", 4}});
  CHECK(view().local_length == 1);
  REQUIRE(view().segments.size() == 2);
  CHECK(view().segments[0].addr == "p0");  // the lowest rank that has it
  CHECK(view().segments[1].slots == SlotRuns{{Slot{22}, 2}});
  parts.lose("p1");
  CHECK(view().length == 2);
  // Whatever is hidden, or dropped, is shown to nobody.
  const HolderIndex holder = parts.streams.at(PartFixture::id("p0")).holder;
  parts.picture.hide(holder);
  CHECK(!parts.picture.node_of(holder));
  CHECK(view().length == 1);
}

TEST_CASE("the tree is shown edge by edge, and a holder entry by entry, a page at a time") {
  PartFixture parts;
  parts.insert_own("ab", 10);
  parts.insert_own("abcd", 10);
  parts.insert_own("xy", 30);
  const TreeView tree = parts.picture.tree(0, 10);
  CHECK(tree.tree_tokens == 6);
  CHECK(tree.edges.size() == tree.total);
  CHECK(tree.edges[0].holders == std::vector<std::string>{"d0"});
  std::vector<Seq> seqs;
  for (std::size_t skip = 0; skip < 3; ++skip) {
    for (const EntryRow& each : parts.picture.entries(kSelf, skip, 1).entries) {
      seqs.push_back(each.seq);
    }
  }
  CHECK(seqs == std::vector<Seq>{Seq{1}, Seq{2}, Seq{3}});
}

}  // namespace
}  // namespace radixmesh
