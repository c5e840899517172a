#include "tests/routing/engine.h"

#include <algorithm>

namespace radixmesh::routing {

Engine::Engine(const EngineSettings& settings)
    : settings_(settings), cache_(settings.kv_tokens / kBlockTokens) {
  cache_.on_evict = [this](std::uint32_t block) {
    if (on_change) on_change(block, false);
  };
}

void Engine::submit(Job* job) {
  job->hit_blocks = job->computed_blocks =
      std::max(job->pulled_blocks, cached_blocks(job->request->blocks));
  job->begun = false;
  queued_blocks_ += job->request->blocks.size() - job->hit_blocks;
  queue_.push_back(job);
}

void Engine::pulled(const Job& job) {
  const auto blocks = std::span(job.request->blocks).first(job.pulled_blocks);
  const std::uint32_t had = cache_.cached(blocks);
  if (!cache_.take(blocks, had)) return;
  cache_.release(blocks);
  for (std::uint32_t i = had; on_change && i < blocks.size(); ++i) on_change(blocks[i], true);
}

bool Engine::begin(Job* job, std::uint32_t hit) {
  const auto& blocks = job->request->blocks;
  if (!cache_.take(blocks, hit)) return false;
  queued_blocks_ -= blocks.size() - job->hit_blocks;
  job->hit_blocks = job->computed_blocks = hit;
  queued_blocks_ += blocks.size() - hit;
  return job->begun = true;
}

double Engine::takes_s(std::uint32_t from, std::uint32_t until) const {
  const double tokens = double{kBlockTokens} * (until - from);
  const double middle = double{kBlockTokens} * (until + from) / 2;
  const double longer =
      settings_.attention_tokens > 0 ? 1 + middle / settings_.attention_tokens : 1;
  return tokens * longer / settings_.prefill_rate;
}

double Engine::begin_batch(double now_s) {
  if (!batch_.empty() || queue_.empty()) return -1;
  double tokens = 0, takes = settings_.batch_overhead_s;
  for (auto at = queue_.begin();
       at != queue_.end() && running_.size() + batch_.size() < settings_.decode_slots;) {
    Job* job = *at;
    if (job->ready_s > now_s) {
      ++at;
      continue;
    }
    const auto size = static_cast<std::uint32_t>(job->request->blocks.size());
    const std::uint32_t from =
        job->begun ? job->computed_blocks : cached_blocks(job->request->blocks);
    std::uint32_t until = size;
    if (settings_.chunked) {
      const auto room =
          static_cast<std::uint32_t>((settings_.batch_tokens - tokens) / kBlockTokens);
      until = std::min(size, from + room);
      if (until == from && from < size) break;
    } else if (!batch_.empty() &&
               tokens + double{kBlockTokens} * (size - from) > settings_.batch_tokens) {
      break;
    }
    if (!job->begun && !begin(job, from)) break;  // until something running ends
    tokens += double{kBlockTokens} * (until - from);
    takes += takes_s(from, until);
    batch_.push_back({job, until});
    if (until < size) break;
    at = queue_.erase(at);
  }
  if (batch_.empty()) return -1;
  const double decoding = static_cast<double>(running_.size());
  takes *= 1 + settings_.decode_slows_prefill * decoding / settings_.decode_slots;
  for (Job* job : running_) job->ends_s += settings_.prefill_slows_decode * takes;
  busy_s_ += takes;
  computed_tokens_ += tokens;
  return now_s + takes;
}

std::vector<Job*> Engine::end_batch(double now_s) {
  std::vector<Job*> done;
  for (const auto& [job, until] : batch_) {
    if (until == job->request->blocks.size()) done.push_back(job);
  }
  running_.insert(running_.end(), done.begin(), done.end());
  for (const auto& [job, until] : batch_) {
    queued_blocks_ -= until - job->computed_blocks;
    const auto& blocks = job->request->blocks;
    for (std::uint32_t i = job->computed_blocks; on_change && i < until; ++i) {
      on_change(blocks[i], true);
    }
    job->computed_blocks = until;
  }
  for (Job* job : done) start_decoding(now_s, job);
  batch_.clear();
  return done;
}

void Engine::start_decoding(double now_s, Job* job) {
  const double step_s =
      settings_.step_s + settings_.step_per_request_s * static_cast<double>(running_.size());
  job->done_s = now_s;
  job->ends_s = now_s + step_s * job->request->output_tokens;
}

bool Engine::adopt(double now_s, Job* job) {
  if (running_.size() >= settings_.decode_slots) return false;
  const auto& blocks = job->request->blocks;
  const std::uint32_t hit = cached_blocks(blocks);
  if (!cache_.take(blocks, hit)) return false;
  for (std::uint32_t i = hit; on_change && i < blocks.size(); ++i) on_change(blocks[i], true);
  running_.push_back(job);
  start_decoding(now_s, job);
  return true;
}

void Engine::finish(const Job& job) {
  std::erase(running_, &job);
  cache_.release(job.request->blocks);
}

bool Engine::withdraw(Job* job) {
  const auto found = std::ranges::find(queue_, job);
  if (found == queue_.end() || job->begun) return false;
  queued_blocks_ -= job->request->blocks.size() - job->hit_blocks;
  queue_.erase(found);
  return true;
}

std::vector<Job*> Engine::die() {
  std::vector<Job*> lost(queue_.begin(), queue_.end());
  for (const Part& each : batch_) {
    if (std::ranges::find(lost, each.job) == lost.end()) lost.push_back(each.job);
  }
  queue_.clear();
  batch_.clear();
  running_.clear();
  cache_.clear();
  queued_blocks_ = 0;
  return lost;
}

Load Engine::load() const {
  Load load;
  const auto ends = [](const Part& each) { return each.until == each.job->request->blocks.size(); };
  load.running = static_cast<std::uint32_t>(running_.size()) +
                 static_cast<std::uint32_t>(std::ranges::count_if(batch_, ends));
  load.waiting = static_cast<std::uint32_t>(queue_.size());
  load.queued_tokens = queued_blocks_ * kBlockTokens;
  load.kv_used = cache_.pinned() * kBlockTokens;
  load.kv_total = cache_.capacity() * kBlockTokens;
  if (settings_.tells_rate) load.prefill_rate = static_cast<std::uint32_t>(settings_.prefill_rate);
  return load;
}

}  // namespace radixmesh::routing
