#include "tests/routing/engine.h"

#include <algorithm>

namespace radixmesh::routing {

Engine::Engine(const EngineSettings& settings)
    : settings_(settings), capacity_blocks_(settings.kv_tokens / kBlockTokens) {}

void Engine::submit(Job* job) {
  job->hit_blocks = cached_blocks(job->request->blocks);
  queued_blocks_ += job->request->blocks.size() - job->hit_blocks;
  queue_.push_back(job);
}

std::uint32_t Engine::cached_blocks(const std::vector<std::uint32_t>& blocks) const {
  std::uint32_t count = 0;
  while (count < blocks.size() && cache_.contains(blocks[count])) ++count;
  return count;
}

// From the deepest up, so that the oldest block is always a leaf.
void Engine::touch(const std::vector<std::uint32_t>& blocks) {
  for (std::size_t i = blocks.size(); i-- > 0;) {
    const auto found = cache_.find(blocks[i]);
    if (found == cache_.end()) continue;
    recency_.splice(recency_.end(), recency_, found->second.place);
  }
}

void Engine::pin(const std::vector<std::uint32_t>& blocks, int change) {
  for (std::uint32_t block : blocks) {
    Block& entry = cache_.at(block);
    if (change > 0 && entry.users++ == 0) ++pinned_;
    if (change < 0 && --entry.users == 0) --pinned_;
  }
}

bool Engine::make_room(std::size_t blocks) {
  if (pinned_ + blocks > capacity_blocks_) return false;
  for (auto at = recency_.begin(); cache_.size() + blocks > capacity_blocks_;) {
    const auto found = cache_.find(*at);
    ++at;
    if (found->second.users > 0) continue;
    if (on_change) on_change(found->first, false);
    recency_.erase(found->second.place);
    cache_.erase(found);
  }
  return true;
}

double Engine::begin_batch(double now_s) {
  if (!batch_.empty() || queue_.empty()) return -1;
  double tokens = 0;
  while (!queue_.empty() && running_.size() + batch_.size() < settings_.decode_slots) {
    Job* job = queue_.front();
    const auto& blocks = job->request->blocks;
    const std::uint32_t hit = cached_blocks(blocks);
    const double missing = static_cast<double>(blocks.size() - hit) * kBlockTokens;
    if (!batch_.empty() && tokens + missing > settings_.batch_tokens) break;
    touch(blocks);
    // What is hit must not be evicted to make room for the rest.
    const std::vector<std::uint32_t> held(blocks.begin(), blocks.begin() + hit);
    pin(held, 1);
    const bool fits = make_room(blocks.size() - hit);
    pin(held, -1);
    if (!fits) break;  // until something running ends
    for (std::uint32_t i = hit; i < blocks.size(); ++i) {
      cache_[blocks[i]].place = recency_.insert(recency_.end(), blocks[i]);
    }
    touch(blocks);
    pin(blocks, 1);
    queued_blocks_ -= blocks.size() - job->hit_blocks;
    job->hit_blocks = hit;
    queued_blocks_ += blocks.size() - hit;
    tokens += missing;
    batch_.push_back(job);
    queue_.pop_front();
  }
  if (batch_.empty()) return -1;
  const double takes_s = settings_.batch_overhead_s + tokens / settings_.prefill_rate;
  busy_s_ += takes_s;
  return now_s + takes_s;
}

std::vector<Engine::Started> Engine::end_batch(double now_s) {
  std::vector<Started> started;
  for (Job* job : batch_) running_.push_back(job);
  for (Job* job : batch_) {
    job->done_s = now_s;
    queued_blocks_ -= job->request->blocks.size() - job->hit_blocks;
    const auto& blocks = job->request->blocks;
    for (std::size_t i = job->hit_blocks; on_change && i < blocks.size(); ++i) {
      on_change(blocks[i], true);
    }
    const double step_s =
        settings_.step_s + settings_.step_per_request_s * static_cast<double>(running_.size());
    started.push_back({job, now_s + step_s * job->request->output_tokens});
  }
  batch_.clear();
  return started;
}

void Engine::finish(const Job& job) {
  std::erase(running_, &job);
  pin(job.request->blocks, -1);
}

std::vector<Job*> Engine::die() {
  std::vector<Job*> lost(queue_.begin(), queue_.end());
  lost.insert(lost.end(), batch_.begin(), batch_.end());
  queue_.clear();
  batch_.clear();
  running_.clear();
  for (const auto& [block, entry] : cache_) {
    if (on_change) on_change(block, false);
  }
  cache_.clear();
  recency_.clear();
  pinned_ = queued_blocks_ = 0;
  return lost;
}

Load Engine::load() const {
  Load load;
  load.running = static_cast<std::uint32_t>(running_.size() + batch_.size());
  load.waiting = static_cast<std::uint32_t>(queue_.size());
  load.queued_tokens = queued_blocks_ * kBlockTokens;
  load.kv_used = pinned_ * kBlockTokens;
  load.kv_total = capacity_blocks_ * kBlockTokens;
  return load;
}

}  // namespace radixmesh::routing
