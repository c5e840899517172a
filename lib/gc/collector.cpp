#include "lib/gc/collector.h"

#include <algorithm>
#include <string>
#include <tuple>

namespace radixmesh {
namespace {

// Between two looks at what was retired to make room.
constexpr Duration kCarePause = std::chrono::milliseconds(20);

}  // namespace

Collector::Collector(const GcSettings& settings, const Parts& parts, TimePoint now)
    : settings_(settings),
      roster_(parts.roster),
      picture_(parts.picture),
      leases_(settings_, parts.picture.cache() != nullptr, now),
      engine_(settings_, parts.roster, parts.own, parts.out, parts.life.value),
      survey_(settings_, parts.roster, parts.streams, parts.picture),
      readers_(settings_, parts.roster, parts.picture, parts.own, survey_, parts.post, parts.out,
               wakeup_),
      retirement_(settings_, parts.roster, parts.picture, parts.own, parts.donor, parts.out,
                  readers_.sessions(), parts.tokens_max),
      rounds_(settings_,
              {parts.roster, parts.picture, parts.own, parts.post, parts.out, survey_, retirement_,
               engine_, readers_, wakeup_},
              parts.life.value),
      keeper_(settings_, parts.picture, parts.post, parts.out, wakeup_),
      references_(settings_, parts.roster, parts.picture, parts.streams, parts.post) {}

// ---- time --------------------------------------------------------------------------------------

void Collector::run(TimePoint now, Conditions conditions) {
  if (picture_.cache() == nullptr) return;
  keeper_.expire(now);
  if (settings_.mode == GcMode::off) return;
  readers_.expire(now);
  if (now >= next_care_) {
    next_care_ = now + kCarePause;
    if (retirement_.is_needed()) {
      retirement_.keep_reserve();
    } else if (retirement_.take_back_all()) {
      rounds_.drop_what_stays();
    }
  }
  if (now >= next_period_) {
    next_period_ = now + settings_.period;
    picture_.cache()->begin_period();
    advise(conditions);
  }
  if (rounds_.is_due(now)) rounds_.run(now, obstacle(now, conditions));
}

TimePoint Collector::due() const {
  if (picture_.cache() == nullptr) return kNever;
  if (settings_.mode == GcMode::off) return keeper_.due();
  return std::min({keeper_.due(), next_period_, readers_.due(), rounds_.due()});
}

// Why no round can begin or go on; empty where one can.
std::string_view Collector::obstacle(TimePoint now, Conditions conditions) const {
  if (settings_.mode == GcMode::off) return "off";
  if (!conditions.ready || roster_.self().rank == kAnyRank) return "not ready";
  if (conditions.draining) return "draining";
  if (!engine_.frees()) return "the engine frees no single slots";
  if (!leases_.may_free(now)) return "readers of this node's earlier life may still read";
  if (settings_.mode == GcMode::local_ref && readers_.is_one_silent(now)) {
    return "a registered reader is silent";
  }
  if (engine_.is_full()) return "the engine does not acknowledge";
  return "";
}

// An engine that frees no single slots is told which of them hold duplicates.
void Collector::advise(Conditions conditions) {
  if (!engine_.keeps_duplicates() || !conditions.ready) return;
  std::vector<Anchor> firsts;
  for (const Duplicate& each : survey_.look().found) firsts.push_back(each.first);
  engine_.advise(*picture_.cache(), std::move(firsts));
}

// ---- messages ----------------------------------------------------------------------------------

// Who is about to leave lets nobody in, but goes on with those that are.
void Collector::on_register(TimePoint now, NodeId from, const RegisterMessage& said,
                            Conditions conditions) {
  const bool lets_in =
      picture_.cache() != nullptr && settings_.mode != GcMode::off && !conditions.draining;
  if (readers_.on_register(now, from, said, lets_in)) rounds_.look_early(now);
}

// ---- members -----------------------------------------------------------------------------------

void Collector::begin_life(TimePoint now, NodeId member) {
  leases_.begin_life(now, member);
  readers_.begin_anew(member);
  keeper_.forget(member);
  references_.registrations().drop(member);
}

void Collector::forget(NodeId member) {
  leases_.forget(member);
  readers_.forget(member);
  keeper_.forget(member);
  references_.registrations().drop(member);
}

void Collector::outgrow(TimePoint now) {
  references_.registrations().drop_all();
  // The better holders let go of what they kept for the life that was.
  rounds_.end(now);
}

void Collector::add_to(NodeId member, OwnNumbers& numbers) const {
  std::tie(numbers.nonce, numbers.stamp) = readers_.sessions().last_said(member);
  numbers.round = keeper_.last_round(member);
}

void Collector::correct_reader(NodeId member, const ReaderWord& said, bool word_is_wrong) {
  // What it may have referred to under its own registration stands until the lease lapses.
  readers_.begin_anew(member);
  if (word_is_wrong) readers_.believe(member, said);
}

// ---- the engine --------------------------------------------------------------------------------

void Collector::set_engine_frees(TimePoint now, bool frees, bool takes_advice) {
  if (frees && !engine_.frees()) rounds_.by(now + settings_.period);
  engine_.set(frees, takes_advice);
}

void Collector::replace_engine(TimePoint now) {
  engine_.replace_engine();
  leases_.replace_engine(now);
}

// Of what this node keeps for others: their rounds and their references.
void Collector::let_go_of_all() {
  keeper_.let_go_of_all();
  readers_.end_all();
}

void Collector::keep(const CacheNamespace& name, std::span<const TokenId> tokens) {
  if (retirement_.keep(name, tokens)) rounds_.drop_what_stays();
}

std::optional<Refusal> Collector::not_yet(TimePoint now) const {
  if (leases_.may_free(now)) return std::nullopt;
  const auto left_ms = (leases_.frees_from() - now).count() / 1000 + 1;
  return Refusal{RefusalCode::retry_later,
                 "others may still read what this node held before its restart: try again in " +
                     std::to_string(left_ms) + " ms"};
}

SlotRuns InsertJournal::make_room(LocalCache& cache, std::uint64_t num_tokens) {
  if (!collector_.leases().may_free(now_)) return {};
  if (!collector_.retirement().is_needed()) return Journal::make_room(cache, num_tokens);
  return collector_.retirement().free(num_tokens);
}

// ---- what is shown -----------------------------------------------------------------------------

tl::expected<GcView, Refusal> Collector::view(TimePoint now, bool run, Conditions conditions) {
  const std::string_view why_not = obstacle(now, conditions);
  if (run && !why_not.empty()) {
    const RefusalCode code =
        settings_.mode == GcMode::off ? RefusalCode::fix_request : RefusalCode::retry_later;
    return tl::unexpected(Refusal{code, "no round can begin: " + std::string(why_not)});
  }
  const bool begins = run && !rounds_.is_running();
  GcView view = survey_.view(now, begins);
  view.not_collecting = why_not;
  if (begins) rounds_.begin(now);
  view.round_running = rounds_.is_running();
  view.waits_for = rounds_.waits_for();
  view.counts = counts(now);
  return view;
}

GcCountsView Collector::counts(TimePoint now) const {
  GcCountsView view;
  view.mode = gc_mode_name(settings_.mode);
  view.retiring_tokens = picture_.relation().retiring_tokens(kSelf);
  view.held_pages = keeper_.held_pages();
  for (const auto& [owner, count] : references_.registrations().counts(now)) {
    view.references[roster_.at(owner).addr] = count;
  }
  readers_.add_to(now, view);
  engine_.add_to(now, view);
  return view;
}

}  // namespace radixmesh
