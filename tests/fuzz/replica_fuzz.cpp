// Fuzzes a whole small mesh: forged messages, with checks that hold, come between honest ones; then
// the forgers are gone, and the mesh must get well (tests/fuzz/mesh_trial.h).
//
// The input's first byte: bit 0 the topology, bits 1-2 how duplicates are collected, bit 3 whether
// the engines free single slots. Then records [kind, route, length, payload]. Of `route` bits 0-1
// say who speaks (p0, p1, d0, a stranger), bits 2-3 to whom, bits 4-5 on which way; for a raw frame
// bit 6 whether on the bulk socket. `kind`:
//   0      a raw frame: the payload is what lies after its length, the check is repaired
//   1 to 3 a plausible message: [type, then pairs: which number of it, what it is instead]
//   4      time: each byte a fiftieth of a second
//   5      the engine's verbs: pairs [verb, argument]
//   6      the same message to all
#include "tests/fuzz/forged_frame.h"
#include "tests/fuzz/mesh_trial.h"

namespace radixmesh {
namespace {

constexpr int kRecordsMax = 24;

struct Record {
  std::uint8_t kind, route;
  std::string_view payload;

  std::uint8_t at(std::size_t i) const { return static_cast<std::uint8_t>(payload[i]); }
  std::size_t from() const { return route & 3; }
  std::size_t to() const { return (route >> 2 & 3) % MeshTrial::kNodes; }
  MeshTrial::Way way() const { return static_cast<MeshTrial::Way>((route >> 4 & 3) % 3); }
};

// What a number may be instead: at the bounds of lib/base/limits.h, the mesh's own, and near them.
std::uint64_t instead(std::uint8_t choice, const Speaker& from, const Speaker& to) {
  const std::uint64_t numbers[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   5,
                                   64,
                                   1000,
                                   limits::rank_max - 1,
                                   limits::rank_max,
                                   0xFFFFFFFF,
                                   limits::lease_us_max,
                                   limits::epoch_max - 1,
                                   limits::epoch_max,
                                   limits::epoch_max + 1,
                                   limits::count_max - 1,
                                   limits::count_max,
                                   ~std::uint64_t{0},
                                   from.epoch.value - 1,
                                   from.epoch.value,
                                   from.epoch.value + 1,
                                   from.epoch.value + 1'000'000,
                                   to.epoch.value - 1,
                                   to.epoch.value,
                                   to.epoch.value + 1,
                                   to.epoch.value + 1'000'000,
                                   from.head.value + 1,
                                   from.head.value + 2,
                                   to.head.value + 1,
                                   to.head.value + 100'000,
                                   from.id().value,
                                   to.id().value,
                                   MeshTrial::stranger().value};
  return numbers[choice % std::size(numbers)];
}

void say(MeshTrial& trial, const Record& record, std::size_t to_node) {
  const bool is_stranger = record.from() >= MeshTrial::kNodes;
  Speaker from = trial.speaker(is_stranger ? 0 : record.from());
  const Speaker to = trial.speaker(to_node);
  if (is_stranger) from.addr = "stranger";
  if (record.kind % 7 == 0) {
    const Channel channel = (record.route & 64) != 0 ? Channel::bulk : Channel::control;
    trial.take(from.id(), to_node, record.way(), channel, RepairedFrame::of(record.payload));
    return;
  }
  if (record.payload.empty()) return;
  const std::size_t type = record.at(0) % Plausible::kTypes;
  Bytes frame = Plausible(from, to).frame(type);
  for (std::size_t i = 1; i + 1 < record.payload.size(); i += 2) {
    frame = with_number(frame, record.at(i), instead(record.at(i + 1), from, to));
  }
  const bool is_bulk = kBodyTypes[type] >= MessageType::replay_request &&
                       kBodyTypes[type] <= MessageType::snapshot_credit;
  trial.take(from.id(), to_node, record.way(), is_bulk ? Channel::bulk : Channel::control, frame);
}

void carry_out(MeshTrial& trial, const Record& record) {
  switch (record.kind % 7) {
    case 4:
      for (std::size_t i = 0; i < record.payload.size(); ++i) {
        trial.pass(std::chrono::milliseconds(20) * record.at(i));
      }
      break;
    case 5:
      for (std::size_t i = 0; i + 1 < record.payload.size(); i += 2) {
        trial.call(record.to(), record.at(i), record.at(i + 1));
      }
      break;
    case 6:
      for (std::size_t node = 0; node < MeshTrial::kNodes; ++node) {
        if (node != record.from()) say(trial, record, node);
      }
      break;
    default:
      say(trial, record, record.to());
  }
}

}  // namespace
}  // namespace radixmesh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace radixmesh;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  MeshTrial trial((input[0] & 1) != 0 ? Topology::ring : Topology::mesh,
                  static_cast<GcMode>((input[0] >> 1 & 3) % 3), (input[0] & 8) != 0);
  input.remove_prefix(1);
  for (int records = 0; input.size() >= 3 && records < kRecordsMax; ++records) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(input[at]); };
    const Record record{byte(0), byte(1), input.substr(3, byte(2))};
    carry_out(trial, record);
    input.remove_prefix(3 + record.payload.size());
  }
  trial.finish();
  return 0;
}
