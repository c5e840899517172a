#include "lib/oplog/post.h"

namespace radixmesh {

void Post::ask(NodeId peer, Channel channel, Body body) {
  if (!out_.may_ask(roster_.size())) return;
  out_.owe(Ask{peer, channel, frame(std::move(body))});
}

void Post::answer(NodeId peer, Channel channel, Body body) {
  if (!out_.may_answer()) return;
  out_.owe(Answer{peer, channel, frame(std::move(body))});
}

Bytes Post::frame(Body body) const {
  const auto type = static_cast<std::uint8_t>(type_of(body));
  const Member& self = roster_.self();
  return encode(Message{Envelope{type, self.id, self.epoch, {}, roster_.ttl()}, std::move(body)});
}

}  // namespace radixmesh
