// A simulated engine: a cache of blocks with LRU eviction, a queue of prompts that are computed in
// batches at a rate, and slots in which they are decoded. Times are seconds.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <unordered_map>
#include <vector>

#include "lib/oplog/message.h"
#include "tests/routing/workload.h"

namespace radixmesh::routing {

struct EngineSettings {
  double prefill_rate = 5'000;          // tokens/s
  double batch_overhead_s = 0.02;       // of every batch
  std::uint32_t batch_tokens = 8192;    // to be computed, in one batch; a longer prompt is alone
  std::uint32_t decode_slots = 64;      // requests that are decoded at once
  double step_s = 0.02;                 // per token decoded, alone
  double step_per_request_s = 0.0003;   // more with each other request
  std::uint64_t kv_tokens = 1'000'000;  // capacity
};

// A request on its way through the fleet.
struct Job {
  const Request* request = nullptr;
  std::size_t router = 0, node = 0;
  std::uint64_t ticket = 0;  // of the policy that sent it here
  double arrival_s = 0;
  double done_s = -1;            // when its first token came
  std::uint32_t hit_blocks = 0;  // when it came, then when its batch began
};

class Engine {
 public:
  explicit Engine(const EngineSettings& settings);

  void submit(Job* job);
  // Begins a batch if it can; when that will be done, or a negative number.
  double begin_batch(double now_s);
  // The batch is done: its jobs have their first token. Each occupies a slot until `ends_s`.
  struct Started {
    Job* job;
    double ends_s;
  };
  std::vector<Started> end_batch(double now_s);
  void finish(const Job& job);
  // The process died: what it had is returned, to be sent elsewhere.
  std::vector<Job*> die();
  bool idle() const { return batch_.empty(); }

  std::uint32_t cached_blocks(const std::vector<std::uint32_t>& blocks) const;
  Load load() const;
  double busy_s() const { return busy_s_; }
  // What the cache gained or lost: to be told to the index.
  std::function<void(std::uint32_t block, bool held)> on_change;

 private:
  struct Block {
    std::list<std::uint32_t>::iterator place;  // in recency_
    std::uint32_t users = 0;
  };

  bool make_room(std::size_t blocks);
  void touch(const std::vector<std::uint32_t>& blocks);
  void pin(const std::vector<std::uint32_t>& blocks, int change);

  EngineSettings settings_;
  std::size_t capacity_blocks_;
  std::deque<Job*> queue_;
  std::vector<Job*> batch_, running_;
  std::unordered_map<std::uint32_t, Block> cache_;
  std::list<std::uint32_t> recency_;  // oldest first; no block is older than one that follows it
  std::size_t pinned_ = 0;
  std::size_t queued_blocks_ = 0;  // to be computed: what was cached when each came is not counted
  double busy_s_ = 0;
};

}  // namespace radixmesh::routing
