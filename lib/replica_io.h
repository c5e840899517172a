// What goes into a replica: settings, and inputs that the shell makes of its sockets. What comes
// out is in oplog/effects.h.
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
#include "lib/oplog/effects.h"
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

}  // namespace radixmesh
