// What nodes say to each other: ops (numbered facts) and control messages, as values. WIRE.md has
// their bytes; codec.h turns one into the other.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/booked_chunks.h"
#include "lib/base/cache_namespace.h"
#include "lib/base/founder.h"
#include "lib/base/gc_mode.h"
#include "lib/base/ids.h"
#include "lib/base/member_state.h"
#include "lib/base/promise.h"
#include "lib/base/role.h"
#include "lib/base/time.h"
#include "lib/tree/digest.h"
#include "lib/tree/entry_table.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// Encoded bytes: one frame or several, each with its length before it.
using Bytes = std::string;

// Types below 64 are ops and take a number; the others are control messages and take none.
enum class MessageType : std::uint8_t {
  insert = 1,
  remove = 2,  // DELETE
  reset = 3,
  gc_query = 4,
  gc_abort = 5,
  head = 64,
  marker = 65,
  hello = 66,
  welcome = 67,
  refused = 68,
  heartbeat = 69,
  heartbeat_ack = 70,
  replay_request = 71,
  replay = 72,
  snapshot_request = 73,
  snapshot_chunk = 74,
  snapshot_credit = 75,
  probe_request = 76,
  probe_report = 77,
  news = 78,
  tick = 79,
  tick_ack = 80,
  join = 81,
  joined = 82,
  bookings = 83,
  register_reader = 84,
  registered = 85,
  hold = 86,
  held = 87,
};
inline constexpr std::uint8_t kFirstControlType = 64;

// The range of wire protocol versions that this code speaks.
inline constexpr std::uint32_t kProtocolMin = 1, kProtocolMax = 1;

struct Envelope {
  std::uint8_t type = 0;
  NodeId origin;         // who says it: an op's owner, a control message's sender
  Epoch epoch;           // which life of it
  Seq seq;               // 0 in control messages
  std::uint8_t ttl = 0;  // hops that are left; only relaying topologies count it down

  bool is_op() const { return type < kFirstControlType; }
};

// ---- ops ---------------------------------------------------------------------------------------

struct InsertOp {
  Anchor anchor;
  CacheNamespace name;  // counts only where the anchor is the root
  std::vector<TokenId> tokens;
  SlotRuns slots;  // empty, or one per token
};
struct DeleteOp {
  std::vector<Anchor> first_pages;  // carried out in this order
};
struct ResetOp {};
// These pages and all below them are on their way out: who applied this grants no new reference.
struct GcQueryOp {
  std::vector<Anchor> first_pages;
};
// They stay after all.
struct GcAbortOp {
  std::vector<Anchor> first_pages;
};

// ---- control -----------------------------------------------------------------------------------

// How far one knows an origin.
struct VectorEntry {
  NodeId origin;
  Epoch epoch;
  Seq applied;
  friend bool operator==(const VectorEntry&, const VectorEntry&) = default;
};

// What an engine reports of itself.
struct Load {
  std::uint32_t running = 0, waiting = 0;      // requests
  std::optional<std::uint64_t> queued_tokens;  // prefill tokens that wait
  std::uint64_t kv_used = 0, kv_total = 0;     // tokens
  std::optional<std::uint64_t> prefill_rate;   // prompt tokens computed per second
  std::uint64_t report = 0;                    // counts those of this life: the same is a repeat
  friend bool operator==(const Load&, const Load&) = default;
};

// What someone says of a member. Later is what has the higher (epoch, refute); at equal ones a
// later MemberState. Only the member itself raises either number.
struct MemberNews {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  std::uint32_t refute = 0;
  MemberState state = MemberState::alive;
  bool removed = false;  // an operator said that it does not come back: it is to be forgotten
};

// The earlier life whose entries a node goes on with: all that the ops up to `seq` of it made.
// Epoch 0: with none, it began empty.
struct TakenOver {
  Epoch epoch;
  Seq seq;
  friend bool operator==(const TakenOver&, const TakenOver&) = default;
};

// A node's announcement of itself: it reveals a lost tail, and lets others compare digests.
struct HeadMessage {
  std::uint64_t beat = 0;  // counts HEADs of this life, so that a relay passes each on once
  Seq head;                // the sender's own last op
  Digest digest = 0;       // of the sender's entries as of `head`
  std::optional<Load> load;
  std::vector<VectorEntry> vector;  // what the sender has of the others; of many, a part in turn
  std::uint32_t refute = 0;
  std::string engine_token;             // as in Introduction
  std::optional<TakenOver> taken_over;  // nothing as long as it is not decided
  std::vector<MemberNews> news;
  bool ready = true;         // it may be chosen for work
  NodeRank rank = kAnyRank;  // its own; kAnyRank: it says nothing of it
  // Duplicates at the sender stay: its engine frees no single slots, and takes advice.
  bool keeps_duplicates = false;
  // How the sender stands: ops of all others that it misses and for how long, and how many members
  // it sees of those that it should.
  struct Stand {
    std::uint64_t behind_ops = 0;
    Duration behind{};
    std::uint32_t sees = 0, of = 0;
  };
  Stand standing;
};

// What the sender promised to nodes: all of it, so that one that is lost changes nothing for long.
struct BookingsMessage {
  std::uint64_t version = 0;  // of this life; the same again is a repetition
  std::vector<std::pair<NodeId, Promise>> promises;
  // Not all of it: what of prompts is booked at nodes and may be in no index yet.
  std::vector<BookedChunks> chunks;
};

// Published to one subscriber when its subscription arrives: from here on it misses nothing.
struct MarkerMessage {
  std::vector<VectorEntry> vector;  // of all, the sender included
};

// What a node believes of another: its latest life that was heard of, and the state of that.
struct Standing {
  Epoch epoch;
  std::uint32_t refute = 0;
  MemberState state = MemberState::alive;
};
// What a node still has of a life of another that ended, for the same engine to take it back.
struct Former {
  Epoch epoch;  // 0: nothing
  Seq seq;
  std::string engine_token;
  bool has_slots = false;
};

// HELLO and WELCOME are alike: who I am, where I am reached, and what must agree.
struct Introduction {
  std::uint32_t protocol_min = kProtocolMin, protocol_max = kProtocolMax;
  std::string cluster;
  std::uint32_t page_size = 0;
  std::uint64_t fingerprint = 0;  // of cluster and page size
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  std::string engine_token;  // empty: the engine has said nothing of itself
  std::string publish_addr, bulk_addr;
  std::uint32_t refute = 0;
  Standing seen;             // what the sender believes of the receiver
  Former former;             // what the sender keeps of an earlier life of the receiver
  Duration lease{};          // of references to what the sender has; 0: it grants none
  Duration earlier_lease{};  // of those that its earlier lives granted; 0: all have lapsed
  Duration former_lease{};   // the same of earlier lives of the receiver
  // How far the sender's own numbers are: whoever believes in higher ones was told wrongly.
  std::uint64_t beat = 0;      // of its HEADs
  Seq head;                    // of its ops
  std::uint64_t bookings = 0;  // of its BOOKINGS
  // ... and those of what it says to the receiver alone: REGISTER's two, and HOLD's rounds.
  std::uint64_t nonce = 0, stamp = 0, round = 0;
  std::uint64_t question = 0;  // counts HELLOs to the receiver; WELCOME repeats the one it answers
  std::optional<Founder> founder;  // of the mesh that it is in; nothing where it is in none
  bool ready = false;              // it may be chosen for work, as HEAD says later
  bool rank_given = false;         // by the sender's operator: it takes no other
  std::uint64_t pull_rate = 0;     // tokens/s of KV to it from other nodes, and from it; 0: none
};
struct HelloMessage : Introduction {};
struct WelcomeMessage : Introduction {};
struct RefusedMessage {
  std::string reason;
};

// What one has of an origin, with the digest of it.
struct DigestEntry {
  VectorEntry at;
  Digest digest = 0;
};
// The short heartbeat and its answer are alike.
struct Pulse {
  std::uint64_t beat = 0;
  std::uint64_t view_hash = 0;  // of the members that the sender believes alive or suspect
  Standing seen;                // what the sender believes of the receiver
  std::optional<Load> load;
  std::vector<DigestEntry> digests;  // the sender's own among them; of many, a part in turn
  std::vector<MemberNews> news;
};
struct HeartbeatMessage : Pulse {};
struct HeartbeatAckMessage : Pulse {};

// Asks for the ops [first, last] of an origin's epoch.
struct ReplayRequest {
  NodeId origin;
  Epoch epoch;
  Seq first, last;
};
enum class ReplayStatus : std::uint8_t {
  frames = 0,           // here they are, or as many as fit
  snapshot_needed = 1,  // the log begins after `first`
  unknown = 2,          // I do not know more than you do
};
struct ReplayMessage {
  NodeId origin;
  Epoch epoch;
  ReplayStatus status = ReplayStatus::frames;
  Bytes frames;
};

// Asks for an origin's entries, as the asker has (epoch, applied) or less.
struct SnapshotRequest {
  NodeId origin;
  Epoch epoch;
  Seq applied;
  std::uint64_t session = 0;  // the asker's number for this attempt
  bool wants_slots = false;
  // Where the asker is the origin: its earlier life, if this engine's. Else empty.
  std::string engine_token;
};
struct SnapshotEntry {
  Seq seq, parent;
  std::uint32_t begin = 0;
  std::uint32_t retired_from = Entry::kNotRetired;  // its pages after so many tokens are retiring
  InsertOp body;                                    // its anchor is not used: (parent, begin) is
};
enum class SnapshotStatus : std::uint8_t {
  more = 0,
  last = 1,    // the state is complete as of `as_of`
  cannot = 2,  // the sender has nothing newer, or cannot go on: ask again, or another
};
// A page that began to retire, or no longer does, since its entry was sent.
struct SnapshotMark {
  Anchor first;
  bool retiring = false;
};
// Carried out in this order: the removals, the marks, then the entries.
struct SnapshotChunk {
  NodeId origin;
  Epoch epoch;
  std::uint64_t session = 0;
  std::uint32_t index = 0;
  SnapshotStatus status = SnapshotStatus::more;
  Seq as_of;
  bool has_slots = false;
  std::vector<Anchor> removals;
  std::vector<SnapshotMark> marks;
  std::vector<SnapshotEntry> entries;
};
struct SnapshotCredit {
  NodeId origin;
  std::uint64_t session = 0;
  std::uint32_t received = 0;  // chunks
};

// "I do not hear `target`: do you?" Answered at once; where that was a no, and `target` is heard
// after all, again.
struct ProbeRequest {
  NodeId target;
};
struct ProbeReport {
  NodeId target;
  bool alive = false;
};

// Membership, pushed; whoever is asked to answers with its own.
struct NewsMessage {
  std::vector<MemberNews> news;
  bool wants_answer = false;
};

// The token that goes around the ring twice: the first round collects who was reached, the second
// tells everyone that everyone was.
struct Visit {
  NodeId node;
  Epoch epoch;
  std::uint32_t refute = 0;
  friend auto operator<=>(const Visit&, const Visit&) = default;
};
struct TickMessage {
  NodeId initiator;
  Epoch initiator_epoch;
  std::uint64_t nonce = 0;  // grows with every token of this initiator's life
  std::uint8_t round = 1;   // 1 or 2
  std::uint32_t hops_left = 0;
  std::vector<Visit> visited;   // a set; complete in round 2
  std::vector<NodeId> skipped;  // those that did not take the token
};
struct TickAckMessage {
  NodeId initiator;
  std::uint64_t nonce = 0;
  std::uint8_t round = 1;
};

// A node that is in nobody's lists asks to be let in. `rank` of the introduction is kAnyRank where
// one is to be handed out.
struct JoinMessage : Introduction {};
// It is let in, with this rank. NEWS with all members came before it.
struct JoinedMessage {
  NodeRank rank;              // kAnyRank: it is not let in
  std::uint32_t members = 0;  // alive, the sender among them and the asker not
  Founder founder;  // of the sender's mesh; of the one that it would begin where it is in none
};

// A reader's register at an owner whose mode is global_ref, for the pages up to `page`. Odd: it
// refers to them; even: no more. Versions of one registration grow.
struct ReaderRegister {
  Anchor page;
  std::uint64_t version = 0;
  friend bool operator==(const ReaderRegister&, const ReaderRegister&) = default;
};
// A reader to an owner: I want to refer to pages of yours, or still do. Replaces what was said with
// lower `stamp`s of this registration.
struct RegisterMessage {
  std::uint64_t nonce = 0;  // which registration of this life of the reader
  std::uint64_t stamp = 0;  // the reader's clock, in microseconds; grows with every message
  bool ends = false;        // it refers to nothing any more
  Epoch epoch;              // the owner's, as far as the reader has applied it:
  Seq applied;
  // Of what retires as of that, the reader refers to these pages, and no others; unless they are
  // too many to be named.
  bool complete = true;
  std::vector<Anchor> blocks;
  std::vector<ReaderRegister> registers;  // those of which it does not know that they arrived
};
// The owner's answer.
struct RegisteredMessage {
  std::uint64_t nonce = 0, stamp = 0;
  Seq position;  // to be applied before anything is referred to
  GcMode mode = GcMode::off;
  Duration lease{};  // counted from when the reader sent `stamp`
  // What the owner now has of the registers that were named; version 0: it has no such page.
  std::vector<ReaderRegister> registers;
};
// An owner to a better holder: keep your pages up to these, for so long at the most, while I let
// mine go. None: no longer.
struct HoldMessage {
  std::uint64_t round = 0;  // of this life of the owner
  Duration lease{};
  std::vector<Anchor> pages;  // the receiver's
};
// It keeps all but these.
struct HeldMessage {
  std::uint64_t round = 0;
  std::vector<Anchor> refused;
};

using Body =
    std::variant<InsertOp, DeleteOp, ResetOp, GcQueryOp, GcAbortOp, HeadMessage, MarkerMessage,
                 HelloMessage, WelcomeMessage, RefusedMessage, HeartbeatMessage,
                 HeartbeatAckMessage, ReplayRequest, ReplayMessage, SnapshotRequest, SnapshotChunk,
                 SnapshotCredit, ProbeRequest, ProbeReport, NewsMessage, TickMessage,
                 TickAckMessage, JoinMessage, JoinedMessage, BookingsMessage, RegisterMessage,
                 RegisteredMessage, HoldMessage, HeldMessage>;

// The type of each alternative of Body, in their order.
inline constexpr MessageType kBodyTypes[] = {MessageType::insert,
                                             MessageType::remove,
                                             MessageType::reset,
                                             MessageType::gc_query,
                                             MessageType::gc_abort,
                                             MessageType::head,
                                             MessageType::marker,
                                             MessageType::hello,
                                             MessageType::welcome,
                                             MessageType::refused,
                                             MessageType::heartbeat,
                                             MessageType::heartbeat_ack,
                                             MessageType::replay_request,
                                             MessageType::replay,
                                             MessageType::snapshot_request,
                                             MessageType::snapshot_chunk,
                                             MessageType::snapshot_credit,
                                             MessageType::probe_request,
                                             MessageType::probe_report,
                                             MessageType::news,
                                             MessageType::tick,
                                             MessageType::tick_ack,
                                             MessageType::join,
                                             MessageType::joined,
                                             MessageType::bookings,
                                             MessageType::register_reader,
                                             MessageType::registered,
                                             MessageType::hold,
                                             MessageType::held};
static_assert(std::size(kBodyTypes) == std::variant_size_v<Body>);
inline MessageType type_of(const Body& body) { return kBodyTypes[body.index()]; }

struct Message {
  Envelope envelope;
  Body body;
};

}  // namespace radixmesh
