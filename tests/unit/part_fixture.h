// What a part of the core is built of in a test, without a replica: this node is d0, among the
// members p0, p1, d0 and r0; nobody was heard of yet.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/timers.h"
#include "lib/oplog/own_stream.h"
#include "lib/oplog/recovery.h"
#include "lib/oplog/streams.h"
#include "tests/unit/tree_fixture.h"

namespace radixmesh {

class PartFixture {
 public:
  explicit PartFixture(Picture::Settings settings = {}, Topology topology = Topology::mesh)
      : roster("default", topology), picture(roster, settings) {
    add("p0", Role::prefill);
    add("p1", Role::prefill);
    roster.begin_own_life(add("d0", settings.has_engine ? Role::decode : Role::router).id,
                          Epoch{50});
    add("r0", Role::router);
    picture.show(kSelf, roster.self().id);
    for (const char* name : {"p0", "p1", "r0"}) streams.add(id(name));
    roster.refresh_view();
  }

  static NodeId id(std::string_view name) { return node_id("default", name); }
  Member& member(std::string_view name) { return roster.at(id(name)); }
  // Its WELCOME came: it lives.
  void meet(std::string_view name, Epoch epoch = Epoch{100}) {
    Member& met = member(name);
    streams.begin_life(now, met.id, epoch);
    met.epoch = epoch;
    met.introduced = true;
    met.state = MemberState::alive;
    met.publish_addr = "pub:" + met.addr;
    roster.changed();
    roster.refresh_view();
  }
  void lose(std::string_view name) {
    member(name).state = MemberState::dead;
    member(name).introduced = false;
    roster.changed();
    roster.refresh_view();
  }

  // Ops of another, offered and taken as a replica does.
  void op(std::string_view from, std::uint64_t seq, Body body, Epoch epoch = Epoch{100}) {
    const auto type = static_cast<std::uint8_t>(type_of(body));
    const Message message{Envelope{type, id(from), epoch, Seq{seq}, 1}, std::move(body)};
    const Bytes frame = encode(message);
    const auto verdict = streams.offer(message.envelope, frame, true);
    if (!verdict) return;
    REQUIRE(*verdict != OriginStream::Verdict::new_epoch);
    streams.take(now, *verdict, message, frame);
    streams.note_head(now, id(from), Seq{seq});
  }
  static InsertOp insert_of(std::string_view letters, std::uint64_t slot, Anchor anchor = {}) {
    const auto tokens = tokens_of(letters);
    return InsertOp{anchor, {}, tokens, {{Slot{slot}, tokens.size()}}};
  }
  void insert_own(std::string_view letters, std::uint64_t slot) {
    const auto tokens = tokens_of(letters);
    picture.cache()->insert({}, tokens, {{Slot{slot}, tokens.size()}}, own);
  }
  std::uint32_t depth(std::string_view name, std::string_view letters) {
    const MatchView view = picture.view_of(picture.match({}, tokens_of(letters)));
    const auto found = view.depths.find(std::string(name));
    return found == view.depths.end() ? 0 : found->second;
  }

  // What is owed since the last call, of one kind; and questions and answers with such a body.
  template <class T>
  std::vector<T> owed() {
    return of_kind<T>(out.take());
  }
  template <class T>
  std::vector<std::pair<NodeId, T>> asked() {
    std::vector<std::pair<NodeId, T>> asked;
    for (const Effect& effect : out.take()) {
      if (const auto* ask = std::get_if<Ask>(&effect)) add_body(ask->peer, ask->frame, asked);
      if (const auto* said = std::get_if<Answer>(&effect)) add_body(said->peer, said->frame, asked);
    }
    return asked;
  }
  std::uint64_t counter(std::string_view name) const {
    const auto found = out.counters().find(name);
    return found == out.counters().end() ? 0 : found->second;
  }

  TimePoint now{std::chrono::seconds(10)};
  Timers timers;
  Roster roster;
  Outbox out;
  Post post{roster, out, 1};
  HeadPace pace{timers.head_dirty, timers.head_idle, now};
  Picture picture;
  Donor donor{roster, post, out, OpLog(id("d0"), 1 << 20, 1 << 20)};
  OwnStream own{roster, donor, out, pace, 1, 7, timers.head_idle};
  Streams streams{roster, picture, donor, post, out, pace, timers};

 private:
  Member& add(const std::string& name, Role role) {
    const auto rank = static_cast<std::uint32_t>(roster.size());
    return roster.add(now, name, NodeRank{rank}, role, true);
  }
  template <class T>
  static std::vector<T> of_kind(std::vector<Effect> effects) {
    std::vector<T> found;
    for (Effect& effect : effects) {
      if (auto* one = std::get_if<T>(&effect)) found.push_back(std::move(*one));
    }
    return found;
  }
  template <class T>
  static void add_body(NodeId peer, std::string_view frame, std::vector<std::pair<NodeId, T>>& to) {
    const auto message = decode(*take_frame(frame));
    REQUIRE(message.has_value());
    if (const auto* body = std::get_if<T>(&message->body)) to.emplace_back(peer, *body);
  }
};

}  // namespace radixmesh
