#include "lib/gc/engine_slots.h"

#include <algorithm>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {

void EngineSlots::set(bool frees, bool takes_advice) {
  frees_ = frees;
  takes_advice_ = takes_advice;
  advised_.clear();
}

void EngineSlots::replace_engine() {
  unacknowledged_.clear();
  advised_.clear();
}

// The runs from `from` on, as many as one notice names.
GcFree EngineSlots::notice(const SlotRuns& slots, std::size_t from, bool advice) const {
  GcFree told{0, {}, advice, roster_.self().epoch, own_.head()};
  const std::size_t end = std::min(slots.runs().size(), from + limits::gc_free_runs_max);
  for (std::size_t i = from; i < end; ++i) {
    told.slots.append({slots.runs()[i].start, slots.runs()[i].count});
  }
  return told;
}

void EngineSlots::tell(TimePoint now, const SlotRuns& slots) {
  for (std::size_t at = 0; at < slots.runs().size(); at += limits::gc_free_runs_max) {
    GcFree told = notice(slots, at, false);
    told.number = ++last_;
    unacknowledged_[told.number] = {told.slots, told.epoch, told.seq, now};
    out_.owe(std::move(told));
  }
}

void EngineSlots::advise(LocalCache& cache, std::vector<Anchor> firsts) {
  if (firsts == advised_) return;
  SlotRuns slots;
  for (Anchor first : firsts) slots.append(cache.slots_below(first));
  advised_ = std::move(firsts);
  // That there is no duplicate any more is advice as well.
  if (slots.empty()) out_.owe(notice(slots, 0, true));
  for (std::size_t at = 0; at < slots.runs().size(); at += limits::gc_free_runs_max) {
    out_.owe(notice(slots, at, true));
  }
}

void EngineSlots::acknowledge(std::uint64_t number) {
  const auto found = unacknowledged_.find(number);
  if (found == unacknowledged_.end()) return;
  out_.count("gc_tokens_freed", found->second.slots.size());
  unacknowledged_.erase(found);
}

std::vector<GcFree> EngineSlots::unacknowledged() const {
  std::vector<GcFree> all;
  for (const auto& [number, each] : unacknowledged_) {
    all.push_back({number, each.slots, false, each.epoch, each.seq});
  }
  return all;
}

bool EngineSlots::is_full() const {
  return unacknowledged_.size() >= limits::gc_unacknowledged_max;
}

void EngineSlots::add_to(TimePoint now, GcCountsView& view) const {
  view.engine_frees = frees_;
  view.unacknowledged = unacknowledged_.size();
  for (const auto& [number, each] : unacknowledged_) {
    view.unacknowledged_tokens += each.slots.size();
    view.unacknowledged_for = std::max(view.unacknowledged_for, now - each.since);
  }
}

}  // namespace radixmesh
