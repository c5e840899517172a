#include "sidecar/frame_counts.h"

#include <algorithm>

#include "lib/oplog/codec.h"

namespace radixmesh {
namespace {

constexpr Duration kLineEvery = std::chrono::seconds(1);

// As WIRE.md names them.
struct TypeName {
  MessageType type;
  std::string_view name;
};
constexpr TypeName kTypeNames[] = {{MessageType::insert, "INSERT"},
                                   {MessageType::remove, "DELETE"},
                                   {MessageType::reset, "RESET"},
                                   {MessageType::gc_query, "GC_QUERY"},
                                   {MessageType::gc_abort, "GC_ABORT"},
                                   {MessageType::head, "HEAD"},
                                   {MessageType::marker, "MARKER"},
                                   {MessageType::hello, "HELLO"},
                                   {MessageType::welcome, "WELCOME"},
                                   {MessageType::refused, "REFUSED"},
                                   {MessageType::heartbeat, "HEARTBEAT"},
                                   {MessageType::heartbeat_ack, "HEARTBEAT_ACK"},
                                   {MessageType::replay_request, "REPLAY_REQUEST"},
                                   {MessageType::replay, "REPLAY"},
                                   {MessageType::snapshot_request, "SNAPSHOT_REQUEST"},
                                   {MessageType::snapshot_chunk, "SNAPSHOT_CHUNK"},
                                   {MessageType::snapshot_credit, "SNAPSHOT_CREDIT"},
                                   {MessageType::probe_request, "PROBE_REQUEST"},
                                   {MessageType::probe_report, "PROBE_REPORT"},
                                   {MessageType::news, "NEWS"},
                                   {MessageType::tick, "TICK"},
                                   {MessageType::tick_ack, "TICK_ACK"},
                                   {MessageType::join, "JOIN"},
                                   {MessageType::joined, "JOINED"},
                                   {MessageType::bookings, "BOOKINGS"},
                                   {MessageType::register_reader, "REGISTER"},
                                   {MessageType::registered, "REGISTERED"},
                                   {MessageType::hold, "HOLD"},
                                   {MessageType::held, "HELD"}};

std::string name_of(std::size_t type) {
  const auto found = std::ranges::find(
      kTypeNames, type, [](const TypeName& each) { return static_cast<std::size_t>(each.type); });
  return found == std::end(kTypeNames) ? "TYPE_" + std::to_string(type) : std::string(found->name);
}

}  // namespace

void FrameCounts::count(Counts& counts, std::string_view payload) {
  while (!payload.empty()) {
    const auto frame = take_frame(payload);
    const auto envelope = frame ? decode_envelope(*frame) : tl::unexpected(frame.error());
    ++counts[envelope ? static_cast<std::size_t>(envelope->type) : kMalformed];
    if (!frame) return;
  }
}

void FrameCounts::came(const Input& input) {
  if (const auto* published = std::get_if<Published>(&input)) count(in_, published->payload);
  if (const auto* received = std::get_if<Received>(&input)) count(in_, received->payload);
}

void FrameCounts::went(const Effect& effect) {
  if (const auto* publish = std::get_if<Publish>(&effect)) count(out_, publish->frame);
  if (const auto* marker = std::get_if<PublishMarker>(&effect)) count(out_, marker->frame);
  if (const auto* question = std::get_if<Ask>(&effect)) count(out_, question->frame);
  if (const auto* reply = std::get_if<Answer>(&effect)) count(out_, reply->frame);
}

std::string FrameCounts::text(const Counts& counts) {
  std::string out;
  for (std::size_t type = 0; type < counts.size(); ++type) {
    if (counts[type] == 0) continue;
    if (!out.empty()) out += ", ";
    out += (type == kMalformed ? "malformed" : name_of(type)) + " " + std::to_string(counts[type]);
  }
  return out;
}

std::string FrameCounts::take_line(TimePoint now) {
  if (since_ != TimePoint::min() && now - since_ < kLineEvery) return {};
  since_ = now;
  const std::string in = text(in_), out = text(out_);
  in_.fill(0);
  out_.fill(0);
  if (in.empty() && out.empty()) return {};
  return "in=\"" + in + "\" out=\"" + out + "\"";
}

}  // namespace radixmesh
