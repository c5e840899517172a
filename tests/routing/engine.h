// A simulated engine: a cache of blocks, a queue of prompts that are computed in batches at a rate,
// and slots in which they are decoded. Times are seconds.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "lib/oplog/message.h"
#include "tests/routing/block_cache.h"
#include "tests/routing/job.h"

namespace radixmesh::routing {

struct EngineSettings {
  double prefill_rate = 5'000;          // tokens/s
  double batch_overhead_s = 0.02;       // of every batch
  std::uint32_t batch_tokens = 8192;    // to be computed, in one batch; a longer prompt is alone
  std::uint32_t decode_slots = 64;      // requests that are decoded at once
  double step_s = 0.02;                 // per token decoded, alone
  double step_per_request_s = 0.0003;   // more with each other request
  std::uint64_t kv_tokens = 1'000'000;  // capacity
  // A token at position p takes 1 + p / this as long; 0: all take the same.
  double attention_tokens = 0;
  // With all slots busy a batch takes so much longer, and while one is computed decoding stands
  // still for this share of it.
  double decode_slows_prefill = 0, prefill_slows_decode = 0;
  bool chunked = false;     // a prompt that does not fit into a batch is computed in several
  bool tells_rate = false;  // with the reports of its load
};

class Engine {
 public:
  explicit Engine(const EngineSettings& settings);

  void submit(Job* job);
  // KV has come for it from elsewhere: as far as there is room it is cached, as if computed here.
  void pulled(const Job& job);
  // Begins a batch if it can; when that will be done, or a negative number.
  double begin_batch(double now_s);
  // The batch is done: those of its jobs that are computed have their first token. Each occupies a
  // slot until its `ends_s`, unless it is decoded elsewhere.
  std::vector<Job*> end_batch(double now_s);
  // What was computed elsewhere comes here to be decoded, until its `ends_s`. False: no room yet.
  bool adopt(double now_s, Job* job);
  void finish(const Job& job);
  // Takes it out of the queue; false where it is not there any more.
  bool withdraw(Job* job);
  // The process died: what it had to compute is returned, to be sent elsewhere.
  std::vector<Job*> die();
  bool idle() const { return batch_.empty(); }

  std::uint32_t cached_blocks(const std::vector<std::uint32_t>& blocks) const {
    return cache_.cached(blocks);
  }
  Load load() const;
  double busy_s() const { return busy_s_; }
  double computed_tokens() const { return computed_tokens_; }
  // What the cache gained or lost: to be told to the index.
  std::function<void(std::uint32_t block, bool held)> on_change;

 private:
  struct Part {
    Job* job;
    std::uint32_t until;  // in blocks: so far it is computed by this batch
  };
  bool begin(Job* job, std::uint32_t hit);
  double takes_s(std::uint32_t from, std::uint32_t until) const;
  void start_decoding(double now_s, Job* job);

  EngineSettings settings_;
  BlockCache cache_;
  std::deque<Job*> queue_;
  std::vector<Part> batch_;
  std::vector<Job*> running_;
  std::size_t queued_blocks_ = 0;  // to be computed: what was cached when each came is not counted
  double busy_s_ = 0, computed_tokens_ = 0;
};

}  // namespace radixmesh::routing
