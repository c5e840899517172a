// Greetings, news, ranks, joining, subscriptions and readiness, each part by itself.
#include "lib/mesh/membership.h"

#include "tests/unit/mesh_fixture.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

TEST_CASE("whoever is not introduced is greeted again and again, with growing pauses") {
  MeshFixture parts;
  std::vector<Duration> pauses;
  TimePoint last = parts.now;
  for (TimePoint now = parts.now; now < parts.now + 40s; now += 100ms) {
    for (const Greetings::Due& due : parts.mesh.greetings.due(now)) {
      if (due.id != MeshFixture::id("p0")) continue;
      parts.mesh.greetings.ask(now, due.id, {});
      pauses.push_back(now - last);
      last = now;
    }
  }
  CHECK(pauses[1] == 500ms);
  CHECK(pauses.back() == 4s);
  CHECK(std::ranges::is_sorted(pauses));
}

TEST_CASE("who is introduced is asked now and then; who is doubted, soon") {
  MeshFixture parts;
  for (const char* name : {"p0", "p1", "r0"}) {
    parts.meet(name);
    parts.mesh.greetings.ask(parts.now, MeshFixture::id(name), {});
    parts.mesh.greetings.accept(parts.now, MeshFixture::id(name));
  }
  CHECK(parts.mesh.greetings.due(parts.now + 19s).empty());
  CHECK(parts.mesh.greetings.due(parts.now + 20s).size() == 3);
  parts.mesh.greetings.doubt(parts.now + 21s, MeshFixture::id("p1"));
  const auto due = parts.mesh.greetings.due(parts.now + 21s);
  REQUIRE(due.size() == 1);
  CHECK(due[0].id == MeshFixture::id("p1"));
}

TEST_CASE("two that differ in what must agree are told in one sentence what it is") {
  MeshFixture parts;
  Introduction hello = parts.hello_of("p0");
  CHECK(!parts.mesh.greetings.disagreement(hello, MeshFixture::id("p0")));
  hello.page_size = 16;
  CHECK(parts.mesh.greetings.disagreement(hello, MeshFixture::id("p0")) ==
        "page_size differs: 1 at d0, 16 at p0");
  hello = parts.hello_of("p0");
  hello.rank = NodeRank{7};
  CHECK(parts.mesh.greetings.disagreement(hello, MeshFixture::id("p0")) ==
        "rank differs: 0 in the lists of d0, 7 in those of p0");
  // Logged once, and known until it is introduced.
  parts.mesh.greetings.turn_down(parts.now, hello, "rank");
  parts.mesh.greetings.turn_down(parts.now, hello, "rank");
  CHECK(parts.owed<LogLine>().size() == 1);
  CHECK(parts.mesh.greetings.refusal(MeshFixture::id("p0")) == "rank");
  parts.mesh.greetings.accept(parts.now, MeshFixture::id("p0"));
  CHECK(parts.mesh.greetings.refusal(MeshFixture::id("p0")).empty());
}

TEST_CASE("what was believed when a question was asked answers to that question alone") {
  MeshFixture parts;
  const NodeId p0 = MeshFixture::id("p0");
  OwnNumbers numbers;
  numbers.beat = 7;
  CHECK(parts.mesh.greetings.ask(parts.now, p0, {}) == 1);
  CHECK(parts.mesh.greetings.ask(parts.now, p0, numbers) == 2);
  CHECK(!parts.mesh.greetings.take_believed(p0, 1));
  CHECK(parts.mesh.greetings.take_believed(p0, 2)->beat == 7);
  CHECK(!parts.mesh.greetings.take_believed(p0, 2));
}

TEST_CASE("later news win, but not over what was heard of a member itself a moment ago") {
  MeshFixture parts;
  parts.hear("p0");
  parts.hear("p1");
  Member& p0 = parts.member("p0");
  MemberNews news = news_of(p0);
  news.state = MemberState::suspect;
  CHECK(parts.mesh.membership.on_news(parts.now, MeshFixture::id("p1"), news));
  CHECK(p0.state == MemberState::alive);
  CHECK(parts.counter("accusations_doubted") == 1);
  CHECK(parts.mesh.membership.on_news(parts.now + 2s, MeshFixture::id("p1"), news));
  CHECK(p0.state == MemberState::suspect);
  news.state = MemberState::dead;
  CHECK(parts.mesh.membership.on_news(parts.now + 2s, MeshFixture::id("p1"), news));
  CHECK(p0.state == MemberState::dead);
  // Of an earlier life nothing counts; of nobody that is known the replica is told.
  news.epoch = Epoch{99};
  news.state = MemberState::left;
  CHECK(parts.mesh.membership.on_news(parts.now + 2s, MeshFixture::id("p1"), news));
  CHECK(p0.state == MemberState::dead);
  news.addr = "nobody";
  CHECK(!parts.mesh.membership.on_news(parts.now + 2s, MeshFixture::id("p1"), news));
}

TEST_CASE("only who joined and is gone can be removed, and is forgotten for that") {
  MeshFixture parts;
  const auto refused = [&](const char* name) {
    const auto refusal = parts.mesh.membership.remove(parts.now, name);
    return refusal ? refusal->message : "";
  };
  CHECK(refused("nobody") == "nobody is no member here");
  CHECK(refused("d0") == "d0 is this node itself: drain it");
  CHECK(refused("p0").find("stands in the lists") != std::string::npos);
  Member& p0 = parts.member("p0");
  p0.configured = false;
  parts.hear("p0");
  CHECK(refused("p0") == "p0 is alive: drain it");
  parts.mesh.liveness.set_state(parts.now, p0, MemberState::dead);
  CHECK(!parts.mesh.membership.fate_of(parts.now, p0, false, TimePoint::min()).removes);
  CHECK(refused("p0") == "");
  CHECK(parts.mesh.news.take()[0].removed);
  CHECK(parts.mesh.membership.fate_of(parts.now, p0, false, TimePoint::min()).removes);
  CHECK(!parts.mesh.membership.fate_of(parts.now, p0, false, parts.now + 1s).removes);
  // Who lives shows by that that the word was wrong.
  p0.introduced = true;
  parts.mesh.liveness.heard(parts.now, p0.id);
  parts.mesh.liveness.set_state(parts.now, p0, MemberState::dead);
  CHECK(!parts.mesh.membership.fate_of(parts.now, p0, false, TimePoint::min()).removes);
}

TEST_CASE("entries of who is gone for long go first, and one that had joined goes wholly later") {
  MeshFixture parts;
  Member& p0 = parts.member("p0");
  p0.configured = false;
  parts.hear("p0");
  parts.mesh.liveness.set_state(parts.now + 30min, p0, MemberState::dead);
  const auto fate = [&](Duration after) {
    return parts.mesh.membership.fate_of(parts.now + 30min + after, p0, false, TimePoint::min());
  };
  CHECK(!fate(9min).forgets);
  CHECK(fate(10min).forgets);
  CHECK(!fate(29min).removes);
  CHECK(fate(30min).removes);  // as long as it had lived
}

TEST_CASE("two with one rank settle it, and the higher identity yields at once") {
  MeshFixture parts;
  Member& self = parts.roster.self();
  self.configured = false;
  Member& other = parts.member("p0");
  other.configured = false;
  other.founder = self.founder;
  parts.mesh.membership.adopt_rank(parts.now, other, self.rank);
  const bool yields_at_once = other.id < self.id;
  CHECK((self.rank != other.rank) == yields_at_once);
  parts.mesh.membership.adopt_rank(parts.now + 10s, other, other.rank);
  CHECK(self.rank != other.rank);
  CHECK(self.refute == 1);  // all hear of the rank by that
}

TEST_CASE("who joins begins a mesh after a while, where nobody is there to let it in") {
  MeshFixture parts(Topology::mesh, {"seed:1"});
  Member& self = parts.roster.self();
  for (const char* name : {"p0", "p1", "r0"}) parts.roster.remove(MeshFixture::id(name));
  self.configured = false;
  self.founder.reset();
  CHECK(parts.mesh.joining.asks(parts.now));
  CHECK(parts.owed<FindSeeds>().size() == 1);
  parts.mesh.joining.on_seeds_found(parts.now, "seed:1", {}, {}, true);
  CHECK(!parts.mesh.joining.begins_mesh(parts.now));
  CHECK(parts.mesh.joining.why_not(parts.now) ==
        "it is in no mesh yet: nobody is there to ask; it begins one in 10 s");
  CHECK(parts.mesh.joining.begins_mesh(parts.now + 10s));
  CHECK(self.founder == Founder{"d0", Epoch{50}});
  // One with a lower founder lets it in later on.
  const JoinedMessage joined{NodeRank{3}, 0, Founder{"a0", Epoch{1}}};
  CHECK(parts.mesh.joining.on_joined(parts.now + 20s, joined) == Joining::LetIn::from_another_mesh);
  CHECK(self.rank == NodeRank{3});
  CHECK(parts.mesh.joining.on_joined(parts.now + 20s, joined) == Joining::LetIn::no);
}

TEST_CASE("in a mesh all that are introduced are subscribed to, and asked for markers") {
  MeshFixture parts;
  parts.meet("p0");
  parts.meet("p1");
  parts.mesh.subscriptions.restitch_if_due(parts.now);
  CHECK(parts.owed<SubscribeTo>().size() == 2);
  CHECK(!parts.mesh.subscriptions.is_outdated());
  CHECK(!parts.mesh.subscriptions.all_marked());
  parts.mesh.subscriptions.ask_for_markers(parts.now + 500ms);
  CHECK(parts.owed<AskMarkers>().size() == 1);
  parts.mesh.subscriptions.on_marker(parts.now, MeshFixture::id("p0"));
  parts.mesh.subscriptions.on_marker(parts.now, MeshFixture::id("p1"));
  CHECK(parts.mesh.subscriptions.all_marked());
  parts.mesh.subscriptions.forget(MeshFixture::id("p1"));
  CHECK(parts.owed<UnsubscribeFrom>().size() == 1);
}

TEST_CASE("in a ring what is accepted of others is passed on, with one hop less") {
  MeshFixture parts(Topology::ring);
  parts.meet("p0");
  parts.meet("p1");
  const auto type = static_cast<std::uint8_t>(MessageType::reset);
  const Message op{Envelope{type, MeshFixture::id("p0"), Epoch{100}, Seq{1}, 3}, ResetOp{}};
  const Bytes frame = encode(op);
  parts.mesh.subscriptions.relay(parts.now, op.envelope, frame);
  const auto published = parts.owed<Publish>();
  REQUIRE(published.size() == 1);
  std::string_view passed_on = published[0].frame;
  CHECK(decode(*take_frame(passed_on))->envelope.ttl == 2);
}

TEST_CASE("ready: caught up and met enough; lost where nobody is heard any more") {
  MeshFixture parts;
  parts.meet("p0");
  CHECK(!parts.mesh.readiness.check(parts.now));
  CHECK(parts.mesh.readiness.why_not(parts.now) ==
        "it has not caught up with what the others had when it came");
  CHECK(parts.mesh.readiness.sight(parts.now).of == 3);
  CHECK(parts.mesh.readiness.sight(parts.now).needs == 2);
  CHECK(parts.mesh.readiness.trouble_with(parts.now, parts.member("p1")) ==
        "it is connected to, and does not answer");
  parts.mesh.readiness.note_link(MeshFixture::id("p1"), LinkKind::control,
                                 LinkTrouble::not_connected);
  CHECK(parts.mesh.readiness.trouble_with(parts.now, parts.member("p1")) ==
        "no connection to its control address p1");
}

}  // namespace
}  // namespace radixmesh
