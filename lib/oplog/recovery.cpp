#include "lib/oplog/recovery.h"

#include <string>

#include "lib/base/check.h"
#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// Whether the page above the first one of the entry that retires does not.
bool begins_to_retire(const Relation& relation, HolderIndex holder, const Entry& entry) {
  if (entry.retired_from > entry.begin || entry.begin == 0) return true;
  const Entry* parent = relation.entry_at_or_after(holder, entry.parent);
  return parent == nullptr || parent->seq != entry.parent || parent->retired_from >= entry.begin;
}

KnownState state_of(const Former& former) { return {former.epoch, former.seq}; }

}  // namespace

// Whoever has it is found only in a mesh.
TimePoint Recovery::search_ends() const {
  return under_way_->deadline + (roster_.joined() ? Duration{0} : timers_.join_wait);
}

TimePoint Recovery::due() const {
  if (!under_way_) return kNever;
  const auto& staging = under_way_->staging;
  if (!staging) return search_ends();
  return staging->chunks() == 0 ? under_way_->ask_again
                                : staging->heard() + timers_.snapshot_silence;
}

void Recovery::note_known(const KnownState& known) {
  if (under_way_) under_way_->known = std::max(under_way_->known, known);
}

void Recovery::expect(TimePoint until) {
  if (under_way_) under_way_->deadline = std::max(under_way_->deadline, until);
}

void Recovery::begin(TimePoint now, const KnownState& known) {
  drop_staging();
  under_way_.emplace();
  under_way_->deadline = now + timers_.recover_wait;
  under_way_->ask_again = now;
  under_way_->known = known;
  run(now);
}

void Recovery::run(TimePoint now) {
  if (!under_way_ || under_way_->next) return;
  if (const auto& staging = under_way_->staging) {
    if (now - staging->heard() < timers_.snapshot_silence) {
      // It may not have known yet that this life has begun.
      const bool again = staging->chunks() == 0 && now >= under_way_->ask_again;
      if (again) ask(now, staging->donor(), staging->heard());
      return;
    }
    under_way_->declined.insert(staging->donor());
    drop_staging();
  }
  bool all_known = false;
  const auto best = keeper(all_known);
  if (now < search_ends() && !all_known) return;
  if (!best) return begin_empty();
  ask(now, *best, now);
}

// `all_known`: nobody can turn up any more that has better.
std::optional<NodeId> Recovery::keeper(bool& all_known) const {
  std::optional<NodeId> best;
  all_known = roster_.joined();
  for (const auto& [id, member] : roster_.all()) {
    if (roster_.is_self(member)) continue;
    if (!member.introduced) all_known = false;
    const auto found = formers_.find(id);
    if (!member.introduced || found == formers_.end()) continue;
    const Former& former = found->second;
    if (former.epoch.value == 0 || !former.has_slots) continue;
    if (former.engine_token != roster_.self().engine_token) continue;
    if (under_way_->declined.contains(id)) continue;
    if (state_of(former) < under_way_->known || former.seq.value > limits::recovered_seq_max) {
      continue;
    }
    if (!best || state_of(former) > state_of(formers_.at(*best))) best = id;
  }
  return best;
}

void Recovery::ask(TimePoint now, NodeId donor, TimePoint heard) {
  drop_staging();
  under_way_->staging.emplace(donor, post_.next_session(), heard);
  under_way_->ask_again = now + timers_.hello;
  const Member& self = roster_.self();
  post_.ask(donor, Channel::bulk,
            SnapshotRequest{self.id, Epoch{}, Seq{}, under_way_->staging->session(), true,
                            self.engine_token});
}

void Recovery::drop_staging() {
  if (!under_way_ || !under_way_->staging) return;
  under_way_->staging->drop(picture_.relation());
  under_way_->staging.reset();
}

void Recovery::on_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk) {
  if (!under_way_ || !under_way_->staging || under_way_->next ||
      !under_way_->staging->is_of(from, chunk)) {
    return out_.count("chunks_unwanted");
  }
  Staging& staging = *under_way_->staging;
  const bool is_next = staging.is_next(chunk);
  const bool outdated = KnownState{chunk.epoch, chunk.as_of} < under_way_->known;
  // Pages whose slots the donor does not know could never be freed.
  const bool has_slots =
      chunk.has_slots && std::ranges::all_of(chunk.entries, [](const auto& entry) {
        return entry.body.slots.size() == entry.body.tokens.size();
      });
  const bool leaves_numbers = chunk.as_of.value <= limits::recovered_seq_max;
  if (chunk.status == SnapshotStatus::cannot || !is_next || !has_slots || !leaves_numbers ||
      (chunk.status == SnapshotStatus::last && outdated) ||
      !staging.take(picture_.relation(), chunk, out_)) {
    out_.count("recoveries_failed");
    under_way_->declined.insert(from);
    drop_staging();
    return run(now);
  }
  staging.heard(now);
  if (chunk.status == SnapshotStatus::last) {
    CHECK_THAT(own_.head().value == 0 && picture_.cache()->total_tokens() == 0, own_.head().value);
    under_way_->next = Seq{1};
    under_way_->as_of = chunk.as_of;
    return;
  }
  post_.ask(from, Channel::bulk, SnapshotCredit{chunk.origin, chunk.session, staging.chunks()});
}

bool Recovery::take_back(std::size_t entries_max) {
  if (!takes_back()) return false;
  const HolderIndex staged = *under_way_->staging->holder();
  std::size_t tokens_taken = 0;
  for (std::size_t taken = 0;; ++taken) {
    const Entry* entry = picture_.relation().entry_at_or_after(staged, *under_way_->next);
    if (entry == nullptr) return true;
    if (taken == entries_max || tokens_taken >= limits::restored_tokens_per_turn_max) return false;
    tokens_taken += entry->end - entry->begin;
    under_way_->next = Seq{entry->seq.value + 1};
    take_back(staged, Entry{*entry});
  }
}

void Recovery::take_back(HolderIndex staged, const Entry& entry) {
  Relation& relation = picture_.relation();
  std::vector<TokenId> tokens;
  SlotRuns slots;
  relation.read_entry(entry, entry.begin, entry.end, tokens, slots);
  picture_.cache()->restore(Insertion{entry.seq, Anchor{entry.parent, entry.begin},
                                      relation.entry_namespace(entry), tokens, slots});
  if (entry.retired_from < entry.end && begins_to_retire(relation, staged, entry)) {
    const std::uint32_t begin = std::max(entry.retired_from, entry.begin);
    under_way_->retiring.push_back({entry.seq, begin + relation.page_size()});
  }
  // Now, and not all with the first HEAD.
  (void)relation.digest(kSelf);
}

void Recovery::finish() {
  const std::vector<Anchor> retiring = std::move(under_way_->retiring);
  const TakenOver former{under_way_->staging->epoch(), under_way_->as_of};
  drop_staging();
  under_way_.reset();
  own_.take_over(former);
  for (std::size_t from = 0; from < retiring.size(); from += limits::gc_pages_max) {
    const auto begin = retiring.begin() + static_cast<std::ptrdiff_t>(from);
    const std::size_t most = std::min(limits::gc_pages_max, retiring.size() - from);
    own_.publish(GcAbortOp{{begin, begin + static_cast<std::ptrdiff_t>(most)}},
                 MessageType::gc_abort, 0);
  }
  out_.count("states_recovered");
  out_.log(LogLine::Level::info, "state_recovered",
           "node=" + roster_.self().addr + " seq=" + std::to_string(former.seq.value) +
               " tokens=" + std::to_string(picture_.cache()->total_tokens()));
}

void Recovery::begin_empty() {
  drop_staging();
  under_way_.reset();
  own_.begin_empty();
}

}  // namespace radixmesh
