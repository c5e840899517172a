// What goes into a replica: settings, and inputs that the shell makes of its sockets. What comes
// out is in oplog/effects.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/link.h"
#include "lib/base/ready_needs.h"
#include "lib/base/time.h"
#include "lib/base/timers.h"
#include "lib/gc/settings.h"
#include "lib/members/topology.h"
#include "lib/oplog/effects.h"
#include "lib/oplog/message.h"
#include "lib/routing/settings.h"

namespace radixmesh {

// ---- settings ----------------------------------------------------------------------------------

struct MemberSettings {
  std::string addr;
  Role role = Role::prefill;
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

// Nothing if the settings can be used, else the rule they break.
std::optional<std::string> check(const ReplicaSettings& settings);

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
