// A request on its way through the fleet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/routing/workload.h"

namespace radixmesh::routing {

struct Job {
  const Request* request = nullptr;
  std::size_t router = 0, node = 0;
  std::optional<std::size_t> decode;  // where prefill and decode are apart
  std::uint64_t ticket = 0;           // of the policy that sent it here
  double arrival_s = 0;
  double done_s = -1;                 // when its first token came
  double ends_s = 0;                  // when it is decoded
  double ready_s = 0;                 // when the KV that comes from elsewhere is here
  std::uint32_t pulled_blocks = 0;    // so far from the first it is, or was when it was sent
  std::uint32_t hit_blocks = 0;       // when it came, then when its first batch began
  std::uint32_t computed_blocks = 0;  // with those that were hit
  bool begun = false;                 // its blocks are pinned
  bool cancelled = false;             // nobody waits for it any more
  bool leaks = false;                 // its router is never told what becomes of it
  // In a closed loop: it is sent when it is due and what came before it has ended.
  bool due = false, waits = false, sent = false;
  std::vector<std::size_t> next;
};

// One for each request, in order; nothing is sent yet.
inline std::vector<Job> jobs_of(const Workload& workload) {
  std::vector<Job> jobs(workload.requests.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].request = &workload.requests[i];
    jobs[i].arrival_s = workload.requests[i].arrival_s;
  }
  return jobs;
}

}  // namespace radixmesh::routing
