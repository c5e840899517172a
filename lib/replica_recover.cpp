// A node's memory is its mesh: a new life of a node whose engine lived on takes its entries back
// from its peers.
//
//   the restarted node R                         a peer P
//   epoch e2, empty                              P hides what it has of R's life e1 (FormerLife)
//   HELLO ─────────────────────────────────────►
//   ◄────────────────────────── WELCOME: "I have your e1 up to seq s, of engine T"
//   its engine says hello as T
//   SNAPSHOT_REQUEST of itself, engine T ──────►
//   ◄──────────────────────────────── the chunks
//   its own entries again, head s
//   HEAD: taken over (e1, s) ──────────────────► has e1 up to s: shows it again, as e2 up to s
//                                                has less or other: takes a snapshot of e2
//
// Where the engine is a new one, or has written something before it said who it is, R begins empty
// and says so, and all that was of e1 goes.
#include <algorithm>
#include <limits>

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/base/planted.h"
#include "lib/replica.h"

namespace radixmesh {
namespace {

// Whether the page above the first one of the entry that retires does not.
bool begins_to_retire(const Relation& relation, HolderIndex holder, const Entry& entry) {
  if (entry.retired_from > entry.begin || entry.begin == 0) return true;
  const Entry* parent = relation.entry_at_or_after(holder, entry.parent);
  return parent == nullptr || parent->seq != entry.parent || parent->retired_from >= entry.begin;
}

}  // namespace

// ---- at the peers ------------------------------------------------------------------------------

// Takes what the origin has out of sight, and gives it a fresh holder.
void Replica::end_life(TimePoint now, NodeId id, Origin& origin) {
  if (is_planted(PlantedFault::forget_epoch)) return;
  const Member& member = members_.at(id);
  holders_.erase(origin.holder);
  const bool had_state = origin.stream.applied().value > 0 && !origin.replaces_all;
  // A life that never decided anything leaves what it found.
  if (had_state && !member.engine_token.empty()) {
    drop_former(origin);
    origin.former = FormerLife{origin.stream.epoch(), origin.stream.applied(), origin.holder,
                               member.engine_token, now};
  } else {
    if (had_state) drop_former(origin);
    relation_->drop_holder(origin.holder);
  }
  origin.holder = relation_->add_holder();
  holders_.emplace(origin.holder, id);
}

void Replica::drop_former(Origin& origin) {
  if (!origin.former) return;
  relation_->drop_holder(origin.former->holder);
  origin.former.reset();
}

// The origin says what it goes on with. Whoever has exactly that need not be sent it again.
void Replica::on_taken_over(TimePoint now, NodeId id, Origin& origin, const TakenOver& taken) {
  if (!origin.former) return;
  const bool fits = taken.epoch == origin.former->epoch && taken.seq == origin.former->applied &&
                    origin.stream.applied().value == 0 && !origin.staging;
  if (!fits) return drop_former(origin);
  holders_.erase(origin.holder);
  relation_->drop_holder(origin.holder);
  origin.holder = origin.former->holder;
  origin.former.reset();
  holders_.emplace(origin.holder, id);
  origin.stream.jump_to(origin.stream.epoch(), taken.seq);
  origin.head = std::max(origin.head, taken.seq);
  donor_.replaced(id);
  dirty_ = true;
  out_.count("states_taken_over");
  drain(now, id, origin);
  update_repair(now, id, origin);
}

// ---- at the node itself ------------------------------------------------------------------------

void Replica::attach_engine(TimePoint now, std::string_view engine_token, KnownState known) {
  if (engine_token.empty() || !cache_) return;
  if (self_->engine_token == engine_token) {
    if (recovery_) recovery_->known = std::max(recovery_->known, known);
    return;
  }
  if (takes_back()) return;  // see the header
  const bool had_engine = !self_->engine_token.empty();
  self_->engine_token = engine_token;
  if (had_engine) {
    // What the earlier one was to free is not this one's; but others may not know of it yet.
    collection_.unacknowledged.clear();
    collection_.advised.clear();
    collection_.engine_since = now;
  }
  next_head_ = std::min(next_head_, now);
  out_.log(LogLine::Level::info, "engine_attached", "node=" + self_->addr);
  if (taken_over_ || head_.value > 0) {
    // Another engine than before: what the earlier one had is not its.
    if (had_engine && cache_->total_tokens() > 0) {
      out_.count("engines_replaced");
      // Its memory is gone, whoever wanted to read it or counted on its copies.
      let_go_of_all();
      const std::size_t all = std::numeric_limits<std::size_t>::max();
      if (cache_->begin_reset(*this, false)) {
        (void)cache_->evict(cache_->total_tokens(), all, *this);
      }
    }
    return;
  }
  if (recovery_) drop_staging(recovery_->staging);
  recovery_.emplace();
  recovery_->deadline = now + settings_.timers.recover_wait;
  recovery_->ask_again = now;
  recovery_->known = known;
  recover_what_is_due(now);
}

// Asks the peer that has the most of this engine's state; waits a bounded time for one.
void Replica::recover_what_is_due(TimePoint now) {
  if (!recovery_ || recovery_->next) return;
  if (recovery_->staging) {
    const Duration silent = now - recovery_->staging->heard;
    if (silent < settings_.timers.snapshot_silence) {
      // It may not have known yet that this life has begun.
      const bool again = recovery_->staging->chunks == 0 && now >= recovery_->ask_again;
      if (again) ask_for_own(now, recovery_->staging->donor, recovery_->staging->heard);
      return;
    }
    recovery_->declined.insert(recovery_->staging->donor);
    drop_staging(recovery_->staging);
  }
  bool all_known = false;
  const Member* best = keeper_of_own_state(all_known);
  if (now < recovery_->due(joined(), settings_.timers.join_wait) && !all_known) return;
  if (best == nullptr) return begin_empty();
  ask_for_own(now, best->id, now);
}

// `all_known`: nobody can turn up any more that has better.
const Member* Replica::keeper_of_own_state(bool& all_known) const {
  const Member* best = nullptr;
  all_known = joined();
  for (const auto& [id, member] : members_) {
    if (id == self_->id) continue;
    if (!member.introduced) all_known = false;
    const Former& former = member.former;
    if (!member.introduced || former.epoch.value == 0 || !former.has_slots) continue;
    if (former.engine_token != self_->engine_token || recovery_->declined.contains(id)) continue;
    const auto has = [](const Former& what) { return KnownState{what.epoch, what.seq}; };
    if (has(former) < recovery_->known || former.seq.value > limits::recovered_seq_max) continue;
    if (best == nullptr || has(former) > has(best->former)) best = &member;
  }
  return best;
}

void Replica::ask_for_own(TimePoint now, NodeId donor, TimePoint heard) {
  drop_staging(recovery_->staging);
  recovery_->staging = SnapshotStaging{donor, next_session_++, {}, 0, std::nullopt, heard, {}, {}};
  recovery_->ask_again = now + settings_.timers.hello;
  ask(donor, Channel::bulk,
      SnapshotRequest{self_->id, Epoch{}, Seq{}, recovery_->staging->session, true,
                      self_->engine_token});
}

void Replica::on_own_chunk(TimePoint now, NodeId from, const SnapshotChunk& chunk) {
  if (!recovery_ || !recovery_->staging || recovery_->next || recovery_->staging->donor != from ||
      recovery_->staging->session != chunk.session) {
    return out_.count("chunks_unwanted");
  }
  SnapshotStaging& staging = *recovery_->staging;
  const bool in_order =
      chunk.index == staging.chunks && (staging.chunks == 0 || chunk.epoch == staging.epoch);
  const bool outdated = KnownState{chunk.epoch, chunk.as_of} < recovery_->known;
  // Pages whose slots the donor does not know could never be freed.
  const bool has_slots =
      chunk.has_slots && std::ranges::all_of(chunk.entries, [](const auto& entry) {
        return entry.body.slots.size() == entry.body.tokens.size();
      });
  const bool leaves_numbers = chunk.as_of.value <= limits::recovered_seq_max;
  if (chunk.status == SnapshotStatus::cannot || !in_order || !has_slots || !leaves_numbers ||
      (chunk.status == SnapshotStatus::last && outdated) || !stage(staging, chunk)) {
    out_.count("recoveries_failed");
    recovery_->declined.insert(from);
    drop_staging(recovery_->staging);
    return recover_what_is_due(now);
  }
  staging.heard = now;
  if (chunk.status == SnapshotStatus::last) {
    CHECK_THAT(head_.value == 0 && cache_->total_tokens() == 0, head_.value);
    recovery_->next = Seq{1};
    recovery_->as_of = chunk.as_of;
    return;
  }
  ask(from, Channel::bulk, SnapshotCredit{chunk.origin, chunk.session, staging.chunks});
}

// The next of the staged entries become this node's own, under its new epoch, with the numbers that
// they had. Nobody hears of them before all are: as of op 0 there is nothing.
void Replica::take_back(TimePoint now, std::size_t entries_max) {
  if (!takes_back()) return;
  const HolderIndex staged = *recovery_->staging->holder;
  const Seq as_of = recovery_->as_of;
  Seq& next = *recovery_->next;
  std::size_t tokens_taken = 0;
  for (std::size_t taken = 0;; ++taken) {
    const Entry* entry = relation_->entry_at_or_after(staged, next);
    if (entry == nullptr) break;
    if (taken == entries_max || tokens_taken >= limits::restored_tokens_per_turn_max) return;
    tokens_taken += entry->end - entry->begin;
    next = Seq{entry->seq.value + 1};
    std::vector<TokenId> tokens;
    SlotRuns slots;
    const Entry at = *entry;
    relation_->read_entry(at, at.begin, at.end, tokens, slots);
    cache_->restore(Insertion{at.seq, Anchor{at.parent, at.begin}, relation_->entry_namespace(at),
                              tokens, slots});
    if (at.retired_from < at.end && begins_to_retire(*relation_, staged, at)) {
      const std::uint32_t begin = std::max(at.retired_from, at.begin);
      recovery_->retiring.push_back({at.seq, begin + settings_.page_size});
    }
    // Now, and not all with the first HEAD.
    (void)relation_->digest(kSelf);
  }
  const std::vector<Anchor> retiring = std::move(recovery_->retiring);
  taken_over_ = TakenOver{recovery_->staging->epoch, as_of};
  drop_staging(recovery_->staging);
  recovery_.reset();
  head_ = as_of;
  donor_.replaced(self_->id);
  // Whoever is registered is registered with the former life: as long as its lease may stand
  // nothing goes, and what was retired then is taken back.
  collection_.frees_from = now + free_wait(now);
  // Here nothing retires; others hear that it does no more.
  for (std::size_t from = 0; from < retiring.size(); from += limits::gc_pages_max) {
    const auto begin = retiring.begin() + static_cast<std::ptrdiff_t>(from);
    const std::size_t most = std::min(limits::gc_pages_max, retiring.size() - from);
    publish_own(GcAbortOp{{begin, begin + static_cast<std::ptrdiff_t>(most)}},
                MessageType::gc_abort, 0);
  }
  out_.count("states_recovered");
  out_.log(LogLine::Level::info, "state_recovered",
           "node=" + self_->addr + " seq=" + std::to_string(as_of.value) +
               " tokens=" + std::to_string(cache_->total_tokens()));
  publish_head(now);
}

// What former lives of this node granted, they granted before this process began.
void Replica::on_former_lease(Duration lease) {
  if (lease == Duration{0}) return;
  const TimePoint lapse = started_ + settings_.gc.lapsed_after(lease);
  if (lapse <= collection_.former_lapse) return;
  collection_.former_lease = lease;
  collection_.former_lapse = lapse;
  const bool took_back = taken_over_ && taken_over_->epoch.value != 0;
  if (took_back) collection_.frees_from = std::max(collection_.frees_from, lapse);
}

// There is nothing to take back, or no more.
void Replica::begin_empty() {
  if (recovery_) drop_staging(recovery_->staging);
  recovery_.reset();
  if (taken_over_) return;
  taken_over_ = TakenOver{};
  dirty_ = true;
}

}  // namespace radixmesh
