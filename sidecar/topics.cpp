#include "sidecar/topics.h"

namespace radixmesh {
namespace {

constexpr char kControl = 'C', kOps = 'S', kRelayed = 'R', kWatcher = 'W', kMarker = '\xFF';
constexpr std::size_t kGroupTopicBytes = 1 + 4, kNodeTopicBytes = 1 + 8;

std::string node_topic(char first, NodeId node) {
  std::string topic(1, first);
  put_u64(topic, node.value);
  return topic;
}

}  // namespace

void put_u64(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t get_u64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (char byte : bytes.substr(0, 8)) value = (value << 8) | static_cast<std::uint8_t>(byte);
  return value;
}

std::string topic_of(Lane lane, std::uint32_t group) {
  if (lane == Lane::control) return {kControl};
  if (lane == Lane::ops) return {kOps};
  std::string topic(1, kRelayed);
  for (int shift = 24; shift >= 0; shift -= 8) topic.push_back(static_cast<char>(group >> shift));
  return topic;
}

std::string marker_topic(NodeId subscriber) { return node_topic(kMarker, subscriber); }
std::string watcher_topic(NodeId subscriber) { return node_topic(kWatcher, subscriber); }

Topic read_topic(std::string_view topic) {
  if (topic.empty()) return {};
  const char first = topic[0];
  if (topic.size() == 1) return {first == kControl || first == kOps, false, {}};
  if (topic.size() == kGroupTopicBytes) return {first == kRelayed, false, {}};
  if (topic.size() != kNodeTopicBytes || (first != kMarker && first != kWatcher)) return {};
  return {true, first == kMarker, NodeId{get_u64(topic.substr(1))}};
}

}  // namespace radixmesh
