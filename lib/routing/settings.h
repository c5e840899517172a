// What an operator may say about routing; the defaults, and how they come about.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/time.h"
#include "lib/routing/cost.h"

namespace radixmesh {

enum class RoutingPolicy : std::uint8_t { prefix_first, cost };
std::string_view policy_name(RoutingPolicy policy);

struct RoutingSettings {
  RoutingPolicy policy = RoutingPolicy::cost;
  // Prompt tokens a second that a node computes, as long as no engine reported its rate and none
  // was seen working: about what a model of 70 billion parameters does on four H100.
  double prefill_rate = 10'000;
  // Its KV (320 KiB a token) goes through a link of 400 Gbit/s at 150,000 tokens a second, and is
  // read by a decode step from 3.35 TB/s of memory at 10 million.
  CostWeights weights;
  // Tokens of KV a second that this node's engine reads from another's memory, and gives out of its
  // own; 0: it cannot.
  std::uint64_t pull_rate = 0;
  // What it takes to send a request on to another node, in seconds.
  double redirect_cost = 0.01;
  std::uint32_t redirect_hops_max = 3;
  // As long as not so many requests were routed, or so much time has passed: the hash decides. 0:
  // from the beginning nothing of that.
  std::uint32_t warm_up_requests = 0;
  Duration warm_up{};
  // A booking whose end nobody reports is dropped after this; its prompt counts as computed
  // earlier, when it should long have been.
  Duration booking_expires = std::chrono::minutes(5);
  // A routed prompt counts as held by the chosen nodes until its booking ends, and for once to
  // twice this after.
  Duration speculation = std::chrono::seconds(5);
};

}  // namespace radixmesh
