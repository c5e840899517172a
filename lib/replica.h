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
// The methods stand in files by what they do; the declarations below say in which. What the verbs
// answer is in replica_answers.h, what is shown in replica_view.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tl/expected.hpp>

#include "lib/base/refusal.h"
#include "lib/gc/collection.h"
#include "lib/gc/registrations.h"
#include "lib/mesh/news_queue.h"
#include "lib/mesh/ring_check.h"
#include "lib/mesh/seeds.h"
#include "lib/mesh/suspicion.h"
#include "lib/oplog/codec.h"
#include "lib/oplog/op_log.h"
#include "lib/oplog/outbox.h"
#include "lib/oplog/snapshot_donor.h"
#include "lib/replica_answers.h"
#include "lib/replica_io.h"
#include "lib/replica_origin.h"
#include "lib/replica_view.h"
#include "lib/routing/router.h"
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
  std::vector<Effect> take_effects() { return out_.take(); }
  bool ready() const { return ready_; }

  // Leaves the mesh: no new work is taken, others are told at once, and when nothing is locked any
  // more, or after Timers::drain_wait, a Left is owed.
  void drain(TimePoint now);
  bool draining() const { return leave_at_ != kNever; }

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
  bool is_resetting() const { return cache_ && cache_->is_resetting(); }
  SlotRuns finish_reset() { return cache_->finish_reset(); }
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
  void finish_warm_up() { router_.finish_warm_up(); }
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
  bool recovering() const { return recovery_.has_value(); }

  // ---- collecting duplicates -------------------------------------------------------------------

  // Whether the engine frees single slots when it is told (GcFree), or else wants to be told of
  // duplicates.
  void set_engine_frees(TimePoint now, bool frees, bool takes_advice);
  // It has freed the slots of this GcFree; not the first to say so is no error.
  void acknowledge_free(std::uint64_t number);
  // What it was told and has not acknowledged.
  std::vector<GcFree> unacknowledged() const;
  // What may go and what stays, and why; `run`: a round begins now.
  Result<GcView> gc(TimePoint now, bool run);
  // For how long slots that the engine held before this life may be read by others still.
  Duration free_wait(TimePoint now) const;

  // ---- what is shown ---------------------------------------------------------------------------

  StatusView status();
  // What route() would answer, with everything that leads to it. Changes nothing.
  ExplainView explain(TimePoint now, const CacheNamespace& name, std::span<const TokenId> tokens);
  std::vector<NodeView> nodes(TimePoint now) const;
  TreeView tree(std::size_t skip, std::size_t limit);
  Result<EntriesView> entries(std::string_view holder_addr, std::size_t skip, std::size_t limit);
  std::uint32_t page_size() const { return settings_.page_size; }
  const Member& self() const { return *self_; }

 private:
  using Origin = OriginState;

  // replica.cpp
  void make_tree(Role role);
  void tick(TimePoint now);
  void look_at_members(TimePoint now);
  void look_by(TimePoint due);  // at the members, at the latest
  // How a message came: on a PUB socket, or straight from a peer as a question or an answer.
  enum class Via : std::uint8_t { published, question, answer };
  void receive_message(TimePoint now, std::string_view payload, Via via, NodeId from);
  void receive_frames(TimePoint now, std::string_view payload, Via via, NodeId from);
  void receive_published(TimePoint now, const Message& message, std::string_view frame);
  void receive_from_stranger(TimePoint now, NodeId from, const Message& message, Via via);
  bool is_introduced(TimePoint now, Member& member, Epoch epoch);
  void receive_question(TimePoint now, NodeId from, const Message& message);
  void receive_answer(TimePoint now, NodeId from, const Message& message);
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
  SlotRuns make_room(LocalCache& cache, std::uint64_t num_tokens) override;
  std::optional<Refusal> not_back_yet() const;
  void publish_own(Body body, MessageType type, std::uint64_t tokens);
  MatchView view_of(const Match& match) const;
  const Member* holder_member(HolderIndex holder) const;

  // replica_refer.cpp
  std::optional<Acquired::Wait> refer(TimePoint, const Match&, std::string_view, Acquired&);
  std::vector<SegmentView> segments_of(const Match& match, const Acquired& acquired) const;
  void tell_owners(TimePoint now);
  void on_registered(TimePoint now, NodeId from, Epoch epoch, const RegisteredMessage& answer);

  // replica_readers.cpp
  bool readers_must_agree() const;
  bool may_free(TimePoint now) const { return now >= collection_.frees_from; }
  bool keeps_duplicates() const;
  void on_register(TimePoint now, NodeId from, const RegisterMessage& said);
  void take_registers(TimePoint now, ReaderSession& session,
                      const std::vector<ReaderRegister>& said);
  void end_reader(NodeId reader);
  void reader_began_anew(NodeId reader);
  bool may_expire(NodeId reader, const ReaderSession& session) const;
  void expire_readers(TimePoint now);
  void retire(std::vector<Anchor> firsts, std::vector<Retirement>& list);
  void take_back_pages(std::vector<Anchor> roots);
  void take_back_all();
  void keep_own_pages(const CacheNamespace& name, std::span<const TokenId> tokens);
  std::vector<Retirement> retired_roots() const;
  bool all_agreed(const std::vector<Anchor>& pages) const;
  bool has_own_page(Anchor page) const { return relation_->has(kSelf, page); }
  std::uint64_t reserve_tokens() const;
  std::uint64_t waiting_to_go() const;
  void retire_oldest(std::uint64_t num_tokens);
  SlotRuns free_retired(std::uint64_t num_tokens);
  void keep_reserve();
  std::optional<Refusal> objection_to_removal(TimePoint now, std::vector<Anchor> pages);

  // replica_collect.cpp
  void collect_what_is_due(TimePoint now);
  TimePoint collection_due() const;
  std::string_view why_not_collecting(TimePoint now) const;
  bool is_reader_silent(TimePoint now) const;
  std::vector<HolderIndex> better_holders() const;
  DuplicateSearch duplicate_search(const std::vector<HolderIndex>& better) const;
  std::vector<CollectionRound::Copy> copies_of(const Duplicate& duplicate) const;
  void collect_soon(TimePoint now, Anchor page);
  void begin_round(TimePoint now);
  void advise(TimePoint now);
  void advance_round(TimePoint now);
  bool ask_to_hold(TimePoint now, CollectionRound& round);
  void pass_over(Anchor first);
  bool all_have_heard(const CollectionRound& round) const;
  void drop_refused(CollectionRound& round, NodeId holder, std::span<const Anchor> refused);
  bool still_goes(const CollectionRound& round, const CollectionRound::Item& item) const;
  void settle_round(CollectionRound& round);
  void collect_agreed(TimePoint now, CollectionRound& round);
  void end_round(TimePoint now);
  void tell_engine(TimePoint now, const SlotRuns& slots, bool advice);
  void on_held(TimePoint now, NodeId from, const HeldMessage& held);
  // replica_hold.cpp
  void on_hold(TimePoint now, NodeId from, const HoldMessage& hold);
  void lock_for_round(TimePoint now, const HoldMessage& hold, HeldForRound& held);
  void let_go_of(HeldForRound& held);
  void let_go_of_all();
  void forget_rounds_of(NodeId node);

  // replica_route.cpp
  std::string_view unfit(const Member& member) const;
  std::vector<RouteNode> route_nodes(TimePoint now, const CacheNamespace& name,
                                     std::span<const TokenId> tokens);
  void tell_bookings(TimePoint now);
  void publish_bookings(TimePoint now);
  void on_bookings(TimePoint now, const Envelope& envelope, const BookingsMessage& bookings,
                   std::string_view frame);
  void note_load(TimePoint now, Member& member, const std::optional<Load>& load);
  WorkView work_of(NodeId node) const;
  RoutingView routing(TimePoint now) const;

  // replica_show_gc.cpp
  GcCountsView gc_counts(TimePoint now) const;
  std::vector<std::string> round_waits_for() const;
  DuplicateRow row_of(const Duplicate& duplicate);
  GcView surveyed(TimePoint now);
  GcView surveyed_lately(TimePoint now);

  // replica_ops.cpp
  // `live`: it came as published; a replay of it proves nothing about its origin's life.
  void on_op(TimePoint now, const Message& message, std::string_view frame, bool live);
  std::size_t held_bytes() const;
  bool has_room(HolderIndex holder, std::size_t tokens);
  void on_unreadable_op(TimePoint now, const Envelope& envelope);
  bool hear_of_epoch(TimePoint now, Member& member, Epoch epoch);
  void begin_epoch(TimePoint now, NodeId id, Epoch epoch);
  void apply_next(TimePoint now, NodeId id, Origin& origin, const Message& message,
                  std::string_view frame);
  void hold_nothing(NodeId id, Origin& origin);
  void drain(TimePoint now, NodeId id, Origin& origin);
  bool apply(NodeId id, Origin& origin, const Message& message);
  std::optional<std::uint64_t> mark_pages(NodeId id, HolderIndex holder,
                                          std::span<const Anchor> firsts, bool retiring);
  void relay(TimePoint now, const Envelope& envelope, std::string_view frame);
  void note_head(TimePoint now, NodeId id, Epoch epoch, Seq head);
  void believe_head(TimePoint now, NodeId id, Seq head);
  void outgrow_epoch(TimePoint now, Epoch seen, bool not_mine = false);

  // replica_repair.cpp
  void update_repair(TimePoint now, NodeId id, Origin& origin);
  void look_at_repair_of(const Origin& origin);
  RepairTimer::Pace repair_pace() const;
  void repair_what_is_due(TimePoint now);
  void ask_for_repair(TimePoint now, NodeId id, Origin& origin);
  std::vector<NodeId> donors_for(NodeId id, const Origin& origin) const;
  void stop_missing(TimePoint now, NodeId id, Origin& origin);
  void want_snapshot(TimePoint now, NodeId id, Origin& origin, std::string_view why,
                     bool is_failure);
  void on_replay_request(NodeId from, const ReplayRequest& request);
  void serve_bulk();
  bool serve_replay(NodeId to, ReplayUnderWay& replay, std::size_t& bytes);
  void on_replay(TimePoint now, NodeId from, const ReplayMessage& replay);

  // replica_snapshot.cpp
  void on_snapshot_request(TimePoint now, NodeId from, const SnapshotRequest& request);
  void on_snapshot_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk);
  bool stage(SnapshotStaging& staging, const SnapshotChunk& chunk);
  void commit(TimePoint now, NodeId id, Origin& origin, const SnapshotChunk& chunk);
  void abandon_staging(Origin& origin);
  void drop_staging(std::optional<SnapshotStaging>& staging);
  void serve_snapshots(std::size_t bytes);
  std::optional<DonorState> donor_state(NodeId peer, NodeId origin) const;

  // replica_recover.cpp
  void end_life(TimePoint now, NodeId id, Origin& origin);
  void drop_former(Origin& origin);
  void on_taken_over(TimePoint now, NodeId id, Origin& origin, const TakenOver& taken);
  void recover_what_is_due(TimePoint now);
  const Member* keeper_of_own_state(bool& all_known) const;
  void ask_for_own(TimePoint now, NodeId donor, TimePoint heard);
  void on_own_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk);
  Digest own_digest() const { return head_.value == 0 ? 0 : relation_->digest(kSelf); }
  bool takes_back() const { return recovery_ && recovery_->next; }
  void take_back(TimePoint now, std::size_t entries_max);
  void on_former_lease(Duration lease);
  void begin_empty();

  // replica_greet.cpp
  void greet(TimePoint now);
  void say_hello(TimePoint now, Member& member);
  void doubt(TimePoint now, Member& member);
  OwnNumbers numbers_of(const Member& member) const;
  void correct_numbers(TimePoint now, Member& member, const Introduction& said);
  Introduction introduce(TimePoint now, const Member* to, Epoch life) const;
  Former former_of(const Member& member, Epoch life) const;
  Duration former_lease(TimePoint now, const Member& member, Epoch life) const;
  void note_former_lease(TimePoint now, Member& member, Duration lease);
  std::optional<std::string> settings_disagreement(const Introduction& hello) const;
  std::optional<std::string> disagreement(const Introduction& hello, NodeId from) const;
  void on_hello(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch);
  void on_welcome(TimePoint now, NodeId from, const Introduction& hello, Epoch epoch);
  void turn_down(TimePoint now, const Introduction& hello, const std::string& reason);
  void on_refused(NodeId from, const RefusedMessage& refused);

  // replica_members.cpp
  Member& add_member(const std::string& addr, NodeRank rank, Role role, bool configured);
  void remove_member(NodeId id);
  void relearn(NodeId id);
  bool make_room_for_member();
  void rank_changed();
  NodeRank next_rank() const;
  MemberNews news_of(const Member& member) const;
  void spread(TimePoint now, const Member& member);
  void on_news(TimePoint now, NodeId from, const std::vector<MemberNews>& news);
  void on_news_of(TimePoint now, NodeId from, const MemberNews& news);
  void on_news_of_self(TimePoint now, const MemberNews& news);
  void exchange_views(TimePoint now, NodeId with, std::uint64_t view_hash);
  void send_members(NodeId to, bool as_answer, bool wants_answer);
  void forget_the_gone(TimePoint now);
  void on_removal(TimePoint now, Member& member);
  void forget(NodeId id, Origin& origin);
  void adopt_rank(TimePoint now, Member& member, NodeRank rank);
  void settle_rank(TimePoint now, Member& other);
  void leave_when_due(TimePoint now);

  // replica_join.cpp
  bool joined() const { return founder_.has_value(); }
  void on_seeds(TimePoint now, const SeedsFound& found);
  void on_own_echo(TimePoint now, const OwnEcho& echo);
  void ask_to_join(TimePoint now);
  void ask_seeds(TimePoint now);
  JoinMessage request_to_join() const;
  Founder would_be_founder() const;
  void begin_mesh_when_due(TimePoint now);
  std::optional<std::string> objection_to(const JoinMessage& join, NodeId from) const;
  void on_join(TimePoint now, NodeId from, const JoinMessage& join);
  const Member* member_of_lower_mesh() const;
  void on_joined(TimePoint now, const JoinedMessage& joined);
  bool receive_from_seed(TimePoint now, NodeId from, const Message& message);

  // replica_life.cpp
  void heard_from(TimePoint now, Member& member, bool directly = true);
  void set_state(TimePoint now, Member& member, MemberState state);
  void watch_silence(TimePoint now);
  void watch_member(TimePoint now, Member& member);
  void ask_others_about(Member& member);
  void accuse(TimePoint now, Member& member);
  void notice_own_stall(TimePoint now);
  void beat(TimePoint now);
  Pulse pulse_for(const Member& to);
  void on_pulse(TimePoint now, Member& from, const Pulse& pulse);
  void note_own_refute(TimePoint now, std::uint32_t refute);
  void note_refute(TimePoint now, Member& member, std::uint32_t refute);
  void on_standing(TimePoint now, const Standing& seen);
  void on_probe_request(TimePoint now, NodeId from, const ProbeRequest& probe);
  void on_probe_report(TimePoint now, const ProbeReport& report);
  bool takes_part_in_ring() const { return joined() && !draining(); }
  void check_ring(TimePoint now);
  void send_ticks(RingCheck::Sends sends);

  // replica_links.cpp
  void publish_head(TimePoint now);
  std::vector<VectorEntry> version_vector() const;
  std::vector<VectorEntry> news_vector();
  void on_head(TimePoint now, const Envelope& envelope, const HeadMessage& head,
               std::string_view frame);
  void on_marker(TimePoint now, const Envelope& envelope, const MarkerMessage& marker);
  void note_vector(TimePoint now, Member& member, const std::vector<VectorEntry>& vector,
                   bool is_marker);
  void compare_digest(TimePoint now, const VectorEntry& at, Digest digest, NodeId said_by);
  void view_changed() { view_changed_ = links_changed_ = true; }
  void refresh_view(TimePoint now);
  void restitch(TimePoint now);
  std::vector<Upstream> wanted_upstreams(TimePoint now) const;
  void take_over_if_lagging(TimePoint now, NodeId id, Origin& origin);
  void ask_for_markers(TimePoint now);
  HeadMessage::Stand how_it_stands(TimePoint now) const;

  // replica_ready.cpp
  Sight sight(TimePoint now) const;
  bool should_see(TimePoint now, const Member& member) const;
  bool has_caught_up(TimePoint now) const;
  void check_ready(TimePoint now);
  std::string why_not_ready(TimePoint now) const;
  std::string trouble_with(TimePoint now, const Member& member) const;
  void tell_of_absent(TimePoint now);
  void on_link_report(TimePoint now, const LinkReport& report);

  ReplicaSettings settings_;
  std::map<NodeId, Member> members_;  // all, this node included
  std::vector<NodeId> by_rank_;
  Member* self_ = nullptr;
  TimePoint started_, last_step_;
  Seeds seeds_;                     // whom to ask to be let in
  std::optional<Founder> founder_;  // of the mesh that this node is in
  TimePoint last_find_seeds_ = TimePoint::min(), leave_at_ = kNever;

  std::unique_ptr<Relation> relation_;
  std::unique_ptr<LocalCache> cache_;  // null on a router
  std::map<NodeId, Origin> origins_;
  std::map<HolderIndex, NodeId> holders_;  // those that answers may show
  std::set<NodeId> lagging_;               // origins that miss something
  TimePoint next_repair_ = kNever;         // when to look at them, at the latest
  Seq head_;                               // own last op
  OpLog op_log_;
  SnapshotDonor donor_;
  std::map<NodeId, std::map<NodeId, ReplayUnderWay>> replays_;  // by who asked, then by origin
  std::uint64_t next_session_, ops_applied_ = 0;
  Match match_;
  EntriesPageEnd entries_end_;

  Collection collection_;
  std::optional<GcView> surveyed_;  // what gc() answered last, but for what changes with every step
  TimePoint surveyed_at_{};
  Registrations registrations_;

  Router router_;
  std::uint64_t told_bookings_ = 0, bookings_beat_ = 0;  // their version; counts BOOKINGS
  TimePoint next_bookings_ = kNever, bookings_free_ = TimePoint::min();
  std::optional<Load> told_load_;
  std::uint64_t load_reports_ = 0;

  bool dirty_ = false;  // something changed since the last HEAD
  TimePoint next_head_, last_head_ = TimePoint::min(), next_heartbeat_, next_marker_ask_ = kNever,
                        next_join_, next_look_;  // at the members: silence, HELLOs, forgetting
  TimePoint next_forget_ = TimePoint::min(), next_outgrowing_ = TimePoint::min(),
            next_stranger_line_ = TimePoint::min();  // of the log
  Health health_;
  bool isolated_ = false;  // too many seem gone at once: the fault may be here, nobody is accused
  NewsQueue news_;
  std::map<NodeId, TimePoint> next_exchange_;
  bool view_changed_ = true, links_changed_ = true;
  TimePoint next_restitch_ = TimePoint::min();
  View view_;  // those that are alive or suspect
  std::uint64_t view_hash_ = 0, beat_ = 0;
  RingCheck ring_;

  std::map<NodeId, SubscribeTo> subscribed_;  // by upstream, as it was asked for
  std::map<NodeId, VectorEntry> barrier_;     // what must be applied before this node is ready
  std::optional<std::uint32_t> group_;        // to whose relayed lane this node listens
  std::set<NodeId> marked_;                   // upstreams whose marker arrived
  std::uint32_t vector_turn_ = 0;             // which part of a long vector is told next
  bool caught_up_ = false, ready_ = false;
  std::optional<TakenOver> taken_over_;  // nothing as long as it is not decided
  std::optional<OwnRecovery> recovery_;

  Outbox out_;
};

}  // namespace radixmesh
