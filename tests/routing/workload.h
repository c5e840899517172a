// What a simulated fleet is asked to do: requests with their arrival times, from a trace or made
// here, sped up so that the fleet has a stated share of the work that it can do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace radixmesh::routing {

inline constexpr std::uint32_t kBlockTokens = 512;  // of one hash id

struct Request {
  double arrival_s = 0;
  std::vector<std::uint32_t>
      blocks;  // equal ids mean equal tokens, and an equal prefix before them
  std::uint32_t output_tokens = 0;
};

struct Workload {
  std::string name;
  std::vector<Request> requests;              // in order of arrival
  std::uint64_t input_tokens = 0;             // whole blocks
  std::uint64_t distinct_tokens = 0;          // what even a cache without bounds has to compute
  double span_s = 0;                          // from the first arrival to the last
  double rush_begins_s = 0, rush_ends_s = 0;  // see with_rush(); 0: there is none

  double best_hit_rate() const {
    return 1 - static_cast<double>(distinct_tokens) / static_cast<double>(input_tokens);
  }
};

// Puts requests in order, the first at 0, and counts.
void settle(Workload& workload);

// A file in the Mooncake format; a later part of it is left out with `requests_max` (0: none).
// Throws std::runtime_error that names the line.
Workload read_workload(const std::string& path, std::size_t requests_max);

// A request trace of agents: tenants with shared prompts of unequal popularity, sessions that grow,
// bursts that fan out. The same for the same seed.
Workload make_agentic(std::uint64_t seed, std::size_t requests);

// Conversations of people: all prompts share their first block, most have no more in common, sizes
// are spread widely, and arrivals are stamped every 3 s, up to 28 at once.
Workload make_conversations(std::uint64_t seed, std::size_t requests);

// Documents that are asked about again and again, and short prompts that have nothing in common.
Workload make_synthetic(std::uint64_t seed, std::size_t requests);

// One of these three by its name; nothing where it is none.
std::optional<Workload> make_workload(const std::string& name, std::uint64_t seed,
                                      std::size_t requests);

// As much of it that the tokens that must be computed, whatever is cached, are `load` of what
// `nodes` compute at `rate` tokens a second: copies of the trace with tokens of their own, as a
// larger fleet serves more tenants, and at most half as fast again or two thirds as fast as it was.
Workload at_load(const Workload& workload, double load, std::uint32_t nodes, double rate);

// From the middle on requests come `factor` times as fast for `seconds`, and then as before.
Workload with_rush(Workload workload, double factor, double seconds);

// So many of the requests, whole sessions, begin with the same new `blocks`.
Workload with_common_prompt(Workload workload, double share, std::uint32_t blocks);

}  // namespace radixmesh::routing
