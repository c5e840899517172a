#include "tests/sim/engine.h"

#include <set>

namespace radixmesh::sim {

std::vector<Stamp> stamps_of(const std::vector<TokenId>& tokens) {
  std::vector<Stamp> stamps;
  Stamp stamp = 1;
  for (TokenId token : tokens) {
    stamp = (stamp ^ (static_cast<std::uint64_t>(token) + 1)) * 0x9E3779B97F4A7C15ull;
    stamp ^= stamp >> 29;
    stamps.push_back(stamp | 1);
  }
  return stamps;
}

Seq Engine::head_of(Replica& replica) {
  const StatusView status = replica.status();
  return status.vector.at(status.addr).seq;
}

void Engine::apply(const Record& record) {
  if (record.inserted.empty()) return model_.freed(record.freed);
  model_.next_slot = record.first_slot;
  model_.insert(record.inserted, record.inserted.size());
  model_.next_slot = record.first_slot + record.inserted.size() + 1;
}

void Engine::insert(Replica& replica, TimePoint now, const std::vector<TokenId>& key) {
  const std::uint64_t first_slot = model_.next_slot;
  const auto result = replica.insert(now, {}, key, {{Slot{first_slot}, key.size()}});
  if (!result) return;  // it is draining
  model_.next_slot += key.size() + 1;
  call_.freed = result->freed;
  call_.first_slot = first_slot;
  const std::size_t end = result->prefix_len + result->stored;
  const std::vector<Stamp> stamps = stamps_of(key);
  for (std::size_t i = result->prefix_len; i < end; ++i) pool_[first_slot + i] = stamps[i];
  if (result->stored > 0) {
    call_.inserted.assign(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(end));
  }
}

void Engine::evict(Replica& replica, TimePoint now, std::uint64_t tokens) {
  if (const auto evicted = replica.evict(now, tokens)) call_.freed = evicted->freed;
}

void Engine::remove(Replica& replica, TimePoint now, const std::vector<TokenId>& key) {
  if (const auto freed = replica.remove(now, {}, key)) call_.freed = *freed;
}

void Engine::reset(Replica& replica, TimePoint now) {
  if (const auto freed = replica.reset(now)) call_.freed = *freed;
}

void Engine::op_applied(const OpApplied& event) {
  ++ops_of_life_;
  call_epoch_ = event.epoch;
  if (event.type == MessageType::insert) call_inserted_ = event.seq;
  if (event.type == MessageType::remove || event.type == MessageType::reset) {
    call_freed_ = event.seq;
  }
}

void Engine::called() {
  Record call = std::exchange(call_, {});
  if (!call.freed.empty()) {
    told_to_free({0, call.freed, false, call_epoch_, call_freed_});
    call.freed = {};
  }
  if (call.inserted.empty()) return;
  call.seq = call_inserted_;
  history_.push_back(std::move(call));
  apply(history_.back());
}

void Engine::told_to_free(const GcFree& event) {
  history_.push_back({event.seq, {}, 0, event.slots});
  apply(history_.back());
  known_ = {event.epoch, event.seq};
  for (const SlotRun& run : event.slots.runs()) {
    for (std::uint64_t i = 0; i < run.count; ++i) pool_.erase(run.start.value + i);
  }
}

void Engine::died() {
  model_.clear();
  history_.clear();
  pool_.clear();
  to_free_.clear();
  ++born_;
  known_ = {};
}

// What is in use and not in the model goes, but not before the sidecar says that it may.
void Engine::free_later(Replica& replica, TimePoint now) {
  std::set<std::uint64_t> kept;
  for (std::uint64_t first : model_.page_slots()) {
    for (std::uint32_t i = 0; i < page_size_; ++i) kept.insert(first + i);
  }
  const TimePoint at = now + replica.free_wait(now);
  for (const auto& [slot, stamp] : pool_) {
    if (!kept.contains(slot)) to_free_.emplace_back(at, slot);
  }
  look_after(now);
}

void Engine::look_after(TimePoint now) {
  std::erase_if(to_free_, [&](const auto& each) {
    if (now < each.first) return false;
    pool_.erase(each.second);
    return true;
  });
}

void Engine::recovered(Replica& replica, TimePoint now) {
  const Seq seq{head_of(replica).value - ops_of_life_};
  known_ = {replica.self().epoch, Seq{}};
  const std::uint64_t next_slot = model_.next_slot;
  std::erase_if(history_, [seq](const Record& each) { return each.seq > seq; });
  model_.clear();
  for (const Record& each : history_) apply(each);
  model_.next_slot = next_slot;  // what was lost keeps its slots until the engine notices
  free_later(replica, now);
}

void Engine::began_empty(Replica& replica, TimePoint now) {
  known_ = {replica.self().epoch, Seq{}};
  model_.clear();
  history_.clear();
  free_later(replica, now);
}

}  // namespace radixmesh::sim
