#include "tests/sim/flood.h"

#include "lib/base/limits.h"
#include "lib/base/node_id.h"
#include "lib/oplog/codec.h"

namespace radixmesh::sim {

Body Flood::question(std::size_t from, std::size_t to) {
  const std::string& about = network_.addr(random_() % network_.size());
  const NodeId origin = node_id(cluster_, about);
  const auto vector = network_.replica(to).status().vector;
  const auto known = vector.find(about);
  const VectorView at = known == vector.end() ? VectorView{Epoch{1}, Seq{}} : known->second;
  switch (random_() % 5) {
    case 0:
      return ReplayRequest{origin, at.epoch, Seq{1},
                           Seq{std::min(at.seq.value + 1, limits::count_max)}};
    case 1:
      return SnapshotRequest{origin, at.epoch, Seq{}, random_() >> 2, true, ""};
    case 2:
      return ProbeRequest{origin};
    case 3:
      return NewsMessage{{}, true};
    default: {
      const Member& self = network_.replica(from).self();
      return NewsMessage{{{self.addr, self.rank, self.role, self.epoch, self.refute, self.state}},
                         true};
    }
  }
}

void Flood::flood() {
  const std::size_t from = random_() % network_.size(), to = random_() % network_.size();
  if (from == to || !network_.running(from) || !network_.running(to)) return;
  const Member& self = network_.replica(from).self();
  Bytes payload;
  // Sometimes about many things, sometimes always about the same.
  const bool changes = random_() % 2 == 0;
  Body body = question(from, to);
  while (payload.size() + limits::message_bytes_max / 64 < limits::message_bytes_max) {
    const auto type = static_cast<std::uint8_t>(type_of(body));
    encode(Message{Envelope{type, self.id, self.epoch, Seq{}, 1}, body}, payload);
    if (changes && random_() % 64 == 0) body = question(from, to);
  }
  network_.arrive(to, Received{self.id, Channel::control, false, payload});
}

}  // namespace radixmesh::sim
