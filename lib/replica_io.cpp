#include "lib/replica_io.h"

#include <set>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// Rules for what --join asks for; the others are those of the lists.
std::optional<std::string> check_joining(const ReplicaSettings& settings) {
  if (!settings.members.empty()) return "who joins has empty node lists: they are learnt";
  if (settings.self.empty() || settings.self.size() > limits::address_bytes_max) {
    return "local_cache_addr is empty or too long: \"" + settings.self + "\"";
  }
  return std::nullopt;
}

std::optional<std::string> check_lists(const ReplicaSettings& settings) {
  if (settings.members.empty()) return "there is no member";
  if (settings.members.size() > limits::members_max) {
    return "more than " + std::to_string(limits::members_max) + " members";
  }
  std::set<std::string> seen;
  for (const MemberSettings& member : settings.members) {
    if (member.addr.empty() || member.addr.size() > limits::address_bytes_max) {
      return "an address is empty or too long: \"" + member.addr + "\"";
    }
    if (!seen.insert(member.addr).second) return member.addr + " stands in the lists twice";
  }
  if (!seen.contains(settings.self)) {
    return "local_cache_addr " + settings.self + " stands in none of the lists";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check(const ReplicaSettings& settings) {
  if (settings.page_size < 1 || settings.page_size > limits::page_tokens_max) {
    return "page_size must be from 1 to " + std::to_string(limits::page_tokens_max);
  }
  if (settings.cluster.size() > limits::cluster_bytes_max) return "the cluster's name is too long";
  if (settings.epoch.value == 0) return "the epoch must be above 0";
  return settings.join.empty() ? check_lists(settings) : check_joining(settings);
}

}  // namespace radixmesh
