#include "cli/json.h"

#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace radixmesh::cli {
namespace {

// Answers are at most 8 deep (PROTOCOL.md). A bound, because what answers may be no sidecar.
constexpr int kDepthMax = 32;

Json bytes_to_json(const char* data, std::uint32_t size) {
  Json out = Json::array();
  for (std::uint32_t i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(data[i]));
  return out;
}

std::string key_of(const Json& key) {
  return key.is_string() ? key.get<std::string>() : one_line(key);
}

Json convert(const msgpack::object& value, int depth) {
  using Kind = msgpack::type::object_type;
  if (depth > kDepthMax) throw std::runtime_error("the answer is nested too deep");
  switch (value.type) {
    case Kind::NIL:
      return nullptr;
    case Kind::BOOLEAN:
      return value.via.boolean;
    case Kind::POSITIVE_INTEGER:
      return value.via.u64;
    case Kind::NEGATIVE_INTEGER:
      return value.via.i64;
    case Kind::FLOAT32:
    case Kind::FLOAT64:
      return value.via.f64;
    case Kind::STR:
      return std::string(value.via.str.ptr, value.via.str.size);
    case Kind::BIN:
      return bytes_to_json(value.via.bin.ptr, value.via.bin.size);
    case Kind::EXT:
      return bytes_to_json(value.via.ext.data(), value.via.ext.size);
    case Kind::ARRAY: {
      Json out = Json::array();
      for (std::uint32_t i = 0; i < value.via.array.size; ++i) {
        out.push_back(convert(value.via.array.ptr[i], depth + 1));
      }
      return out;
    }
    case Kind::MAP: {
      Json out = Json::object();
      for (std::uint32_t i = 0; i < value.via.map.size; ++i) {
        const auto& [key, item] = value.via.map.ptr[i];
        out[key_of(convert(key, depth + 1))] = convert(item, depth + 1);
      }
      return out;
    }
  }
  return nullptr;
}

Json runs_to_json(const SlotRuns& slots) {
  Json out = Json::array();
  for (const SlotRun& run : slots.runs()) out.push_back({run.start.value, run.count});
  return out;
}

Json target_to_json(const std::optional<ipc::RouteTarget>& target) {
  if (!target) return nullptr;
  return {{"addr", target->addr}, {"rank", target->rank}, {"depth", target->depth}};
}

Json source_to_json(const std::optional<ipc::RouteSource>& source) {
  if (!source) return nullptr;
  return {{"addr", source->addr}, {"depth", source->depth}, {"tokens", source->tokens}};
}

}  // namespace

Json to_json(const ipc::Answer& answer) { return convert(answer.get(), 1); }

Json to_json(const ipc::MatchResult& match) {
  Json depths = Json::object(), segments = Json::array();
  for (const auto& [addr, tokens] : match.depths) depths[addr] = tokens;
  for (const ipc::Segment& segment : match.segments) {
    segments.push_back({segment.begin, segment.end, segment.addr,
                        segment.slots ? runs_to_json(*segment.slots) : Json(nullptr)});
  }
  return {{"length", match.length},
          {"local_length", match.local_length},
          {"local_slots", runs_to_json(match.local_slots)},
          {"depths", std::move(depths)},
          {"segments", std::move(segments)}};
}

Json to_json(const ipc::RouteResult& route) {
  return {{"prefill", target_to_json(route.prefill)},
          {"decode", target_to_json(route.decode)},
          {"source", source_to_json(route.source)},
          {"reason", route.reason},
          {"booking", route.booking ? Json(*route.booking) : Json(nullptr)}};
}

std::string one_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& field(const Json& map, const char* name) {
  static const Json kNone;
  if (!map.is_object()) return kNone;
  const auto found = map.find(name);
  return found == map.end() ? kNone : *found;
}

}  // namespace radixmesh::cli
