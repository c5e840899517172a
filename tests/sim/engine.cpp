#include "tests/sim/engine.h"

namespace radixmesh::sim {

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

// A call makes a DELETE for what it freed, then an INSERT for what it stored, each if there is any.
void Engine::record(Replica& replica, Seq before, SlotRuns freed, std::vector<TokenId> inserted,
                    std::uint64_t first_slot) {
  const Seq after = head_of(replica);
  if (!freed.empty()) {
    history_.push_back({inserted.empty() ? after : Seq{before.value + 1}, {}, 0, std::move(freed)});
    apply(history_.back());
    known_ = {replica.self().epoch, history_.back().seq};
  }
  if (inserted.empty()) return;
  history_.push_back({after, std::move(inserted), first_slot, {}});
  apply(history_.back());
}

void Engine::insert(Replica& replica, TimePoint now, const std::vector<TokenId>& key) {
  const Seq before = head_of(replica);
  const std::uint64_t first_slot = model_.next_slot;
  const auto result = replica.insert(now, {}, key, {{Slot{first_slot}, key.size()}});
  if (!result) return;  // it is draining
  std::vector<TokenId> stored(key.begin(), key.begin() + result->prefix_len + result->stored);
  model_.next_slot += key.size() + 1;
  if (result->stored == 0) stored.clear();
  record(replica, before, result->freed, std::move(stored), first_slot);
}

void Engine::evict(Replica& replica, TimePoint now, std::uint64_t tokens) {
  const Seq before = head_of(replica);
  if (const auto evicted = replica.evict(now, tokens)) {
    record(replica, before, evicted->freed, {}, 0);
  }
}

void Engine::remove(Replica& replica, TimePoint now, const std::vector<TokenId>& key) {
  const Seq before = head_of(replica);
  if (const auto freed = replica.remove(now, {}, key)) record(replica, before, *freed, {}, 0);
}

void Engine::reset(Replica& replica, TimePoint now) {
  const Seq before = head_of(replica);
  if (const auto freed = replica.reset(now)) record(replica, before, *freed, {}, 0);
}

void Engine::died() {
  model_.clear();
  history_.clear();
  ++born_;
  known_ = {};
}

void Engine::recovered(Replica& replica) {
  const Seq seq = head_of(replica);
  known_ = {replica.self().epoch, Seq{}};
  const std::uint64_t next_slot = model_.next_slot;
  std::erase_if(history_, [seq](const Record& each) { return each.seq > seq; });
  model_.clear();
  for (const Record& each : history_) apply(each);
  model_.next_slot = next_slot;  // what was lost keeps its slots until the engine notices
}

void Engine::began_empty(Replica& replica) {
  known_ = {replica.self().epoch, Seq{}};
  model_.clear();
  history_.clear();
}

}  // namespace radixmesh::sim
