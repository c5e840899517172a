// Rounds that collect duplicates: this node as an owner whose copies go. See lib/gc/collection.h.
#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// Until an unanswered HOLD is sent again.
constexpr Duration kHoldAgain = std::chrono::milliseconds(250);
// Between two looks at what was retired to make room.
constexpr Duration kCarePause = std::chrono::milliseconds(20);
// Tokens of one DELETE, so that what the engine is told at once is bounded.
constexpr std::uint64_t kTokensAtOnce = limits::request_tokens_max;

}  // namespace

void Replica::collect_what_is_due(TimePoint now) {
  if (!cache_) return;
  for (auto& [node, held] : collection_.held) {
    if (now >= held.until) let_go_of(held);
  }
  if (settings_.gc.mode == GcMode::off) return;
  expire_readers(now);
  if (now >= collection_.next_care) {
    collection_.next_care = now + kCarePause;
    readers_must_agree() ? keep_reserve() : take_back_all();
  }
  if (now >= collection_.next_period) {
    collection_.next_period = now + settings_.gc.period;
    cache_->begin_period();
    advise(now);
  }
  if (collection_.round) return advance_round(now);
  if (now < collection_.next_round) return;
  collection_.next_round = now + settings_.gc.period;
  if (why_not_collecting(now).empty()) begin_round(now);
}

TimePoint Replica::collection_due() const {
  if (!cache_) return kNever;
  TimePoint due = kNever;
  for (const auto& [node, held] : collection_.held) {
    if (!held.paths.empty()) due = std::min(due, held.until);
  }
  if (settings_.gc.mode == GcMode::off) return due;
  due = std::min(due, collection_.next_period);
  for (const auto& [reader, session] : collection_.readers.all()) {
    if (may_expire(reader, session)) due = std::min(due, session.expires);
  }
  if (const auto& round = collection_.round) {
    due = std::min(due, round->began + settings_.gc.round_max);
    if (round->settled) due = std::min(due, round->next_look);
    if (collection_.changed && round->settled) due = TimePoint::min();
    for (const auto& [node, hold] : round->holds) {
      if (!hold.answered) due = std::min(due, hold.ask_again);
    }
  } else {
    due = std::min(due, collection_.next_round);
  }
  return due;
}

// Empty where a round can begin.
std::string_view Replica::why_not_collecting(TimePoint now) const {
  if (settings_.gc.mode == GcMode::off) return "off";
  if (!ready_ || self_->rank == kAnyRank) return "not ready";
  if (draining()) return "draining";
  if (!collection_.engine_frees) return "the engine frees no single slots";
  if (!may_free(now)) return "readers of this node's earlier life may still read";
  if (settings_.gc.mode == GcMode::local_ref && is_reader_silent(now)) {
    return "a registered reader is silent";
  }
  if (collection_.unacknowledged.size() >= limits::gc_unacknowledged_max) {
    return "the engine does not acknowledge";
  }
  return "";
}

// While one is waited for, no round can end, and better holders would keep their copies for
// nothing.
bool Replica::is_reader_silent(TimePoint now) const {
  return std::ranges::any_of(collection_.readers.all(),
                             [now](const auto& each) { return now >= each.second.expires; });
}

// Live nodes of this one's role and of a lower rank, the best first.
std::vector<HolderIndex> Replica::better_holders() const {
  std::vector<HolderIndex> better;
  for (NodeId id : by_rank_) {
    const Member& member = members_.at(id);
    if (member.rank >= self_->rank) break;
    if (member.id == self_->id || member.role != self_->role) continue;
    if (member.state == MemberState::alive && member.introduced) {
      better.push_back(origins_.at(id).holder);
    }
  }
  return better;
}

DuplicateSearch Replica::duplicate_search(const std::vector<HolderIndex>& better) const {
  const GcSettings& gc = settings_.gc;
  return {.better = better,
          .keep_copies = gc.keep_copies,
          .hot_copies = std::max(gc.hot_copies, gc.keep_copies),
          .hot_uses = gc.hot_uses,
          .copies_max = limits::gc_pages_max,
          .tokens_max = kTokensAtOnce,
          .last = &collection_.passed_over};
}

std::vector<CollectionRound::Copy> Replica::copies_of(const Duplicate& duplicate) const {
  std::vector<CollectionRound::Copy> copies;
  for (const Duplicate::Copy& each : duplicate.copies) {
    copies.push_back({holders_.at(each.holder), each.page});
  }
  return copies;
}

// A reader has let go of this page. If nothing else keeps it, it need not wait for the period.
void Replica::collect_soon(TimePoint now, Anchor page) {
  const std::vector<HolderIndex> better = better_holders();
  if (!cache_->is_duplicate(page, duplicate_search(better))) return;
  const TimePoint earliest = collection_.last_look == TimePoint::min()
                                 ? now
                                 : collection_.last_look + settings_.gc.early_period();
  collection_.next_round = std::min(collection_.next_round, std::max(now, earliest));
}

// ---- the owner's round -------------------------------------------------------------------------

void Replica::begin_round(TimePoint now) {
  collection_.last_look = now;
  const std::vector<HolderIndex> better = better_holders();
  if (better.size() < settings_.gc.keep_copies) return;
  const DuplicateSurvey survey = cache_->survey(duplicate_search(better));
  if (survey.found.empty()) return collection_.passed_over.clear();
  // All have their turn now, or have had it: nothing is left but what was passed over.
  std::set<Anchor>& passed_over = collection_.passed_over;
  if (survey.is_complete || passed_over.contains(survey.found.front().first)) passed_over.clear();
  CollectionRound& round = collection_.round.emplace();
  round.number = ++collection_.last_round;
  round.began = now;
  round.is_whole = survey.is_complete;
  for (const Duplicate& each : survey.found) {
    round.items.push_back({{each.first, Seq{}, each.tokens}, copies_of(each)});
    for (const CollectionRound::Copy& copy : round.items.back().copies) {
      CollectionRound::Hold& hold = round.holds[copy.node];
      hold.life = members_.at(copy.node).epoch;
      hold.pages.push_back(copy.page);
      hold.ask_again = now;
    }
  }
  out_.count("gc_rounds");
  advance_round(now);
}

void Replica::advance_round(TimePoint now) {
  CollectionRound& round = *collection_.round;
  const bool late = now - round.began >= settings_.gc.round_max;
  if (late || !why_not_collecting(now).empty()) {
    out_.count("gc_rounds_given_up");
    return end_round(now);
  }
  if (!round.settled) {
    if (!ask_to_hold(now, round)) return;
    settle_round(round);
    round.next_look = now + settings_.gc.period;
    collection_.changed = true;
  }
  if (std::exchange(collection_.changed, false)) collect_agreed(now, round);
  if (round.items.empty()) return end_round(now);
  if (now < round.next_look) return;
  // What readers refer to may stay for long; it must not keep back what has come since.
  round.next_look = now + settings_.gc.period;
  if (!all_have_heard(round)) return;
  const std::vector<HolderIndex> better = better_holders();
  const DuplicateSurvey others = cache_->survey(duplicate_search(better));
  if (others.found.empty()) return;
  if (collection_.passed_over.contains(others.found.front().first)) return;
  end_round(now);
  collection_.next_round = now;
}

// Whether every reader has said which of what the round retired it refers to.
bool Replica::all_have_heard(const CollectionRound& round) const {
  Seq last;
  for (const CollectionRound::Item& item : round.items) last = std::max(last, item.page.seq);
  return std::ranges::all_of(collection_.readers.all(), [&](const auto& each) {
    return each.second.epoch == self_->epoch && each.second.applied >= last;
  });
}

// True once all have answered, or were given up.
bool Replica::ask_to_hold(TimePoint now, CollectionRound& round) {
  bool all_answered = true;
  const bool too_late = now - round.began >= settings_.gc.answer_wait;
  for (auto& [node, hold] : round.holds) {
    if (hold.answered) continue;
    const Member* member = find_member(node);
    const bool same =
        member != nullptr && member->epoch == hold.life && member->state == MemberState::alive;
    if (too_late || !same) {
      out_.count("gc_holds_unanswered");
      hold.answered = true;
      drop_refused(round, node, hold.pages);
      continue;
    }
    all_answered = false;
    if (now < hold.ask_again) continue;
    hold.ask_again = now + kHoldAgain;
    ask(node, Channel::control,
        HoldMessage{round.number, settings_.gc.round_max - (now - round.began), hold.pages});
  }
  return all_answered;
}

// What did not go with its round comes after all others in the next ones.
void Replica::pass_over(Anchor first) {
  if (collection_.passed_over.size() >= limits::held_pages_max) collection_.passed_over.clear();
  collection_.passed_over.insert(first);
}

void Replica::drop_refused(CollectionRound& round, NodeId holder, std::span<const Anchor> refused) {
  const std::set<Anchor> gone(refused.begin(), refused.end());
  std::erase_if(round.items, [&](const CollectionRound::Item& item) {
    const bool refused = std::ranges::any_of(item.copies, [&](const CollectionRound::Copy& copy) {
      return copy.node == holder && gone.contains(copy.page);
    });
    if (refused) pass_over(item.page.first);
    return refused;
  });
}

void Replica::on_held(TimePoint now, NodeId from, const HeldMessage& held) {
  if (!collection_.round || collection_.round->number != held.round) return;
  CollectionRound& round = *collection_.round;
  const auto found = round.holds.find(from);
  if (found == round.holds.end() || found->second.answered) return;
  if (found->second.life != members_.at(from).epoch) return;
  found->second.answered = true;
  if (!held.refused.empty()) out_.count("gc_pages_not_held", held.refused.size());
  drop_refused(round, from, held.refused);
  advance_round(now);
}

// Whether the page is a duplicate still, of copies that are being kept by nodes that live.
bool Replica::still_goes(const CollectionRound& round, const CollectionRound::Item& item) const {
  const std::vector<HolderIndex> better = better_holders();
  const auto found = cache_->duplicate_below(item.page.first, duplicate_search(better));
  if (!found) return false;
  for (const CollectionRound::Copy& copy : copies_of(*found)) {
    const auto hold = round.holds.find(copy.node);
    if (hold == round.holds.end() || hold->second.life != members_.at(copy.node).epoch)
      return false;
    if (std::ranges::find(item.copies, copy) == item.copies.end()) return false;
  }
  return true;
}

// What is held and still goes retires; in global_ref it may go as soon as nobody refers to it.
void Replica::settle_round(CollectionRound& round) {
  std::erase_if(round.items, [&](const auto& item) { return !still_goes(round, item); });
  round.settled = true;
  if (settings_.gc.mode != GcMode::local_ref) return;
  std::vector<Anchor> firsts;
  for (const CollectionRound::Item& item : round.items) firsts.push_back(item.page.first);
  std::vector<Retirement> retired;
  retire(std::move(firsts), retired);
  for (CollectionRound::Item& item : round.items) {
    const auto found = std::ranges::find(retired, item.page.first, &Retirement::first);
    if (found != retired.end()) item.page = *found;
  }
  std::erase_if(round.items, [](const auto& item) { return item.page.seq.value == 0; });
}

// What all agree to goes, if it still is a duplicate; what no longer is stays.
void Replica::collect_agreed(TimePoint now, CollectionRound& round) {
  const bool retires = settings_.gc.mode == GcMode::local_ref;
  std::vector<Retirement> pages;
  for (const CollectionRound::Item& item : round.items) pages.push_back(item.page);
  std::vector<bool> agreed(pages.size(), true);
  if (retires) {
    agreed = collection_.readers.agreed(*relation_, pages, self_->epoch);
  } else {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      agreed[i] = !has_own_page(pages[i].first) || !cache_->is_locked(pages[i].first);
    }
  }
  std::vector<Anchor> go, stay;
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (!agreed[i]) continue;
    if (!still_goes(round, round.items[i])) {
      stay.push_back(pages[i].first);
    } else if (go.empty() || tokens + pages[i].tokens <= kTokensAtOnce) {
      tokens += pages[i].tokens;
      go.push_back(pages[i].first);
    } else {
      collection_.changed = true;  // the rest with the next step
    }
  }
  const std::set<Anchor> done(go.begin(), go.end()), kept(stay.begin(), stay.end());
  std::erase_if(round.items, [&](const CollectionRound::Item& item) {
    return done.contains(item.page.first) || kept.contains(item.page.first);
  });
  if (retires && !stay.empty()) take_back_pages(std::move(stay));
  if (go.empty()) return;
  const std::uint64_t before = cache_->total_tokens();
  const SlotRuns freed = cache_->remove_pages(go, *this);
  const std::uint64_t collected = before - cache_->total_tokens();
  round.collected += collected;
  out_.count("gc_tokens_collected", collected);
  tell_engine(now, freed, false);
}

// What did not go stays; those that kept their copies need not any more. Where there was more than
// one round can take, the next one follows at once.
void Replica::end_round(TimePoint now) {
  const CollectionRound round = std::move(*collection_.round);
  collection_.round.reset();
  if (round.settled && settings_.gc.mode == GcMode::local_ref && !round.items.empty()) {
    std::vector<Anchor> roots;
    for (const CollectionRound::Item& item : round.items) roots.push_back(item.page.first);
    for (const Anchor& root : roots) pass_over(root);
    take_back_pages(std::move(roots));
  }
  for (const auto& [node, hold] : round.holds) {
    if (find_member(node) != nullptr) {
      ask(node, Channel::control, HoldMessage{round.number, Duration{0}, {}});
    }
  }
  const bool goes_on = !round.is_whole && round.collected > 0;
  collection_.next_round =
      goes_on ? now : std::max(collection_.next_round, now + settings_.gc.period / 2);
}

// ---- the engine --------------------------------------------------------------------------------

void Replica::set_engine_frees(TimePoint now, bool frees, bool takes_advice) {
  if (frees && !collection_.engine_frees) {
    collection_.next_round = std::min(collection_.next_round, now + settings_.gc.period);
  }
  const bool kept = keeps_duplicates();
  collection_.engine_frees = frees;
  collection_.engine_takes_advice = takes_advice;
  if (keeps_duplicates() != kept) next_head_ = std::min(next_head_, now);
  collection_.advised.clear();
}

void Replica::tell_engine(TimePoint now, const SlotRuns& slots, bool advice) {
  // That there is no duplicate any more is advice as well.
  if (advice && slots.empty()) out_.owe(GcFree{0, {}, true, self_->epoch, head_});
  for (std::size_t at = 0; at < slots.runs().size(); at += limits::gc_free_runs_max) {
    const std::size_t end = std::min(slots.runs().size(), at + limits::gc_free_runs_max);
    GcFree told{0, {}, advice, self_->epoch, head_};
    for (std::size_t i = at; i < end; ++i) {
      told.slots.append({slots.runs()[i].start, slots.runs()[i].count});
    }
    if (!advice) {
      told.number = ++collection_.last_free;
      collection_.unacknowledged[told.number] = {told.slots, self_->epoch, head_, now};
    }
    out_.owe(std::move(told));
  }
}

void Replica::acknowledge_free(std::uint64_t number) {
  const auto found = collection_.unacknowledged.find(number);
  if (found == collection_.unacknowledged.end()) return;
  out_.count("gc_tokens_freed", found->second.slots.size());
  collection_.unacknowledged.erase(found);
}

std::vector<GcFree> Replica::unacknowledged() const {
  std::vector<GcFree> all;
  for (const auto& [number, each] : collection_.unacknowledged) {
    all.push_back({number, each.slots, false, each.epoch, each.seq});
  }
  return all;
}

bool Replica::keeps_duplicates() const {
  return settings_.gc.mode != GcMode::off && !collection_.engine_frees &&
         collection_.engine_takes_advice;
}

// An engine that frees no single slots is told which of them hold duplicates, when that changed.
void Replica::advise(TimePoint now) {
  if (!keeps_duplicates() || !ready_) return;
  const std::vector<HolderIndex> better = better_holders();
  const DuplicateSurvey survey = cache_->survey(duplicate_search(better));
  std::vector<Anchor> firsts;
  for (const Duplicate& each : survey.found) firsts.push_back(each.first);
  if (firsts == collection_.advised) return;
  SlotRuns slots;
  for (Anchor first : firsts) slots.append(cache_->slots_below(first));
  collection_.advised = std::move(firsts);
  tell_engine(now, slots, true);
}

Duration Replica::free_wait(TimePoint now) const {
  TimePoint until = std::max(collection_.former_lapse, now);
  if (settings_.gc.mode != GcMode::off) {
    const TimePoint since = std::max(started_, collection_.engine_since);
    until = std::max(until, settings_.gc.lapses_at_owner(since));
  }
  return until - now;
}

}  // namespace radixmesh
