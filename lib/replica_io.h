// What goes into a replica and what comes out of it. The shell turns sockets into inputs and
// performs effects in their order; the simulator does the same with a network of its own.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/link.h"
#include "lib/base/ready_needs.h"
#include "lib/base/time.h"
#include "lib/gc/settings.h"
#include "lib/mesh/member.h"
#include "lib/mesh/topology.h"
#include "lib/oplog/message.h"
#include "lib/routing/settings.h"

namespace radixmesh {

// ---- settings ----------------------------------------------------------------------------------

struct MemberSettings {
  std::string addr;
  Role role = Role::prefill;
};

// How long the mesh waits for what.
struct Timers {
  Duration head_dirty = std::chrono::milliseconds(100);  // between HEADs while ops are published
  Duration head_idle = std::chrono::seconds(1);
  Duration heartbeat = std::chrono::milliseconds(500);  // to the neighbours in rank order
  Duration hello = std::chrono::milliseconds(500);      // to a member that is not introduced
  Duration hello_max = std::chrono::seconds(4);         // ... to one that is silent for long
  Duration marker = std::chrono::milliseconds(500);     // before a missing one is asked for again
  // Of any traffic; what happens before and after stands in mesh/suspicion.h.
  Duration suspect_after = std::chrono::seconds(3);
  // An upstream that lives but is not heard publishing: one more is subscribed to.
  Duration deaf_after = std::chrono::seconds(3);
  Duration tick = std::chrono::seconds(10);              // between tokens around the ring
  Duration tick_retry = std::chrono::milliseconds(250);  // ... while the ring is not verified
  Duration tick_hop = std::chrono::milliseconds(250);    // for a node to take the token
  // A standby relay that misses what an origin publishes passes it on itself, for so long.
  Duration takeover_for = std::chrono::seconds(5);
  // A configured member that was never heard of stops blocking `ready` after this.
  Duration unseen_wait = std::chrono::seconds(5);
  // Entries of one that is dead or left are dropped; one that had joined is forgotten wholly later.
  Duration forget_after = std::chrono::minutes(10);
  // ... by this, or when it was gone for as long as it had lived, but not before the other.
  Duration reap_after = std::chrono::hours(24), reap_after_min = std::chrono::minutes(10);
  // Before a node that nobody lets in begins a mesh, at the earliest.
  Duration join_wait = std::chrono::seconds(10);
  // ... and how long it waits beyond twice that for one with a lower address, which does not begin.
  Duration forget_lower = std::chrono::seconds(10);
  // Between two look-ups of whom to ask: of one that knows nobody, and of one in a mesh with
  // others.
  Duration find_seeds = std::chrono::seconds(5), find_others = std::chrono::seconds(15);
  // Every member is asked directly what it says of itself, whatever is heard of it: so long at most
  // does a wrong word of others stand.
  Duration audit = std::chrono::seconds(20);
  Duration view_exchange = std::chrono::seconds(1);  // between two with the same peer
  // A new life's wait for its former state, once its engine has said who it is; and how long others
  // keep that state for it, hidden.
  Duration recover_wait = std::chrono::seconds(2);
  Duration former_kept = std::chrono::seconds(60);
  Duration drain_wait = std::chrono::seconds(5);  // for locks to be released before leaving
  Duration repair_grace = std::chrono::milliseconds(20);
  Duration repair_pause_min = std::chrono::milliseconds(50);
  Duration repair_pause_max = std::chrono::seconds(1);
  Duration snapshot_silence = std::chrono::seconds(2);  // then the donor is given up
  Duration donor_idle = std::chrono::seconds(10);       // then the receiver is
};

struct ReplicaSettings {
  std::string cluster = "default";
  std::uint32_t page_size = 1;
  std::vector<MemberSettings> members;  // in rank order; empty for one that joins
  std::string self;                     // its local_cache_addr: one of theirs, or one that joins
  std::vector<std::string> join;        // whom to ask to be let in; then `members` is empty,
  Role role = Role::prefill;            // and these two count
  NodeRank rank = kAnyRank;
  std::uint32_t protocol_min = kProtocolMin, protocol_max = kProtocolMax;
  Topology topology = Topology::mesh;
  ReadyNeeds ready_needs = ReadyNeeds::majority;
  std::uint64_t max_radix_cache_size = 0;  // tokens; 0: no bound
  bool keep_remote_slots = true;
  Epoch epoch;                          // this life's: the start in microseconds since 1970
  std::string publish_addr, bulk_addr;  // where this node's PUB and bulk ROUTER are bound
  std::uint64_t seed = 1;               // of session numbers
  std::size_t own_log_bytes_max = 0, other_log_bytes_max = 0;  // 0: as limits.h says
  std::size_t pieces_per_turn_max = 0;                         // likewise: edges, entries
  Timers timers;
  RoutingSettings routing;
  GcSettings gc;
};

// ---- inputs ------------------------------------------------------------------------------------

enum class Channel : std::uint8_t { control, bulk };

// One message of an upstream's PUB socket: frames.
struct Published {
  std::string_view payload;
};
// One message of a peer: a question, if its DEALER sent it to our ROUTER, or an answer, if its
// ROUTER sent it to our DEALER. `from` is what the connection says of itself; the frames must
// confirm it.
struct Received {
  NodeId from;
  Channel channel = Channel::control;
  bool is_answer = false;
  std::string_view payload;
};
// A subscriber's marker topic arrived at our XPUB: from now on it gets all we publish.
struct Subscribed {
  NodeId subscriber;
};
// One of the connections to a peer came up, or what is wrong with it is something else now.
struct LinkReport {
  LinkKey link;
  LinkTrouble trouble = LinkTrouble::none;
};
// What `seed`, one of ReplicaSettings::join, stands for now: each "number:port". None: it does not
// resolve.
struct SeedsFound {
  std::string seed;
  std::vector<std::string> addresses;
  std::vector<std::string> here;  // those of them that are this machine's
  bool is_known = true;           // where there is none: nobody has the name, as a server said
};
// A connection to `peer` leads to this very process.
struct OwnEcho {
  NodeId peer;
};
// Only time has passed.
struct Tick {};
using Input = std::variant<Published, Received, Subscribed, LinkReport, SeedsFound, OwnEcho, Tick>;

// What one message brought about, beside what it changed.
struct OfMessage {
  std::size_t answers = 0, questions = 0;
};

// ---- effects -----------------------------------------------------------------------------------

// What is passed on into a group has a lane of its own, to which only the group listens.
enum class Lane : std::uint8_t { control, ops, relayed };

// Publish to all subscribers of the lane. Frames of one lane may share a message, in their order.
struct Publish {
  Lane lane = Lane::ops;
  Bytes frame;
  std::uint32_t group = 0;  // whose relayed lane
};
// Listen to the relayed lane of this group, and of no other.
struct ListenToGroup {
  std::uint32_t group = 0;
};
// Publish on one subscriber's marker topic.
struct PublishMarker {
  NodeId subscriber;
  Bytes frame;
};
// To a peer's ROUTER through our DEALER: a question. Dropped if the peer is not connected.
struct Ask {
  NodeId peer;
  Channel channel = Channel::control;
  Bytes frame;
};
// To a peer's DEALER through our ROUTER: an answer. Dropped if the peer is gone.
struct Answer {
  NodeId peer;
  Channel channel = Channel::control;
  Bytes frame;
};
// Subscribe to a node's PUB at `publish_addr`; or no longer.
struct SubscribeTo {
  NodeId peer;
  std::string publish_addr;
  bool watch_only = false;  // its control lane alone
};
struct UnsubscribeFrom {
  NodeId peer;
};
// Subscribe to this node's marker topic once more: a marker was lost. All upstreams send theirs
// again.
struct AskMarkers {};
// A node to talk to, at its local_cache_addr (or, for one that is asked to let us in, wherever it
// was said to be); or no longer.
struct ConnectPeer {
  NodeId peer;
  std::string addr;
};
struct DropPeer {
  NodeId peer;
};
// What the seeds stand for is to be looked up, and told by SeedsFound.
struct FindSeeds {};
// Whoever answers at a peer's address is not it, or nobody does: its name may stand for another
// place by now, or for several.
struct Redial {
  NodeId peer;
};
// Where a peer's bulk ROUTER is; an earlier connection to another place is closed.
struct BulkPeer {
  NodeId peer;
  std::string bulk_addr;
};
// For clients that subscribed to events.
struct OpApplied {
  std::string origin;
  Epoch epoch;
  Seq seq;
  MessageType type = MessageType::insert;
  std::uint64_t tokens = 0;  // added or removed
};
struct MembershipChanged {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  MemberState state = MemberState::dead;
};
// To the engine: these slots are nobody's any more, free them and acknowledge `number`. Or, as
// advice, which slots hold duplicates; then nothing is to be acknowledged.
struct GcFree {
  std::uint64_t number = 0;
  SlotRuns slots;
  bool advice = false;
  // As of when; see KnownState.
  Epoch epoch;
  Seq seq;
};
// This node has left the mesh: the process may end, once what it owes is sent.
struct Left {};
// One line for the log.
struct LogLine {
  enum class Level : std::uint8_t { info, warning, error } level = Level::info;
  std::string event;   // a short name
  std::string detail;  // key=value ...
};

using Effect = std::variant<Publish, PublishMarker, Ask, Answer, SubscribeTo, UnsubscribeFrom,
                            AskMarkers, ListenToGroup, ConnectPeer, DropPeer, FindSeeds, Redial,
                            BulkPeer, OpApplied, MembershipChanged, GcFree, Left, LogLine>;

}  // namespace radixmesh
