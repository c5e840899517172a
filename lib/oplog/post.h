// How the parts of a replica speak to other nodes: control messages under this node's identity and
// present epoch, as effects in the outbox. While one message is read, what it may bring about is
// bounded; see Outbox.
#pragma once

#include <cstdint>
#include <utility>

#include "lib/members/roster.h"
#include "lib/oplog/codec.h"
#include "lib/oplog/outbox.h"

namespace radixmesh {

class Post {
 public:
  // Sessions are numbered from `first_session` on.
  Post(const Roster& roster, Outbox& out, std::uint64_t first_session)
      : roster_(roster), out_(out), next_session_(first_session) {}
  Post(const Post&) = delete;

  // To one peer: a question through our DEALER, or an answer through our ROUTER. Dropped where it
  // is not connected, or the bound is reached.
  void ask(NodeId peer, Channel channel, Body body);
  void answer(NodeId peer, Channel channel, Body body);
  // To all who listen to the control lane.
  void publish(Body body) { out_.owe(Publish{Lane::control, frame(std::move(body))}); }
  // A control message of this node's, encoded.
  Bytes frame(Body body) const;
  // A number that no other session of this node's has.
  std::uint64_t next_session() { return next_session_++; }

 private:
  const Roster& roster_;
  Outbox& out_;
  std::uint64_t next_session_;
};

}  // namespace radixmesh
