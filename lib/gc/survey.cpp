#include "lib/gc/survey.h"

#include <algorithm>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

constexpr std::size_t kShownTokens = 8;  // of a duplicate: enough to recognise it
constexpr std::size_t kRows = 20;        // of duplicates: enough to see what they are
// Of fewer entries a survey takes a millisecond or two, and is made whenever it is asked for.
constexpr std::size_t kEntriesAtOnce = 8192;

}  // namespace

// Live ones, the best first.
std::vector<HolderIndex> Survey::better_holders() const {
  std::vector<HolderIndex> better;
  const Member& self = roster_.self();
  for (NodeId id : roster_.by_rank()) {
    const Member& member = roster_.at(id);
    if (member.rank >= self.rank) break;
    if (member.id == self.id || member.role != self.role) continue;
    if (member.state == MemberState::alive && member.introduced) {
      better.push_back(streams_.at(id).holder);
    }
  }
  return better;
}

DuplicateSearch Survey::search(const std::vector<HolderIndex>& better) const {
  return {.better = better,
          .keep_copies = settings_.keep_copies,
          .hot_copies = std::max(settings_.hot_copies, settings_.keep_copies),
          .hot_uses = settings_.hot_uses,
          .copies_max = limits::gc_pages_max,
          .tokens_max = kTokensAtOnce,
          .last = &passed_over_};
}

DuplicateSurvey Survey::look() {
  const std::vector<HolderIndex> better = better_holders();
  return picture_.cache()->survey(search(better));
}

bool Survey::is_duplicate(Anchor page) {
  const std::vector<HolderIndex> better = better_holders();
  return picture_.cache()->is_duplicate(page, search(better));
}

std::optional<Duplicate> Survey::below(Anchor first) {
  const std::vector<HolderIndex> better = better_holders();
  return picture_.cache()->duplicate_below(first, search(better));
}

std::vector<KeptCopy> Survey::copies_of(const Duplicate& duplicate) const {
  std::vector<KeptCopy> copies;
  for (const Duplicate::Copy& each : duplicate.copies) {
    copies.push_back({*picture_.node_of(each.holder), each.page});
  }
  return copies;
}

void Survey::pass_over(Anchor first) {
  if (passed_over_.size() >= limits::held_pages_max) passed_over_.clear();
  passed_over_.insert(first);
}

// ---- what is shown -----------------------------------------------------------------------------

GcView Survey::view(TimePoint now, bool fresh) {
  const std::size_t entries = picture_.relation().entry_count(kSelf);
  const Duration age = now - viewed_at_;
  const bool is_recent =
      viewed_ && entries > kEntriesAtOnce && age < Duration{static_cast<Duration::rep>(entries)};
  if (fresh || !is_recent) {
    viewed_ = view_now();
    viewed_at_ = now;
  }
  return *viewed_;
}

GcView Survey::view_now() {
  const std::vector<HolderIndex> better = better_holders();
  const DuplicateSearch asked = search(better);
  const DuplicateSurvey survey = picture_.cache()->survey(asked);
  GcView view;
  view.period = settings_.period;
  view.keep_copies = asked.keep_copies;
  view.hot_copies = asked.hot_copies;
  view.hot_uses = asked.hot_uses;
  view.silent_reader = settings_.expires_silent ? "lease" : "block";
  view.duplicate_tokens = survey.duplicate_tokens;
  view.scarce_tokens = survey.scarce_tokens;
  view.hot_tokens = survey.hot_tokens;
  view.locked_tokens = survey.locked_tokens;
  view.retiring_tokens = survey.retiring_tokens;
  view.above_tokens = survey.above_tokens;
  view.duplicates_total = survey.found.size();
  for (const Duplicate& each : survey.found) {
    if (view.duplicates.size() == kRows) break;
    view.duplicates.push_back(row_of(each));
  }
  return view;
}

DuplicateRow Survey::row_of(const Duplicate& duplicate) {
  const Relation& relation = picture_.relation();
  DuplicateRow row;
  row.begin = duplicate.first.tokens - relation.page_size();
  row.tokens = duplicate.tokens;
  if (const Entry* entry = relation.entry_at_or_after(kSelf, duplicate.first.seq)) {
    row.name = relation.entry_namespace(*entry);
    SlotRuns slots;
    relation.read_entry(*entry, row.begin, duplicate.first.tokens, row.head, slots);
    row.head.resize(std::min(row.head.size(), kShownTokens));
  }
  for (const KeptCopy& copy : copies_of(duplicate)) {
    row.kept.push_back(roster_.at(copy.node).addr);
  }
  std::ranges::sort(row.kept);
  row.kept.erase(std::unique(row.kept.begin(), row.kept.end()), row.kept.end());
  return row;
}

}  // namespace radixmesh
