#include "lib/base/line_limiter.h"

#include <algorithm>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// Kinds whose left-out lines are told by name.
constexpr std::size_t kToldByName = 10;

}  // namespace

// Of nodes that are told apart there are no more than lines that passed; all others count with
// their event.
bool LineLimiter::offer(TimePoint now, std::string_view event, std::string_view node) {
  if (minute_ == TimePoint::min()) minute_ = now;
  auto by_event = passed_by_event_.find(event);
  if (by_event == passed_by_event_.end()) {
    by_event = passed_by_event_.emplace(std::string(event), 0).first;
  }
  auto kind = kinds_.find(Kind{event, node});
  if (kind != kinds_.end() && kind->second.passed >= limits::log_lines_per_kind_max) {
    ++kind->second.left_out;
    return false;
  }
  if (passed_ >= limits::log_lines_per_minute_max ||
      by_event->second >= limits::log_lines_per_event_max) {
    ++kinds_[Kind{event, ""}].left_out;
    return false;
  }
  if (kind == kinds_.end()) kind = kinds_.emplace(Kind{event, node}, Count{}).first;
  ++passed_, ++by_event->second, ++kind->second.passed;
  return true;
}

std::vector<LineLimiter::LeftOut> LineLimiter::take_left_out(TimePoint now) {
  if (minute_ == TimePoint::min() || now - minute_ < std::chrono::minutes(1)) return {};
  minute_ = TimePoint::min();
  passed_ = 0;
  passed_by_event_.clear();
  std::vector<LeftOut> told;
  for (auto& [kind, count] : std::exchange(kinds_, {})) {
    if (count.left_out > 0) told.push_back({kind.first, kind.second, count.left_out});
  }
  std::ranges::stable_sort(told, std::greater{}, &LeftOut::lines);
  std::uint64_t others = 0;
  while (told.size() > kToldByName) {
    others += told.back().lines;
    told.pop_back();
  }
  if (others > 0) told.push_back({"", "", others});
  return told;
}

}  // namespace radixmesh
