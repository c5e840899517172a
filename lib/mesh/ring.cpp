#include "lib/mesh/ring.h"

#include <utility>
#include <vector>

namespace radixmesh {

void Ring::refresh_view(TimePoint now) {
  if (!roster_.refresh_view() || !takes_part()) return;
  std::vector<Visit> ring;
  for (const Place& place : roster_.view().places) {
    const Member& member = roster_.at(place.node);
    ring.push_back({place.node, member.epoch, member.refute});
  }
  check_.set_view(now, std::move(ring));
}

void Ring::run(TimePoint now) {
  refresh_view(now);
  if (!takes_part() || now < check_.due()) return;
  const bool was_open = !check_.open_at().empty();
  send(check_.step(now));
  if (!was_open && !check_.open_at().empty()) out_.count("ring_openings");
}

void Ring::on_tick(TimePoint now, NodeId from, const TickMessage& tick) {
  post_.answer(from, Channel::control, TickAckMessage{tick.initiator, tick.nonce, tick.round});
  refresh_view(now);
  send(check_.on_tick(now, tick));
}

void Ring::send(RingCheck::Sends sends) {
  for (RingCheck::Outgoing& each : sends) {
    post_.ask(each.to, Channel::control, std::move(each.tick));
  }
}

}  // namespace radixmesh
