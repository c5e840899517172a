// The roster: rows, ranks, the view; and how the parts speak under this node's identity.
#include "lib/members/roster.h"

#include "tests/unit/part_fixture.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> in_order(const Roster& roster) {
  std::vector<std::string> names;
  for (NodeId id : roster.by_rank()) names.push_back(roster.at(id).addr);
  return names;
}

TEST_CASE("members stand in the order of their ranks, wherever they come in") {
  PartFixture parts;
  Roster& roster = parts.roster;
  CHECK(in_order(roster) == std::vector<std::string>{"p0", "p1", "d0", "r0"});
  CHECK(roster.next_rank() == NodeRank{4});
  Member& joined = roster.add(parts.now, "j0", kAnyRank, Role::prefill, false);
  CHECK(in_order(roster).back() == "j0");
  roster.set_rank(joined, NodeRank{1});
  CHECK(in_order(roster)[3] == "d0");
  roster.remove(joined.id);
  CHECK(in_order(roster) == std::vector<std::string>{"p0", "p1", "d0", "r0"});
  CHECK(roster.find(PartFixture::id("j0")) == nullptr);
}

TEST_CASE("a rank past the bound is not handed out, but the lowest that is free") {
  PartFixture parts;
  parts.roster.set_rank(parts.member("r0"), NodeRank{limits::rank_max});
  CHECK(parts.roster.next_rank() == NodeRank{3});
}

TEST_CASE("the view has those that are alive or suspect, and is as of the last refresh") {
  PartFixture parts;
  Roster& roster = parts.roster;
  CHECK(roster.view().places.size() == 1);  // this node
  CHECK(roster.view().members == 4);
  CHECK(!roster.refresh_view());
  const std::uint64_t alone = roster.view_hash();
  parts.meet("p0");
  CHECK(roster.view().places.size() == 2);
  const std::uint64_t with_p0 = roster.view_hash();
  CHECK(with_p0 != alone);
  parts.member("p0").state = MemberState::suspect;
  CHECK(!roster.refresh_view());  // nobody said that something changed
  roster.changed();
  CHECK(roster.refresh_view());
  CHECK(roster.view().places[0].suspect);
  CHECK(roster.view_hash() == with_p0);  // others need not agree on a suspicion
  parts.member("p0").refute = 1;
  roster.changed();
  roster.refresh_view();
  CHECK(roster.view_hash() != with_p0);
  parts.member("p0").state = MemberState::left;
  roster.changed();
  roster.refresh_view();
  CHECK(roster.view().members == 3);
}

TEST_CASE("whoever stands in lists is in a mesh; who joins is once it has a founder") {
  PartFixture parts;
  CHECK(parts.roster.joined());
  parts.roster.self().founder.reset();
  CHECK(!parts.roster.joined());
  CHECK(!parts.roster.draining());
  parts.roster.self().state = MemberState::left;
  CHECK(parts.roster.draining());
}

TEST_CASE("what is posted carries this node's identity and its present epoch") {
  PartFixture parts;
  parts.post.ask(PartFixture::id("p0"), Channel::control, ProbeRequest{PartFixture::id("p1")});
  parts.roster.self().epoch = Epoch{60};
  parts.post.answer(PartFixture::id("p1"), Channel::bulk, ProbeReport{PartFixture::id("p0"), true});
  const auto effects = parts.out.take();
  REQUIRE(effects.size() == 2);
  std::string_view asked = std::get<Ask>(effects[0]).frame;
  std::string_view answered = std::get<Answer>(effects[1]).frame;
  CHECK(decode(*take_frame(asked))->envelope.origin == PartFixture::id("d0"));
  CHECK(decode(*take_frame(answered))->envelope.epoch == Epoch{60});
}

TEST_CASE("what one message brings about is bounded") {
  PartFixture parts;
  parts.out.begin_message();
  for (std::size_t i = 0; i < 10 * limits::answers_of_a_message_max; ++i) {
    parts.post.answer(PartFixture::id("p0"), Channel::control, RefusedMessage{"no"});
  }
  parts.out.end_message();
  CHECK(parts.owed<Answer>().size() == limits::answers_of_a_message_max);
  CHECK(parts.counter("answers_dropped") == 9 * limits::answers_of_a_message_max);
}

TEST_CASE("a HEAD is due soon after a change, at once where it is asked for, and now and then") {
  const TimePoint start{10s};
  HeadPace pace(100ms, 1s, start);
  CHECK(pace.is_due(start));
  pace.told(start);
  CHECK(!pace.is_due(start + 999ms));
  CHECK(pace.is_due(start + 1s));
  pace.told(start + 1s);
  pace.changed();
  CHECK(!pace.is_due(start + 1s));
  CHECK(pace.next() == start + 1100ms);
  pace.after_last(20ms);
  CHECK(pace.is_due(start + 1020ms));
}

}  // namespace
}  // namespace radixmesh
