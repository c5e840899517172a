// Own ops, those of others, their repair, and what is given to who missed some.
#include "lib/oplog/streams.h"

#include "tests/unit/part_fixture.h"

namespace radixmesh {
namespace {

using namespace std::chrono_literals;

TEST_CASE("own changes are numbered, logged and published in that order") {
  PartFixture parts;
  parts.insert_own("abcd", 10);
  parts.insert_own("abcdef", 10);
  const auto published = parts.owed<Publish>();
  REQUIRE(published.size() == 2);
  CHECK(parts.own.head() == Seq{2});
  CHECK(parts.own.published() == 2);
  std::string_view second = published[1].frame;
  const auto message = decode(*take_frame(second));
  CHECK(message->envelope.seq == Seq{2});
  CHECK(std::get<InsertOp>(message->body).anchor == Anchor{Seq{1}, 4});
  CHECK(std::get<InsertOp>(message->body).tokens == tokens_of("ef"));
}

TEST_CASE("a life decides once what it goes on with") {
  PartFixture parts;
  CHECK(!parts.own.taken_over());
  parts.own.begin_empty();
  CHECK(parts.own.taken_over() == TakenOver{});
  // Outgrown, it goes on with what it was, under a higher epoch; and not again at once.
  const auto next = parts.own.outgrow(parts.now, Epoch{70}, false);
  REQUIRE(next.has_value());
  CHECK(*next > Epoch{70});
  CHECK(parts.own.taken_over() == TakenOver{Epoch{50}, Seq{0}});
  CHECK(!parts.own.outgrow(parts.now, Epoch{80}, false));
  CHECK(parts.counter("epochs_not_outgrown") == 1);
  CHECK(!parts.own.outgrow(parts.now + 2s, Epoch{limits::epoch_told_max}, false));
}

TEST_CASE("ops of another are applied in order and once, however they come") {
  PartFixture parts;
  parts.meet("p0");
  parts.op("p0", 2, PartFixture::insert_of("cd", 12, {Seq{1}, 2}));
  CHECK(parts.depth("p0", "abcd") == 0);
  CHECK(parts.streams.lags(PartFixture::id("p0")));
  parts.op("p0", 1, PartFixture::insert_of("ab", 10));
  CHECK(parts.depth("p0", "abcd") == 4);
  parts.op("p0", 1, PartFixture::insert_of("ab", 10));
  CHECK(parts.counter("ops_duplicate") == 1);
  CHECK(!parts.streams.lags(PartFixture::id("p0")));
  CHECK(parts.streams.applied() == 2);
}

TEST_CASE("what is missing is asked for, of the origin first, then of who said to have more") {
  PartFixture parts;
  parts.meet("p0");
  parts.meet("p1");
  parts.op("p0", 1, PartFixture::insert_of("ab", 10));
  const VectorEntry further{PartFixture::id("p0"), Epoch{100}, Seq{3}};
  CHECK(parts.streams.note_position(PartFixture::id("p1"), further));
  parts.streams.note_head(parts.now, PartFixture::id("p0"), Seq{3});
  parts.out.take();
  std::vector<NodeId> asked;
  for (int looks = 0; looks < 9 && asked.size() < 2; ++looks) {
    parts.now = std::max(parts.now, parts.streams.due());
    parts.streams.repair_what_is_due(parts.now);
    for (const auto& [peer, request] : parts.asked<ReplayRequest>()) {
      CHECK(request.first == Seq{2});
      asked.push_back(peer);
    }
  }
  CHECK(asked == std::vector<NodeId>{PartFixture::id("p0"), PartFixture::id("p1")});
  // Its own word ends it: there is no more.
  parts.streams.believe_head(parts.now, PartFixture::id("p0"), Seq{1});
  CHECK(!parts.streams.lags(PartFixture::id("p0")));
}

TEST_CASE("an op that does not fit changes nothing, and a snapshot is wanted") {
  PartFixture parts;
  parts.meet("p0");
  parts.op("p0", 1, DeleteOp{{Anchor{Seq{9}, 1}}});
  CHECK(parts.counter("ops_refused") == 1);
  CHECK(parts.streams.at(PartFixture::id("p0")).missing.wants_snapshot);
  CHECK(parts.streams.at(PartFixture::id("p0")).stream.applied() == Seq{0});
}

TEST_CASE("a snapshot is staged out of sight, then takes the place of what was known") {
  PartFixture parts;
  parts.meet("p0");
  const NodeId p0 = PartFixture::id("p0");
  parts.op("p0", 1, PartFixture::insert_of("xy", 90));
  parts.streams.compare_digest(parts.now, {p0, Epoch{100}, Seq{1}}, Digest{1}, p0);
  parts.out.take();
  parts.now = parts.streams.due();
  parts.streams.repair_what_is_due(parts.now);
  const auto asked = parts.asked<SnapshotRequest>();
  REQUIRE(asked.size() == 1);
  SnapshotChunk chunk;
  chunk.origin = p0;
  chunk.epoch = Epoch{100};
  chunk.session = asked[0].second.session;
  chunk.as_of = Seq{7};
  chunk.status = SnapshotStatus::more;
  chunk.entries.push_back({Seq{3}, Seq{}, 0, Entry::kNotRetired, PartFixture::insert_of("ab", 10)});
  CHECK(!parts.streams.on_chunk(parts.now, p0, chunk));
  CHECK(parts.depth("p0", "ab") == 0);
  chunk.index = 1;
  chunk.status = SnapshotStatus::last;
  chunk.entries.clear();
  const auto staged = parts.streams.on_chunk(parts.now, p0, chunk);
  REQUIRE(staged.has_value());
  parts.streams.commit(parts.now, chunk, *staged);
  CHECK(parts.depth("p0", "ab") == 2);
  CHECK(parts.depth("p0", "xy") == 0);
  CHECK(parts.streams.at(p0).stream.applied() == Seq{7});
  // The same once more is wanted by nobody.
  CHECK(!parts.streams.on_chunk(parts.now, p0, chunk));
  CHECK(parts.counter("chunks_unwanted") == 1);
}

TEST_CASE("what a life held is hidden when the next begins, and shown again where that goes on") {
  PartFixture parts;
  parts.meet("p0");
  const NodeId p0 = PartFixture::id("p0");
  parts.member("p0").engine_token = "engine";
  parts.op("p0", 1, PartFixture::insert_of("ab", 10));
  parts.meet("p0", Epoch{101});
  CHECK(parts.depth("p0", "ab") == 0);
  CHECK(parts.streams.former_of(parts.member("p0"), Epoch{101}).seq == Seq{1});
  CHECK(parts.streams.state_for(p0, p0)->engine_token == "engine");
  parts.streams.on_taken_over(parts.now, p0, {Epoch{100}, Seq{1}});
  CHECK(parts.depth("p0", "ab") == 2);
  CHECK(parts.streams.at(p0).stream.applied() == Seq{1});
  // Nobody waits for ever for the next life to say so.
  parts.meet("p0", Epoch{102});
  CHECK(parts.streams.expire_former(parts.now, p0, 60s) == parts.now + 60s);
  CHECK(parts.streams.expire_former(parts.now + 60s, p0, 60s) == kNever);
}

TEST_CASE("what is forgotten comes back as a whole") {
  PartFixture parts;
  parts.meet("p0");
  const NodeId p0 = PartFixture::id("p0");
  parts.op("p0", 1, PartFixture::insert_of("ab", 10));
  parts.lose("p0");
  parts.streams.forget(p0);
  CHECK(parts.picture.relation().token_count() == 0);
  parts.streams.remember(parts.now, p0);
  CHECK(parts.streams.at(p0).missing.wants_snapshot);
}

TEST_CASE("what is missed is had from the op log, else as a snapshot, a part in each turn") {
  PartFixture parts;
  parts.insert_own("abcd", 10);
  parts.out.take();
  const NodeId self = PartFixture::id("d0"), p0 = PartFixture::id("p0");
  const auto state_of = [&](NodeId, NodeId) {
    return std::optional(DonorState{Epoch{50}, parts.own.head(), kSelf, {}});
  };
  parts.donor.on_replay_request(p0, {self, Epoch{50}, Seq{1}, Seq{9}});
  CHECK(parts.donor.has_work());
  parts.donor.serve(parts.picture.relation(), true, state_of);
  const auto replayed = parts.asked<ReplayMessage>();
  REQUIRE(replayed.size() == 1);
  CHECK(replayed[0].second.status == ReplayStatus::frames);
  CHECK(!parts.donor.has_work());
  // Of an op that is not kept any more there are no frames.
  parts.donor.forget_ops(self);
  parts.donor.on_replay_request(p0, {self, Epoch{50}, Seq{1}, Seq{9}});
  parts.donor.serve(parts.picture.relation(), true, state_of);
  CHECK(parts.asked<ReplayMessage>()[0].second.status == ReplayStatus::snapshot_needed);
  parts.donor.on_snapshot_request(parts.now, p0, {self, Epoch{50}, Seq{}, 3, true, {}},
                                  state_of(p0, self));
  parts.donor.serve(parts.picture.relation(), true, state_of);
  const auto chunks = parts.asked<SnapshotChunk>();
  REQUIRE(chunks.size() == 1);
  CHECK(chunks[0].second.entries.size() == 1);
}

TEST_CASE("a restarted node takes back what a peer kept of it, for the same engine only") {
  PartFixture parts;
  Recovery recovery(parts.roster, parts.picture, parts.own, parts.post, parts.out, parts.timers);
  parts.meet("p0");
  parts.meet("p1");
  parts.meet("r0");
  parts.roster.self().engine_token = "engine";
  recovery.note_former(PartFixture::id("p0"), {Epoch{40}, Seq{5}, "engine", true});
  recovery.note_former(PartFixture::id("p1"), {Epoch{40}, Seq{9}, "another", true});
  recovery.begin(parts.now, {});
  const auto asked = parts.asked<SnapshotRequest>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].first == PartFixture::id("p0"));
  SnapshotChunk chunk;
  chunk.origin = PartFixture::id("d0");
  chunk.epoch = Epoch{40};
  chunk.session = asked[0].second.session;
  chunk.as_of = Seq{5};
  chunk.has_slots = true;
  chunk.status = SnapshotStatus::last;
  chunk.entries.push_back({Seq{2}, Seq{}, 0, Entry::kNotRetired, PartFixture::insert_of("ab", 10)});
  recovery.on_chunk(parts.now, PartFixture::id("p0"), chunk);
  CHECK(recovery.takes_back());
  CHECK(recovery.take_back(100));
  recovery.finish();
  CHECK(!recovery.is_running());
  CHECK(parts.own.head() == Seq{5});
  CHECK(parts.own.taken_over() == TakenOver{Epoch{40}, Seq{5}});
  CHECK(parts.picture.cache()->total_tokens() == 2);
}

TEST_CASE("where nobody kept anything a restarted node begins empty, and soon") {
  PartFixture parts;
  Recovery recovery(parts.roster, parts.picture, parts.own, parts.post, parts.out, parts.timers);
  parts.roster.self().engine_token = "engine";
  recovery.begin(parts.now, {});
  CHECK(recovery.is_running());  // somebody may turn up
  recovery.run(parts.now + parts.timers.recover_wait);
  CHECK(!recovery.is_running());
  CHECK(parts.own.taken_over() == TakenOver{});
}

}  // namespace
}  // namespace radixmesh
