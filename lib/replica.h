// Replica: one node's full picture of the mesh, and how it keeps it. The file to read first.
//
//   engine's verbs                              frames, links, time
//         │                                             │
//         ▼                                             ▼
//   ┌─ tree/ ──────┐  ops  ┌─ oplog/ ──────────┐   ┌─ mesh/ ────────────────────────┐
//   │ Picture      │◄─────►│ OwnStream, Donor  │◄─►│ Greetings, Heads, Ring,        │
//   └──────────────┘       │ Streams, Recovery │   │ Liveness, Membership, Joining, │
//     ▲          ▲         └───────────────────┘   │ Subscriptions, Readiness       │
//     │          │                                 └────────────────────────────────┘
//   routing/   gc/                all look members up in the Roster of members/
//   Placement  Collector          all write into one Outbox: take_effects(), in order
//
// A pure state machine: no socket, clock, thread, entropy or file. The same calls with the same
// times give the same effects; the simulator in tests/sim drives this very class.
//
// Each part keeps its own state, uses what stands left of it in `base ← members ← tree ← oplog ←
// mesh, gc, routing`, and knows neither this class nor its neighbours. What one tells that concerns
// another this class passes on:
//  - a message goes to the part that it is for, then pass_on() carries out what came of it: who is
//    gone is forgotten by the router, a life that is not this one is outgrown, owners of what
//    retires are told
//  - a later life of a member (begin_life) ends in this order: its stream, what it referred to and
//    kept, its loads and bookings, its HEADs, its greeting; last its row in the roster
//  - a turn (tick) goes: own stall, members, repair, recovery, links, ring, markers, readiness,
//    bookings, references, collecting, heartbeat and HEAD
//
// The verbs, and what is shown, are in replica_verbs.cpp; what passes between parts in
// replica_pass.cpp, and where nodes meet in replica_meet.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "lib/base/known_state.h"
#include "lib/base/refusal.h"
#include "lib/gc/collector.h"
#include "lib/mesh/mesh_parts.h"
#include "lib/oplog/recovery.h"
#include "lib/replica_answers.h"
#include "lib/replica_io.h"
#include "lib/replica_view.h"
#include "lib/routing/placement.h"

namespace radixmesh {

class Replica {
 public:
  // Needs valid settings; see check().
  Replica(ReplicaSettings settings, TimePoint now);
  ~Replica();
  Replica(const Replica&) = delete;

  // ---- the mesh's side -------------------------------------------------------------------------

  // Takes one input. Never fails: what is wrong with an input is counted, and changes nothing.
  void step(TimePoint now, const Input& input);
  // When step(Tick) is due at the latest.
  TimePoint next_deadline() const;
  // What is owed since the last call, to be performed in order.
  std::vector<Effect> take_effects() { return out_.take(); }
  bool ready() const { return mesh_.readiness.ready(); }

  // Leaves the mesh: no new work is taken, others are told at once, and when nothing is locked any
  // more, or after Timers::drain_wait, a Left is owed.
  void drain(TimePoint now);
  bool draining() const { return roster_.draining(); }

  // ---- the engine's verbs ----------------------------------------------------------------------

  template <class T>
  using Result = tl::expected<T, Refusal>;

  // See LocalCache. A router holds nothing: use_another_node.
  Result<InsertResult> insert(TimePoint now, const CacheNamespace& name,
                              std::span<const TokenId> tokens, const SlotRuns& slots);
  Result<Evicted> evict(TimePoint now, std::uint64_t num_tokens);
  Result<SlotRuns> remove(TimePoint now, const CacheNamespace& name,
                          std::span<const TokenId> tokens);
  // As LocalCache::begin_reset(); what was freed is finish_reset()'s, once is_resetting() has
  // ended. reset() is all in one.
  std::optional<Refusal> begin_reset(TimePoint now);
  bool is_resetting() const;
  SlotRuns finish_reset();
  Result<SlotRuns> reset(TimePoint now);
  // With `touch` it counts as a use of what is local; who only observes asks without.
  MatchView match_prefix(const CacheNamespace& name, std::span<const TokenId> tokens,
                         bool touch = true);
  // match_prefix, and a lock on the local part until release(). Nothing is locked where nothing
  // matched; such a path may be released as well. With `remote`, a reference to what the best other
  // holder, `source` before all others, has beyond that: the answer may have to wait for that node.
  Result<Acquired> acquire(TimePoint now, const CacheNamespace& name, std::span<const TokenId>,
                           bool remote = false, std::string_view source = {});
  bool waits(TimePoint now, const Acquired::Wait& wait) const;
  // `reference` may be none, and may have lapsed.
  void release(TimePoint now, LockedPath path, ReferenceId reference = 0);
  // Whether bytes that were read under the reference, and are here, may be used. To be asked after
  // the read.
  bool is_valid(TimePoint now, ReferenceId reference) const;
  // Where a request with these tokens should run. With `book` the nodes chosen are promised the
  // work, everyone is told, and this node counts them as holding the prompt for a moment.
  Result<RouteView> route(TimePoint now, const CacheNamespace& name,
                          std::span<const TokenId> tokens, bool book);
  // The prompt of a booked request is computed, `hit_tokens` of it were cached; the whole request
  // is finished. A booking that is not open any more is no error: it may have expired.
  void prefill_done(TimePoint now, std::uint64_t booking, std::optional<std::uint32_t> hit_tokens);
  void finish_booking(TimePoint now, std::uint64_t booking);
  void finish_warm_up() { placement_.finish_warm_up(); }
  // Whether a request that this node has should go elsewhere; `visited` had it before.
  Result<RedirectView> redirect(TimePoint now, const CacheNamespace& name,
                                std::span<const TokenId> tokens,
                                std::span<const std::string> visited);
  void report_load(TimePoint now, const Load& load);
  // One that joined and is gone for good; all are told. Refused for who lives or is listed.
  Result<MemberRemoved> member_remove(TimePoint now, std::string_view addr);
  // The engine says who it is. If a former life of this node served the same engine, its entries
  // are taken back from peers; that is under way as long as recovering() holds: a donor is looked
  // for at most Timers::recover_wait, and given up when it is silent. Another token than before:
  // what the node holds is not this engine's, and goes; while that is taken back, nothing happens:
  // to be said again. Empty: it says nothing. What is older than `known` is not taken back: a life
  // in between began empty, or removed what the engine then freed.
  void attach_engine(TimePoint now, std::string_view engine_token, KnownState known = {});
  bool recovering() const { return recovery_.is_running(); }

  // ---- collecting duplicates -------------------------------------------------------------------

  // Whether the engine frees single slots when it is told (GcFree), or else wants to be told of
  // duplicates.
  void set_engine_frees(TimePoint now, bool frees, bool takes_advice);
  // It has freed the slots of this GcFree; not the first to say so is no error.
  void acknowledge_free(std::uint64_t number) { gc_.engine().acknowledge(number); }
  // What it was told and has not acknowledged.
  std::vector<GcFree> unacknowledged() const { return gc_.engine().unacknowledged(); }
  // What may go and what stays, and why; `run`: a round begins now.
  Result<GcView> gc(TimePoint now, bool run);
  // For how long slots that the engine held before this life may be read by others still.
  Duration free_wait(TimePoint now) const { return gc_.leases().free_wait(now); }

  // ---- what is shown ---------------------------------------------------------------------------

  StatusView status();
  // What route() would answer, with everything that leads to it. Changes nothing.
  ExplainView explain(TimePoint now, const CacheNamespace& name, std::span<const TokenId> tokens);
  std::vector<NodeView> nodes(TimePoint now) const;
  TreeView tree(std::size_t skip, std::size_t limit);
  Result<EntriesView> entries(std::string_view holder_addr, std::size_t skip, std::size_t limit);
  std::uint32_t page_size() const { return settings_.page_size; }
  const Member& self() const { return roster_.self(); }

 private:
  // How a message came: on a PUB socket, or straight from a peer as a question or an answer.
  enum class Via : std::uint8_t { published, question, answer };

  // replica.cpp
  void tick(TimePoint now);
  void look_at_members(TimePoint now);
  void receive(TimePoint now, std::string_view payload, Via via, NodeId from);
  void receive_published(TimePoint now, const Message& message, std::string_view frame);
  void receive_from_stranger(TimePoint now, NodeId from, const Message& message, Via via);
  bool receive_from_seed(TimePoint now, NodeId from, const Message& message);
  bool receive_greeting(TimePoint now, NodeId from, const Message& message, Via via);
  void receive_question(TimePoint now, NodeId from, const Message& message);
  void receive_answer(TimePoint now, NodeId from, const Message& message);
  void beat(TimePoint now);
  void publish_head(TimePoint now);
  void check_ready(TimePoint now);

  // replica_pass.cpp
  void pass_on(TimePoint now);
  void on_op(TimePoint now, const Message& message, std::string_view frame, bool live);
  void note_head(TimePoint now, NodeId id, Epoch epoch, Seq head);
  void note_vector(TimePoint now, NodeId from, const std::vector<VectorEntry>& vector,
                   bool is_marker);
  bool hear_of_epoch(TimePoint now, NodeId id, Epoch epoch);
  void begin_life(TimePoint now, NodeId id, Epoch epoch);
  void outgrow(TimePoint now, Epoch seen, bool not_mine);
  void on_head(TimePoint now, const Envelope& envelope, const HeadMessage& head,
               std::string_view frame);
  void on_pulse(TimePoint now, NodeId from, const Pulse& pulse);
  void on_replay(TimePoint now, NodeId from, const ReplayMessage& replay);
  void on_snapshot_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk);
  std::optional<DonorState> state_for(NodeId peer, NodeId origin) const;

  // replica_meet.cpp
  Introduction introduce(TimePoint now, const Member* to, Epoch life) const;
  void greet(TimePoint now);
  OwnNumbers numbers_of(NodeId id) const;
  void correct_numbers(TimePoint now, Member& member, const Introduction& said);
  void on_hello(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch);
  void on_welcome(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch);
  void on_news(TimePoint now, NodeId from, const std::vector<MemberNews>& news);
  void on_join(TimePoint now, NodeId from, const JoinMessage& join);
  void on_joined(TimePoint now, const JoinedMessage& joined);
  Member& add_member(const std::string& addr, NodeRank rank, Role role, bool configured);
  void remove_member(NodeId id);
  bool make_room_for_member();
  void forget_the_gone(TimePoint now);

  // How this node is, as its parts need to know it.
  Heads::Self own_standing(TimePoint now) const;
  Placement::Self own_place() const;
  Collector::Conditions conditions() const { return {ready(), draining()}; }

  ReplicaSettings settings_;
  TimePoint last_step_, leave_at_ = kNever;
  Outbox out_;
  Roster roster_;
  Post post_;
  HeadPace pace_;
  Picture picture_;
  Donor donor_;
  OwnStream own_;
  Streams streams_;
  Recovery recovery_;
  Placement placement_;
  Collector gc_;
  MeshParts mesh_;
};

}  // namespace radixmesh
