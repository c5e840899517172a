#include "lib/gc/rounds.h"

#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// Until an unanswered HOLD is sent again.
constexpr Duration kHoldAgain = std::chrono::milliseconds(250);

}  // namespace

Seq Rounds::Round::last_retired() const {
  Seq last;
  for (const Item& item : items) last = std::max(last, item.page.seq);
  return last;
}

TimePoint Rounds::due() const {
  if (!round_) return next_;
  TimePoint due = round_->began + settings_.round_max;
  if (round_->settled) due = std::min(due, round_->next_look);
  if (round_->settled && parts_.wakeup.is_set()) return TimePoint::min();
  for (const auto& [node, hold] : round_->holds) {
    if (!hold.answered) due = std::min(due, hold.ask_again);
  }
  return due;
}

void Rounds::look_early(TimePoint now) {
  const TimePoint earliest =
      last_look_ == TimePoint::min() ? now : last_look_ + settings_.early_period();
  by(std::max(now, earliest));
}

void Rounds::run(TimePoint now, std::string_view obstacle) {
  if (round_) return advance(now, obstacle);
  next_ = now + settings_.period;
  if (obstacle.empty()) begin(now);
}

void Rounds::begin(TimePoint now) {
  last_look_ = now;
  if (!parts_.survey.can_find()) return;
  const DuplicateSurvey found = parts_.survey.look();
  if (found.found.empty()) return parts_.survey.end_passing_over();
  // All have their turn now, or have had it: nothing is left but what was passed over.
  if (found.is_complete || parts_.survey.passed_over(found.found.front().first)) {
    parts_.survey.end_passing_over();
  }
  Round& round = round_.emplace(++last_, now);
  round.is_whole = found.is_complete;
  for (const Duplicate& each : found.found) {
    round.items.push_back({{each.first, Seq{}, each.tokens}, parts_.survey.copies_of(each)});
    for (const KeptCopy& copy : round.items.back().copies) {
      Hold& hold = round.holds[copy.node];
      hold.life = parts_.roster.at(copy.node).epoch;
      hold.pages.push_back(copy.page);
      hold.ask_again = now;
    }
  }
  parts_.out.count("gc_rounds");
  advance(now, "");
}

void Rounds::advance(TimePoint now, std::string_view obstacle) {
  const bool late = now - round_->began >= settings_.round_max;
  if (late || !obstacle.empty()) {
    parts_.out.count("gc_rounds_given_up");
    return end(now);
  }
  if (!round_->settled) {
    if (!ask_to_hold(now)) return;
    settle();
    round_->next_look = now + settings_.period;
    parts_.wakeup.set();
  }
  if (parts_.wakeup.take()) collect_agreed(now);
  if (round_->items.empty()) return end(now);
  if (now >= round_->next_look) make_way(now);
}

// What readers refer to may stay for long; it must not keep back what has come since.
void Rounds::make_way(TimePoint now) {
  round_->next_look = now + settings_.period;
  if (!parts_.readers.all_have_heard(round_->last_retired())) return;
  const DuplicateSurvey others = parts_.survey.look();
  if (others.found.empty() || parts_.survey.passed_over(others.found.front().first)) return;
  end(now);
  next_ = now;
}

// True once all have answered, or were given up.
bool Rounds::ask_to_hold(TimePoint now) {
  bool all_answered = true;
  const bool too_late = now - round_->began >= settings_.answer_wait;
  for (auto& [node, hold] : round_->holds) {
    if (hold.answered) continue;
    const Member* member = parts_.roster.find(node);
    const bool same =
        member != nullptr && member->epoch == hold.life && member->state == MemberState::alive;
    if (too_late || !same) {
      parts_.out.count("gc_holds_unanswered");
      hold.answered = true;
      drop_refused(node, hold.pages);
      continue;
    }
    all_answered = false;
    if (now < hold.ask_again) continue;
    hold.ask_again = now + kHoldAgain;
    const Duration left = settings_.round_max - (now - round_->began);
    parts_.post.ask(node, Channel::control, HoldMessage{round_->number, left, hold.pages});
  }
  return all_answered;
}

void Rounds::drop_refused(NodeId holder, std::span<const Anchor> refused) {
  const std::set<Anchor> gone(refused.begin(), refused.end());
  std::erase_if(round_->items, [&](const Item& item) {
    const bool is_refused = std::ranges::any_of(item.copies, [&](const KeptCopy& copy) {
      return copy.node == holder && gone.contains(copy.page);
    });
    if (is_refused) parts_.survey.pass_over(item.page.first);
    return is_refused;
  });
}

void Rounds::on_held(TimePoint now, NodeId from, const HeldMessage& held,
                     std::string_view obstacle) {
  if (!round_ || round_->number != held.round) return;
  const auto found = round_->holds.find(from);
  if (found == round_->holds.end() || found->second.answered) return;
  if (found->second.life != parts_.roster.at(from).epoch) return;
  found->second.answered = true;
  if (!held.refused.empty()) parts_.out.count("gc_pages_not_held", held.refused.size());
  drop_refused(from, held.refused);
  advance(now, obstacle);
}

// Whether the page is a duplicate still, of copies that are being kept by nodes that live.
bool Rounds::still_goes(const Item& item) const {
  const auto found = parts_.survey.below(item.page.first);
  if (!found) return false;
  for (const KeptCopy& copy : parts_.survey.copies_of(*found)) {
    const auto hold = round_->holds.find(copy.node);
    if (hold == round_->holds.end()) return false;
    if (hold->second.life != parts_.roster.at(copy.node).epoch) return false;
    if (std::ranges::find(item.copies, copy) == item.copies.end()) return false;
  }
  return true;
}

// What is held and still goes retires; in global_ref it may go as soon as nobody refers to it.
void Rounds::settle() {
  std::erase_if(round_->items, [&](const Item& item) { return !still_goes(item); });
  round_->settled = true;
  if (!retires()) return;
  std::vector<Anchor> firsts;
  for (const Item& item : round_->items) firsts.push_back(item.page.first);
  const std::vector<RetiredPage> retired = parts_.retirement.retire(std::move(firsts));
  for (Item& item : round_->items) {
    const auto found = std::ranges::find(retired, item.page.first, &RetiredPage::first);
    if (found != retired.end()) item.page = *found;
  }
  std::erase_if(round_->items, [](const Item& item) { return item.page.seq.value == 0; });
}

// Which of the items nobody refers to any more.
std::vector<bool> Rounds::agreed() const {
  std::vector<RetiredPage> pages;
  for (const Item& item : round_->items) pages.push_back(item.page);
  if (retires()) {
    return parts_.readers.sessions().agreed(parts_.picture.relation(), pages,
                                            parts_.roster.self().epoch);
  }
  std::vector<bool> agreed;
  for (const RetiredPage& page : pages) {
    agreed.push_back(!parts_.picture.has_own(page.first) ||
                     !parts_.picture.cache()->is_locked(page.first));
  }
  return agreed;
}

// What all agree to goes, if it still is a duplicate; what no longer is stays.
void Rounds::collect_agreed(TimePoint now) {
  const std::vector<bool> may_go = agreed();
  std::vector<Anchor> go, stay;
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < may_go.size(); ++i) {
    const Item& item = round_->items[i];
    if (!may_go[i]) continue;
    if (!still_goes(item)) {
      stay.push_back(item.page.first);
    } else if (go.empty() || tokens + item.page.tokens <= kTokensAtOnce) {
      tokens += item.page.tokens;
      go.push_back(item.page.first);
    } else {
      parts_.wakeup.set();  // the rest with the next step
    }
  }
  const std::set<Anchor> done(go.begin(), go.end()), kept(stay.begin(), stay.end());
  std::erase_if(round_->items, [&](const Item& item) {
    return done.contains(item.page.first) || kept.contains(item.page.first);
  });
  if (retires() && !stay.empty()) {
    parts_.retirement.take_back(std::move(stay));
    drop_what_stays();
  }
  if (go.empty()) return;
  LocalCache& cache = *parts_.picture.cache();
  const std::uint64_t before = cache.total_tokens();
  const SlotRuns freed = cache.remove_pages(go, parts_.own);
  const std::uint64_t collected = before - cache.total_tokens();
  round_->collected += collected;
  parts_.out.count("gc_tokens_collected", collected);
  parts_.engine.tell(now, freed);
}

// Where there was more than one round can take, the next one follows at once.
void Rounds::end(TimePoint now) {
  if (!round_) return;
  const Round round = std::move(*round_);
  round_.reset();
  if (round.settled && retires() && !round.items.empty()) {
    std::vector<Anchor> roots;
    for (const Item& item : round.items) roots.push_back(item.page.first);
    for (const Anchor& root : roots) parts_.survey.pass_over(root);
    parts_.retirement.take_back(std::move(roots));
  }
  for (const auto& [node, hold] : round.holds) {
    if (!parts_.roster.contains(node)) continue;
    parts_.post.ask(node, Channel::control, HoldMessage{round.number, Duration{0}, {}});
  }
  const bool goes_on = !round.is_whole && round.collected > 0;
  next_ = goes_on ? now : std::max(next_, now + settings_.period / 2);
}

std::vector<RetiredPage> Rounds::retired() const {
  std::vector<RetiredPage> pages;
  if (!round_ || !round_->settled) return pages;
  for (const Item& item : round_->items) pages.push_back(item.page);
  return pages;
}

void Rounds::drop_what_stays() {
  if (!round_ || !round_->settled) return;
  std::erase_if(round_->items,
                [this](const Item& each) { return parts_.retirement.stays(each.page); });
}

std::vector<std::string> Rounds::waits_for() const {
  std::vector<std::string> addrs;
  if (!round_) return addrs;
  for (const auto& [node, hold] : round_->holds) {
    const Member* member = parts_.roster.find(node);
    if (!hold.answered && member != nullptr) addrs.push_back(member->addr);
  }
  if (round_->settled) parts_.readers.add_blocking(round_->last_retired(), addrs);
  return addrs;
}

}  // namespace radixmesh
