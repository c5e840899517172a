// The parts of collecting duplicates, each by itself.
#include "lib/gc/collector.h"

#include "tests/unit/part_fixture.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

GcSettings local_ref() {
  GcSettings settings;
  settings.mode = GcMode::local_ref;
  return settings;
}

class GcFixture : public PartFixture {
 public:
  explicit GcFixture(GcSettings settings = local_ref(), std::uint64_t tokens_max = 0)
      : PartFixture({1, true, true, tokens_max}),
        gc(settings,
           {roster, picture, own, streams, donor, post, out, tokens_max, roster.self().epoch},
           now) {}

  // A reader says that as of this op it refers to no pages that retire but these.
  void says(const char* reader, std::uint64_t stamp, Seq applied, std::vector<Anchor> blocks = {}) {
    RegisterMessage said;
    said.epoch = roster.self().epoch;
    said.nonce = 1;
    said.stamp = stamp;
    said.applied = applied;
    said.complete = true;
    said.blocks = std::move(blocks);
    gc.on_register(now, id(reader), said, {true, false});
  }
  // Of p0's copy, which may be collected.
  void hold_a_duplicate() {
    roster.self().role = Role::prefill;
    meet("p0");
    gc.set_engine_frees(now, true, false);
    op("p0", 1, insert_of("ab", 90));
    insert_own("ab", 10);
    out.take();
  }
  Anchor page_of(std::string_view letters) {
    return picture.cache()->local_anchor(picture.match({}, tokens_of(letters)));
  }

  Collector gc;
};

TEST_CASE("what former lives granted stands until it has lapsed") {
  const TimePoint start{100s};
  const GcSettings settings = local_ref();
  Leases leases(settings, true, start);
  CHECK(leases.own() == 10s);
  CHECK(leases.may_free(start));
  CHECK(leases.free_wait(start) == settings.lease_at_owner());
  leases.take_back(start);
  CHECK(!leases.may_free(start + 10s));
  CHECK(leases.may_free(start + settings.lease_at_owner()));
  // A former life had a longer one, as others say.
  leases.note_own_former(60s, true);
  CHECK(!leases.may_free(start + 60s));
  CHECK(leases.own_former(start + 60s) == 60s);
  CHECK(leases.own_former(start + 62s) == 0s);
  // A router, or who does not collect, grants none.
  CHECK(Leases(settings, false, start).own() == 0s);
}

TEST_CASE("of members it is known what each of their lives granted") {
  const TimePoint start{100s};
  const GcSettings settings = local_ref();
  Leases leases(settings, true, start);
  Member member;
  member.id = NodeId{1};
  member.epoch = Epoch{5};
  leases.note(start, member.id, 8s, 0s);
  CHECK(leases.former_of(start, member, Epoch{5}) == 0s);
  CHECK(leases.former_of(start, member, Epoch{6}) == 8s);
  leases.begin_life(start, member.id);
  member.epoch = Epoch{6};
  CHECK(leases.former_of(start + 8s, member, Epoch{6}) == 8s);
  CHECK(leases.former_of(start + 9s, member, Epoch{6}) == 0s);
}

TEST_CASE("an engine is told once what to free, and acknowledges in its own time") {
  GcFixture parts;
  EngineSlots& engine = parts.gc.engine();
  parts.gc.set_engine_frees(parts.now, true, false);
  engine.tell(parts.now, {{Slot{7}, 3}});
  const auto told = parts.owed<GcFree>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].number > parts.roster.self().epoch.value);
  CHECK(engine.unacknowledged().size() == 1);
  engine.acknowledge(told[0].number);
  engine.acknowledge(told[0].number);
  CHECK(engine.unacknowledged().empty());
  CHECK(parts.counter("gc_tokens_freed") == 3);
  // One that takes advice alone keeps its duplicates.
  CHECK(!engine.keeps_duplicates());
  parts.gc.set_engine_frees(parts.now, false, true);
  CHECK(engine.keeps_duplicates());
}

TEST_CASE("where a reader is registered what is to go retires, and goes when it agrees") {
  GcFixture parts;
  parts.meet("p0");
  parts.insert_own("ab", 10);
  CHECK(!parts.gc.retirement().is_needed());
  parts.says("p0", 1, Seq{1});
  CHECK(parts.gc.retirement().is_needed());
  const Anchor page = parts.page_of("ab");
  CHECK(parts.gc.objection({page})->code == RefusalCode::retry_later);
  CHECK(parts.picture.relation().retiring_tokens(kSelf) == 1);
  CHECK(parts.gc.objection({page}).has_value());
  // It has applied the GC_QUERY, and refers to that page still; then no more.
  parts.says("p0", 2, Seq{2}, {page});
  CHECK(parts.gc.objection({page}).has_value());
  CHECK(parts.gc.retirement().waiting_tokens() == 0);
  parts.says("p0", 3, Seq{2});
  CHECK(!parts.gc.objection({page}));
  // The engine uses it again: it stays.
  parts.gc.keep({}, tokens_of("ab"));
  CHECK(parts.picture.relation().retiring_tokens(kSelf) == 0);
}

TEST_CASE("a silent reader is waited for, but one that began another life lapses") {
  GcFixture parts;
  parts.meet("p0");
  parts.says("p0", 1, Seq{0});
  const TimePoint lapsed = parts.now + 11s;
  parts.gc.run(lapsed, {true, false});
  CHECK(parts.gc.refers_until(PartFixture::id("p0")) > TimePoint::min());
  parts.gc.begin_life(parts.now, PartFixture::id("p0"));
  parts.gc.run(lapsed, {true, false});
  CHECK(parts.gc.refers_until(PartFixture::id("p0")) == TimePoint::min());
  CHECK(parts.counter("readers_expired") == 1);
}

TEST_CASE("what a reader said before its last word, or to another life, counts no more") {
  GcFixture parts;
  parts.meet("p0");
  parts.says("p0", 2, Seq{0});
  parts.says("p0", 1, Seq{0});
  CHECK(parts.counter("registers_outdated") == 1);
  parts.roster.self().epoch = Epoch{51};
  RegisterMessage said;
  said.epoch = Epoch{50};
  said.stamp = 3;
  parts.gc.on_register(parts.now, PartFixture::id("p0"), said, {true, false});
  CHECK(parts.counter("registers_of_another_life") == 1);
}

TEST_CASE("copies are kept for a round of another, and no longer than it lasts") {
  GcFixture parts;
  parts.meet("p0");
  parts.insert_own("ab", 10);
  const NodeId p0 = PartFixture::id("p0");
  const Anchor page = parts.page_of("ab"), nowhere{Seq{9}, 1};
  parts.out.take();
  parts.gc.on_hold(parts.now, p0, {4, 60s, {page, nowhere}}, {true, false});
  const auto held = parts.asked<HeldMessage>();
  REQUIRE(held.size() == 1);
  CHECK(held[0].second.refused == std::vector<Anchor>{nowhere});
  CHECK(parts.picture.cache()->is_locked(page));
  CHECK(parts.gc.counts(parts.now).held_pages == 1);
  // An earlier round begins nothing; the end of this one lets go.
  parts.gc.on_hold(parts.now, p0, {3, 60s, {page}}, {true, false});
  CHECK(parts.counter("holds_outdated") == 1);
  parts.gc.on_hold(parts.now, p0, {4, 0s, {}}, {true, false});
  CHECK(!parts.picture.cache()->is_locked(page));
  parts.gc.on_hold(parts.now, p0, {5, 60s, {page}}, {true, false});
  parts.gc.run(parts.now + 62s, {true, false});
  CHECK(!parts.picture.cache()->is_locked(page));
}

TEST_CASE("a duplicate goes once its better holder keeps its own") {
  GcFixture parts;
  parts.hold_a_duplicate();
  const auto view = parts.gc.view(parts.now, true, {true, false});
  REQUIRE(view.has_value());
  CHECK(view->duplicate_tokens == 2);
  CHECK(view->waits_for == std::vector<std::string>{"p0"});
  const auto asked = parts.asked<HoldMessage>();
  REQUIRE(asked.size() == 1);
  parts.gc.on_held(parts.now, PartFixture::id("p0"), {asked[0].second.round, {}}, {true, false});
  CHECK(parts.picture.cache()->total_tokens() == 0);
  CHECK(parts.counter("gc_tokens_collected") == 2);
  CHECK(parts.gc.engine().unacknowledged()[0].slots == SlotRuns{{Slot{10}, 2}});
}

TEST_CASE("what the better holder refuses stays, and comes last in the next round") {
  GcFixture parts;
  parts.hold_a_duplicate();
  REQUIRE(parts.gc.view(parts.now, true, {true, false}).has_value());
  const auto asked = parts.asked<HoldMessage>();
  REQUIRE(asked.size() == 1);
  const auto& [peer, hold] = asked[0];
  parts.gc.on_held(parts.now, peer, {hold.round, hold.pages}, {true, false});
  CHECK(parts.picture.cache()->total_tokens() == 2);
  CHECK(parts.counter("gc_pages_not_held") == 1);
}

TEST_CASE("no round begins where the reason is said") {
  GcFixture parts;
  CHECK(parts.gc.view(parts.now, true, {false, false}).error().message ==
        "no round can begin: not ready");
  CHECK(parts.gc.view(parts.now, true, {true, true}).error().message ==
        "no round can begin: draining");
  CHECK(parts.gc.view(parts.now, true, {true, false}).error().message ==
        "no round can begin: the engine frees no single slots");
  GcFixture off{GcSettings{}};
  CHECK(off.gc.view(off.now, true, {true, false}).error().code == RefusalCode::fix_request);
}

TEST_CASE("a reader waits for the owner's answer, and may read while it is valid") {
  GcFixture parts;
  parts.meet("p0");
  const NodeId p0 = PartFixture::id("p0");
  parts.op("p0", 1, PartFixture::insert_of("ab", 90));
  References& references = parts.gc.references();
  const auto refer = [&] {
    return references.refer(parts.now, parts.picture.match({}, tokens_of("ab")), 0, {});
  };
  const auto first = refer();
  REQUIRE(first.wait.has_value());
  CHECK(references.waits(parts.now, *first.wait));
  parts.out.take();
  references.tell_owners(parts.now);
  const auto asked = parts.asked<RegisterMessage>();
  REQUIRE(asked.size() == 1);
  references.registrations().on_registered(
      parts.now, p0, Epoch{100},
      {asked[0].second.nonce, asked[0].second.stamp, Seq{1}, GcMode::local_ref, 10s, {}});
  const auto granted = refer();
  REQUIRE(granted.reference != 0);
  const Match& match = parts.picture.match({}, tokens_of("ab"));
  CHECK(references.segment_of(match, 0, granted.reference)->slots == SlotRuns{{Slot{90}, 2}});
  CHECK(references.is_valid(parts.now, granted.reference));
  CHECK(!references.is_valid(parts.now + 10s, granted.reference));
  // The owner began another life: nothing of it may be used.
  parts.gc.begin_life(parts.now, p0);
  CHECK(!references.is_valid(parts.now, granted.reference));
}

}  // namespace
}  // namespace radixmesh
