// Who lives, by what this node hears; and what it says of itself.
#include "lib/mesh/liveness.h"

#include "tests/unit/mesh_fixture.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

TEST_CASE("who is silent is asked, then asked about, suspected, and taken for dead") {
  MeshFixture parts;
  for (const char* name : {"p0", "p1", "r0"}) parts.hear(name);
  const TimePoint start = parts.now;
  const auto at = [&](Duration after) {
    parts.now = start + after;
    parts.mesh.liveness.heard(parts.now, MeshFixture::id("p1"));
    parts.mesh.liveness.heard(parts.now, MeshFixture::id("r0"));
    parts.out.take();
    parts.mesh.liveness.watch_silence(parts.now);
  };
  at(1400ms);
  CHECK(parts.asked<HeartbeatMessage>().empty());
  at(1500ms);
  CHECK(parts.asked<HeartbeatMessage>()[0].first == MeshFixture::id("p0"));
  at(2s);
  CHECK(parts.asked<ProbeRequest>().size() == 2);
  CHECK(parts.member("p0").state == MemberState::alive);
  at(3s);
  CHECK(parts.member("p0").state == MemberState::suspect);
  // Told first: it can refute.
  CHECK(parts.asked<NewsMessage>()[0].first == MeshFixture::id("p0"));
  at(40s);
  at(60s);
  CHECK(parts.member("p0").state == MemberState::dead);
  CHECK(parts.mesh.liveness.take_gone() == std::vector<NodeId>{MeshFixture::id("p0")});
  CHECK(parts.mesh.liveness.take_gone().empty());
}

TEST_CASE("one that is dead lives again only when it is introduced anew") {
  MeshFixture parts;
  parts.hear("p0");
  parts.mesh.liveness.set_state(parts.now, parts.member("p0"), MemberState::dead);
  CHECK(!parts.member("p0").introduced);
  parts.mesh.liveness.heard(parts.now, MeshFixture::id("p0"));
  CHECK(parts.member("p0").state == MemberState::dead);
  parts.member("p0").introduced = true;
  parts.mesh.liveness.heard(parts.now, MeshFixture::id("p0"));
  CHECK(parts.member("p0").state == MemberState::alive);
  // Who has left does not come back in this life.
  parts.mesh.liveness.set_state(parts.now, parts.member("p0"), MemberState::left);
  parts.member("p0").introduced = true;
  parts.mesh.liveness.heard(parts.now, MeshFixture::id("p0"));
  CHECK(parts.member("p0").state == MemberState::left);
}

TEST_CASE("what a relay passes on lifts no suspicion") {
  MeshFixture parts;
  parts.hear("p0");
  parts.mesh.liveness.set_state(parts.now, parts.member("p0"), MemberState::suspect);
  parts.mesh.liveness.heard(parts.now, MeshFixture::id("p0"), false);
  CHECK(parts.member("p0").state == MemberState::suspect);
  parts.mesh.liveness.heard(parts.now, MeshFixture::id("p0"));
  CHECK(parts.member("p0").state == MemberState::alive);
}

TEST_CASE("a suspicion is refuted; a life that this node did not live is outgrown") {
  MeshFixture parts;
  const Member& self = parts.roster.self();
  parts.mesh.liveness.on_standing(parts.now, {Epoch{50}, 0, MemberState::suspect});
  CHECK(self.refute == 1);
  parts.mesh.liveness.on_standing(parts.now, {Epoch{50}, 0, MemberState::suspect});
  CHECK(self.refute == 1);  // that is refuted already
  CHECK(!parts.mesh.liveness.take_outgrown());
  parts.mesh.liveness.on_standing(parts.now, {Epoch{90}, 0, MemberState::alive});
  CHECK(parts.mesh.liveness.take_outgrown() == Epoch{90});
  parts.mesh.liveness.raise_own_refute(parts.now, limits::refute_max + 1);
  CHECK(parts.mesh.liveness.take_outgrown() == Epoch{50});
  parts.hear("p0");
  parts.mesh.liveness.begin_own_epoch(parts.now, Epoch{91});
  CHECK(self.epoch == Epoch{91});
  CHECK(self.refute == 0);
  CHECK(!parts.member("p0").introduced);
}

TEST_CASE("whoever was not run for a while doubts itself, and accuses nobody unasked") {
  MeshFixture parts;
  parts.hear("p0");
  const TimePoint late = parts.now + 20s;
  parts.mesh.liveness.notice_own_stall(late);
  CHECK(parts.mesh.liveness.health() == 1);
  CHECK(parts.mesh.liveness.last_heard(MeshFixture::id("p0")) >= late - 1500ms);
  parts.mesh.liveness.note_answer();
  CHECK(parts.mesh.liveness.health() == 0);
}

TEST_CASE("where too many seem gone at once the fault may be here, and no news are spread") {
  MeshFixture parts;
  for (const char* name : {"p0", "p1", "r0"}) parts.hear(name);
  parts.mesh.liveness.watch_silence(parts.now + 10s);
  CHECK(parts.mesh.liveness.isolated());
  CHECK(parts.mesh.news.take().empty());
}

TEST_CASE("heartbeats go to the neighbours in the order of ranks") {
  MeshFixture parts;
  for (const char* name : {"p0", "p1", "r0"}) parts.hear(name);
  parts.out.take();
  parts.mesh.liveness.beat(parts.now);
  std::vector<NodeId> to;
  for (const auto& [peer, pulse] : parts.asked<HeartbeatMessage>()) to.push_back(peer);
  CHECK(to ==
        std::vector<NodeId>{MeshFixture::id("r0"), MeshFixture::id("p0"), MeshFixture::id("p1")});
  parts.mesh.liveness.beat(parts.now);
  CHECK(parts.asked<HeartbeatMessage>().empty());
}

TEST_CASE("a HEAD tells what this node has; one that was seen is not taken twice") {
  MeshFixture parts;
  parts.meet("p0");
  parts.op("p0", 1, MeshFixture::insert_of("ab", 10));
  parts.insert_own("abcd", 10);
  Load load;
  load.running = 3;
  parts.mesh.heads.note_load(load);
  parts.out.take();
  parts.mesh.heads.publish(parts.now, {true, false, 2, 3});
  const auto published = parts.owed<Publish>();
  REQUIRE(published.size() == 1);
  std::string_view frame = published[0].frame;
  const auto message = decode(*take_frame(frame));
  const auto& head = std::get<HeadMessage>(message->body);
  CHECK(head.head == Seq{1});
  CHECK(head.load->running == 3);
  CHECK(head.vector == std::vector{VectorEntry{MeshFixture::id("p0"), Epoch{100}, Seq{1}}});
  CHECK(head.standing.sees == 2);
  CHECK(parts.mesh.heads.note(MeshFixture::id("p0"), head));
  CHECK(!parts.mesh.heads.note(MeshFixture::id("p0"), head));
  parts.mesh.heads.begin_life(MeshFixture::id("p0"));
  CHECK(parts.mesh.heads.note(MeshFixture::id("p0"), head));
}

}  // namespace
}  // namespace radixmesh
