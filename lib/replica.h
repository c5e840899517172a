// Replica: one node's full picture of the mesh, and how it keeps it. The file to read first.
//
//          engine's verbs            frames, subscriptions, time
//               │                              │
//               ▼                              ▼
//        ┌─ insert ... ─┐              ┌──── step() ────┐
//        │  LocalCache  │   ops        │  decode, order │◄─ OriginStream, one per origin
//        │   (locks,    ├──────►┐      │  apply, repair │◄─ RepairTimer, Staging (snapshots)
//        │   eviction)  │       │      └───────┬────────┘
//        └──────┬───────┘       ▼              ▼
//               └────────► Relation (prefix x holder) ◄── SnapshotDonor reads it
//                               │
//                               ▼
//                        take_effects(): what the shell now owes, in order
//
// A pure state machine: no socket, clock, thread, entropy or file. The same calls with the same
// times give the same effects; the simulator in tests/sim drives this very class.
//
// What holds at every moment
//  I1  per origin (epoch, applied) never goes down
//  I2  what is applied of an origin is exactly its ops 1..applied of that epoch, in order
//  I3  equal version vectors, equal lookups on every node; equal digests prove it
//  I4  own ops are in the op log before they are published
//
// The methods stand in files by what they do: replica.cpp (start, step, time), replica_engine.cpp
// (the engine's verbs), replica_ops.cpp (ops in and out), replica_repair.cpp (replay, snapshots),
// replica_mesh.cpp (HELLO, HEAD, heartbeats, topology), replica_show.cpp (what is shown).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tl/expected.hpp>

#include "lib/base/refusal.h"
#include "lib/mesh/repair_timer.h"
#include "lib/oplog/codec.h"
#include "lib/oplog/op_log.h"
#include "lib/oplog/origin_stream.h"
#include "lib/oplog/snapshot_donor.h"
#include "lib/replica_io.h"
#include "lib/replica_view.h"
#include "lib/routing/prefix_first.h"
#include "lib/tree/local_cache.h"
#include "lib/tree/relation.h"

namespace radixmesh {

class Replica : private Journal {
 public:
  // Needs valid settings: `self` among the members, addresses unique (see check()).
  Replica(ReplicaSettings settings, TimePoint now);
  ~Replica() override;
  Replica(const Replica&) = delete;

  // Nothing if the settings can be used, else the rule they break.
  static std::optional<std::string> check(const ReplicaSettings& settings);

  // ---- the mesh's side -------------------------------------------------------------------------

  // Takes one input. Never fails: what is wrong with an input is counted, and changes nothing.
  void step(TimePoint now, const Input& input);
  // When step(Tick) is due at the latest.
  TimePoint next_deadline() const;
  // What is owed since the last call, to be performed in order.
  std::vector<Effect> take_effects() { return std::exchange(effects_, {}); }
  bool ready() const { return ready_; }

  // ---- the engine's verbs ----------------------------------------------------------------------

  template <class T>
  using Result = tl::expected<T, Refusal>;

  // See LocalCache. A router holds nothing: use_another_node.
  Result<InsertResult> insert(TimePoint now, const CacheNamespace& name,
                              std::span<const TokenId> tokens, const SlotRuns& slots);
  Result<SlotRuns> evict(TimePoint now, std::uint64_t num_tokens);
  Result<SlotRuns> remove(TimePoint now, const CacheNamespace& name,
                          std::span<const TokenId> tokens);
  Result<SlotRuns> reset(TimePoint now);
  // Counts as a use of what is local.
  MatchView match_prefix(const CacheNamespace& name, std::span<const TokenId> tokens);
  // match_prefix, and a lock on the local part until release(). Nothing is locked where nothing
  // matched; such a path may be released as well.
  struct Acquired {
    MatchView match;
    LockedPath path;
  };
  Result<Acquired> acquire(const CacheNamespace& name, std::span<const TokenId> tokens);
  void release(LockedPath path);
  RouteView route(const CacheNamespace& name, std::span<const TokenId> tokens) const;
  void report_load(TimePoint now, const Load& load);

  // ---- what is shown ---------------------------------------------------------------------------

  StatusView status();
  std::vector<NodeView> nodes(TimePoint now) const;
  TreeView tree(std::size_t skip, std::size_t limit);
  Result<EntriesView> entries(std::string_view holder_addr, std::size_t skip, std::size_t limit);
  std::uint32_t page_size() const { return settings_.page_size; }
  const Member& self() const { return *self_; }

 private:
  // The entries of one origin while its snapshot comes in: a holder that no answer shows yet.
  struct Staging {
    NodeId donor;
    std::uint64_t session = 0;
    Epoch epoch;
    std::uint32_t chunks = 0;  // received
    std::optional<HolderIndex> holder;
    TimePoint heard;
    Seq as_of{}, last_entry{};  // of what was received; neither goes down
  };
  // One origin's stream and what it takes to keep it whole. This node's own is not among them.
  struct Origin {
    OriginStream stream;
    HolderIndex holder;
    Seq head;  // the highest op that anyone said exists in this epoch
    RepairTimer repair;
    bool wants_snapshot =
        false;  // ops alone will not do: one could not be applied, or digests differ
    bool replaces_all = false;   // ... and a snapshot as old as what is here is welcome
    std::uint32_t failures = 0;  // in a row, of what was supposed to help
    bool degraded = false;
    std::optional<Staging> staging;
  };

  // replica.cpp
  void tick(TimePoint now);
  // How a message came: on a PUB socket, or straight from a peer as a question or an answer.
  enum class Via : std::uint8_t { published, question, answer };
  void receive_frames(TimePoint now, std::string_view payload, Via via, NodeId from);
  void receive_published(TimePoint now, const Message& message, std::string_view frame);
  void receive_question(TimePoint now, NodeId from, const Message& message);
  void receive_answer(TimePoint now, NodeId from, const Message& message);
  void log(LogLine::Level level, std::string event, std::string detail);
  void count(std::string_view what, std::uint64_t by = 1);
  Message control(Body body) const;
  void ask(NodeId peer, Channel channel, Body body);
  void answer(NodeId peer, Channel channel, Body body);
  Member* find_member(NodeId id);
  const Member* find_member(NodeId id) const;
  Origin* find_origin(NodeId id);

  // replica_engine.cpp
  Inserted record_insert(Anchor anchor, const CacheNamespace& name, std::span<const TokenId> tokens,
                         const SlotRuns& slots) override;
  void record_delete(std::span<const Anchor> first_pages) override;
  void record_reset() override;
  void publish_own(Body body, MessageType type, std::uint64_t tokens);
  MatchView view_of(const Match& match) const;
  const Member* holder_member(HolderIndex holder) const;

  // replica_ops.cpp
  // `live`: it came as published; a replay of it proves nothing about its origin's life.
  void on_op(TimePoint now, const Message& message, std::string_view frame, bool live);
  void on_unreadable_op(TimePoint now, const Envelope& envelope);
  void begin_epoch(TimePoint now, NodeId id, Epoch epoch);
  void apply_next(TimePoint now, NodeId id, Origin& origin, const Message& message,
                  std::string_view frame);
  void drain(TimePoint now, NodeId id, Origin& origin);
  bool apply(NodeId id, Origin& origin, const Message& message);
  void relay(const Envelope& envelope, std::string_view frame);
  void note_head(TimePoint now, NodeId id, Epoch epoch, Seq head);
  void outgrow_epoch(TimePoint now, Epoch seen);

  // replica_repair.cpp
  void update_repair(TimePoint now, NodeId id, Origin& origin);
  RepairTimer::Pace repair_pace() const;
  void repair_what_is_due(TimePoint now);
  void ask_for_repair(TimePoint now, NodeId id, Origin& origin);
  std::vector<NodeId> donors_for(NodeId id, const Origin& origin) const;
  void want_snapshot(TimePoint now, NodeId id, Origin& origin, std::string_view why);
  void on_replay_request(NodeId from, const ReplayRequest& request);
  void on_replay(TimePoint now, NodeId from, const ReplayMessage& replay);
  void on_snapshot_request(TimePoint now, NodeId from, const SnapshotRequest& request);
  void on_snapshot_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk);
  bool stage(Origin& origin, const SnapshotChunk& chunk);
  void commit(TimePoint now, NodeId id, Origin& origin, const SnapshotChunk& chunk);
  void abandon_staging(Origin& origin);
  void serve_snapshots();
  std::optional<DonorState> donor_state(NodeId id) const;

  // replica_mesh.cpp
  void greet(TimePoint now);
  void beat(TimePoint now);
  void publish_head(TimePoint now);
  void watch_silence(TimePoint now);
  void heard_from(TimePoint now, Member& member);
  void set_state(Member& member, MemberState state);
  std::optional<std::string> disagreement(const Introduction& hello, NodeId from) const;
  Introduction introduce(const Member* to) const;
  void on_introduction(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch,
                       bool is_hello);
  void turn_down(TimePoint now, NodeId from, const Introduction& hello, const std::string& reason,
                 bool is_hello);
  void on_refused(NodeId from, const RefusedMessage& refused);
  void on_head(TimePoint now, const Envelope& envelope, const HeadMessage& head,
               std::string_view frame);
  void on_marker(TimePoint now, const Envelope& envelope, const MarkerMessage& marker);
  void compare_digest(TimePoint now, NodeId id, Origin& origin, const HeadMessage& head);
  std::vector<NodeId> live_view() const;
  std::vector<VectorEntry> version_vector(bool with_self) const;
  void restitch(TimePoint now);
  void ask_for_markers(TimePoint now);
  void check_ready(TimePoint now);

  ReplicaSettings settings_;
  std::map<NodeId, Member> members_;  // all, this node included
  std::vector<NodeId> by_rank_;
  Member* self_ = nullptr;
  TimePoint started_;

  std::unique_ptr<Relation> relation_;
  std::unique_ptr<LocalCache> cache_;  // null on a router
  std::map<NodeId, Origin> origins_;
  std::map<HolderIndex, NodeId> holders_;  // those that answers may show
  std::set<NodeId> lagging_;               // origins that miss something
  Seq head_;                               // own last op
  OpLog op_log_;
  SnapshotDonor donor_;
  std::uint64_t next_session_;
  Match match_;

  bool dirty_ = false;  // something changed since the last HEAD
  TimePoint next_head_, next_heartbeat_, next_marker_ask_ = kNever;
  TimePoint next_stranger_line_ = TimePoint::min();  // of the log
  std::uint64_t beat_ = 0;
  std::map<NodeId, std::string> subscribed_;  // upstream -> the address it was subscribed at
  std::map<NodeId, VectorEntry> barrier_;     // what must be applied before this node is ready
  std::set<NodeId> marked_;                   // upstreams whose marker arrived
  bool ready_ = false;

  std::map<std::string, std::uint64_t, std::less<>> counters_;
  std::uint64_t ops_applied_ = 0;
  std::vector<Effect> effects_;
};

}  // namespace radixmesh
