// What comes out of a replica: effects, which the shell performs in their order. The simulator does
// the same with a network of its own.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "lib/base/ids.h"
#include "lib/base/member_state.h"
#include "lib/base/role.h"
#include "lib/oplog/message.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// Which of a peer's connections.
enum class Channel : std::uint8_t { control, bulk };

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
