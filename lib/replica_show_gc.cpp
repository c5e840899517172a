// What is shown of collecting duplicates: a dry run, and how far it is.
#include <algorithm>

#include "lib/replica.h"

namespace radixmesh {
namespace {

constexpr std::size_t kShownTokens = 8;  // of a duplicate: enough to recognise it
constexpr std::size_t kRows = 20;        // of duplicates: enough to see what they are
// Of fewer entries a survey takes a millisecond or two, and is made whenever it is asked for.
constexpr std::size_t kEntriesAtOnce = 8192;

}  // namespace

GcCountsView Replica::gc_counts(TimePoint now) const {
  GcCountsView view;
  view.mode = gc_mode_name(settings_.gc.mode);
  view.engine_frees = collection_.engine_frees;
  view.retiring_tokens = relation_->retiring_tokens(kSelf);
  for (const auto& [node, held] : collection_.held) view.held_pages += held.paths.size();
  for (const auto& [owner, count] : registrations_.counts(now)) {
    view.references[members_.at(owner).addr] = count;
  }
  for (const auto& [reader, session] : collection_.readers.all()) {
    const Duration silent = now - (session.expires - settings_.gc.lease_at_owner());
    view.readers[members_.at(reader).addr] = {now - session.since, std::max(Duration{0}, silent),
                                              session.blocks.size() + session.registers.size()};
  }
  view.unacknowledged = collection_.unacknowledged.size();
  for (const auto& [number, each] : collection_.unacknowledged) {
    view.unacknowledged_tokens += each.slots.size();
    view.unacknowledged_for = std::max(view.unacknowledged_for, now - each.since);
  }
  return view;
}

// Holders that have not answered yet; then readers that have not agreed to all that retires.
std::vector<std::string> Replica::round_waits_for() const {
  std::vector<std::string> addrs;
  const auto& round = collection_.round;
  if (!round) return addrs;
  for (const auto& [node, hold] : round->holds) {
    if (!hold.answered && find_member(node) != nullptr) addrs.push_back(members_.at(node).addr);
  }
  if (!round->settled) return addrs;
  Seq last;
  for (const CollectionRound::Item& item : round->items) last = std::max(last, item.page.seq);
  for (const auto& [reader, session] : collection_.readers.all()) {
    const bool agreed = session.epoch == self_->epoch && session.applied >= last &&
                        session.complete && session.blocks.empty() && session.registers.empty();
    if (!agreed) addrs.push_back(members_.at(reader).addr);
  }
  return addrs;
}

DuplicateRow Replica::row_of(const Duplicate& duplicate) {
  DuplicateRow row;
  row.begin = duplicate.first.tokens - settings_.page_size;
  row.tokens = duplicate.tokens;
  if (const Entry* entry = relation_->entry_at_or_after(kSelf, duplicate.first.seq)) {
    row.name = relation_->entry_namespace(*entry);
    SlotRuns slots;
    relation_->read_entry(*entry, row.begin, duplicate.first.tokens, row.head, slots);
    row.head.resize(std::min(row.head.size(), kShownTokens));
  }
  for (const CollectionRound::Copy& copy : copies_of(duplicate)) {
    row.kept.push_back(members_.at(copy.node).addr);
  }
  std::ranges::sort(row.kept);
  row.kept.erase(std::unique(row.kept.begin(), row.kept.end()), row.kept.end());
  return row;
}

Replica::Result<GcView> Replica::gc(TimePoint now, bool run) {
  if (!cache_) {
    return tl::unexpected(Refusal{RefusalCode::use_another_node,
                                  "a router holds nothing: ask a node with an engine"});
  }
  if (auto refusal = not_back_yet()) return tl::unexpected(std::move(*refusal));
  const std::string_view obstacle = why_not_collecting(now);
  if (run && !obstacle.empty()) {
    const RefusalCode code =
        settings_.gc.mode == GcMode::off ? RefusalCode::fix_request : RefusalCode::retry_later;
    return tl::unexpected(Refusal{code, "no round can begin: " + std::string(obstacle)});
  }
  GcView view = run && !collection_.round ? surveyed(now) : surveyed_lately(now);
  view.not_collecting = obstacle;
  if (run && !collection_.round) begin_round(now);
  view.round_running = collection_.round.has_value();
  view.waits_for = round_waits_for();
  view.counts = gc_counts(now);
  return view;
}

// A survey costs as much as there are entries, so that of a large cache may be a moment old: at
// most a fifth of the time goes into it, however often it is asked for.
GcView Replica::surveyed_lately(TimePoint now) {
  const std::size_t entries = relation_->entry_count(kSelf);
  const Duration age = now - surveyed_at_;
  const bool is_recent =
      surveyed_ && entries > kEntriesAtOnce && age < Duration{static_cast<Duration::rep>(entries)};
  return is_recent ? *surveyed_ : surveyed(now);
}

GcView Replica::surveyed(TimePoint now) {
  const std::vector<HolderIndex> better = better_holders();
  const DuplicateSearch search = duplicate_search(better);
  const DuplicateSurvey survey = cache_->survey(search);
  GcView view;
  view.period = settings_.gc.period;
  view.keep_copies = search.keep_copies;
  view.hot_copies = search.hot_copies;
  view.hot_uses = search.hot_uses;
  view.silent_reader = settings_.gc.expires_silent ? "lease" : "block";
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
  surveyed_at_ = now;
  surveyed_ = view;
  return view;
}

}  // namespace radixmesh
