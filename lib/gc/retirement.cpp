#include "lib/gc/retirement.h"

#include <algorithm>
#include <set>

#include "lib/base/limits.h"

namespace radixmesh {

std::vector<RetiredPage> Retirement::retire(std::vector<Anchor> firsts) {
  Relation& relation = picture_.relation();
  std::vector<RetiredPage> retired;
  std::erase_if(firsts, [&](Anchor first) {
    return !picture_.has_own(first) || relation.retiring_above(kSelf, first);
  });
  for (std::size_t at = 0; at < firsts.size(); at += limits::gc_pages_max) {
    const std::size_t most = std::min(limits::gc_pages_max, firsts.size() - at);
    GcQueryOp op;
    std::uint64_t tokens = 0;
    const Seq seq{own_.head().value + 1};
    for (const Anchor& first : std::span(firsts).subspan(at, most)) {
      const std::uint64_t each = *relation.set_retiring(kSelf, first, true);
      retired.push_back({first, seq, each});
      tokens += each;
      op.first_pages.push_back(first);
    }
    donor_.marked(roster_.self().id, op.first_pages, true);
    own_.publish(std::move(op), MessageType::gc_query, tokens);
  }
  return retired;
}

void Retirement::take_back(std::vector<Anchor> roots) {
  std::erase_if(roots, [this](Anchor root) { return !picture_.has_own(root); });
  for (std::size_t at = 0; at < roots.size(); at += limits::gc_pages_max) {
    const std::size_t most = std::min(limits::gc_pages_max, roots.size() - at);
    GcAbortOp op;
    op.first_pages.assign(roots.begin() + static_cast<std::ptrdiff_t>(at),
                          roots.begin() + static_cast<std::ptrdiff_t>(at + most));
    std::uint64_t tokens = 0;
    for (const Anchor& root : op.first_pages) {
      tokens += *picture_.relation().set_retiring(kSelf, root, false);
    }
    out_.count("gc_tokens_taken_back", tokens);
    donor_.marked(roster_.self().id, op.first_pages, false);
    own_.publish(std::move(op), MessageType::gc_abort, tokens);
  }
  std::erase_if(pages_, [this](const RetiredPage& each) { return stays(each); });
}

bool Retirement::stays(const RetiredPage& page) const {
  return !picture_.has_own(page.first) || !picture_.relation().retiring_above(kSelf, page.first);
}

bool Retirement::take_back_all() {
  if (pages_.empty()) return false;
  std::vector<Anchor> roots;
  for (const RetiredPage& each : pages_) roots.push_back(each.first);
  take_back(std::move(roots));
  return true;
}

bool Retirement::keep(const CacheNamespace& name, std::span<const TokenId> tokens) {
  if (picture_.relation().retiring_tokens(kSelf) == 0) return false;
  const Anchor last = picture_.cache()->local_anchor(picture_.match(name, tokens));
  if (last.is_root()) return false;
  const auto root = picture_.relation().retiring_above(kSelf, last);
  if (root) take_back({*root});
  return root.has_value();
}

// ---- removals that the engine asks for ---------------------------------------------------------

// Whether all of these pages retire, and nobody refers to what does.
bool Retirement::all_agreed(const std::vector<Anchor>& pages,
                            std::span<const RetiredPage> of_round) const {
  std::vector<RetiredPage> retired = pages_;
  retired.insert(retired.end(), of_round.begin(), of_round.end());
  const std::vector<bool> agreed =
      sessions_.agreed(picture_.relation(), retired, roster_.self().epoch);
  std::set<Anchor> good;
  for (std::size_t i = 0; i < retired.size(); ++i) {
    if (agreed[i]) good.insert(retired[i].first);
  }
  return std::ranges::all_of(pages, [&](Anchor page) {
    const auto root = picture_.relation().retiring_above(kSelf, page);
    return root && good.contains(*root);
  });
}

std::optional<Refusal> Retirement::objection(std::vector<Anchor> pages,
                                             std::span<const RetiredPage> of_round) {
  if (!is_needed() || all_agreed(pages, of_round)) return std::nullopt;
  const std::vector<RetiredPage> retired = retire(std::move(pages));
  pages_.insert(pages_.end(), retired.begin(), retired.end());
  return Refusal{RefusalCode::retry_later,
                 "other nodes may read it: it retires, and goes once none of them does"};
}

// ---- room --------------------------------------------------------------------------------------

// Of the bound, or where there is none, of what is here.
std::uint64_t Retirement::reserve_tokens() const {
  const std::uint64_t whole = tokens_max_ > 0 ? tokens_max_ : picture_.cache()->total_tokens();
  return whole * settings_.reserve_percent / 100;
}

std::uint64_t Retirement::waiting_tokens() const {
  const std::vector<bool> blocked = sessions_.blocked(picture_.relation(), pages_);
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < pages_.size(); ++i) tokens += blocked[i] ? 0 : pages_[i].tokens;
  return tokens;
}

void Retirement::retire_oldest(std::uint64_t num_tokens) {
  const std::vector<RetiredPage> retired =
      retire(picture_.cache()->oldest_pages(num_tokens, limits::gc_pages_max));
  pages_.insert(pages_.end(), retired.begin(), retired.end());
}

void Retirement::forget_gone() {
  std::erase_if(pages_, [this](const RetiredPage& each) { return !picture_.has_own(each.first); });
}

SlotRuns Retirement::free(std::uint64_t num_tokens) {
  LocalCache& cache = *picture_.cache();
  num_tokens = std::min(num_tokens, cache.total_tokens());
  forget_gone();
  const auto agreed = sessions_.agreed(picture_.relation(), pages_, roster_.self().epoch);
  std::vector<Anchor> chosen;
  std::uint64_t tokens = 0;
  std::size_t runs = 0;  // an answer names so many
  for (std::size_t i = 0; i < pages_.size() && tokens < num_tokens; ++i) {
    if (runs >= limits::evicted_runs_max) break;
    if (!agreed[i]) continue;
    chosen.push_back(pages_[i].first);
    tokens += pages_[i].tokens;
    runs += cache.slots_below(pages_[i].first).runs().size();
  }
  SlotRuns freed = cache.remove_pages(chosen, own_);
  forget_gone();
  const std::uint64_t wanted = num_tokens - std::min(num_tokens, tokens) + reserve_tokens();
  const std::uint64_t waiting = waiting_tokens();
  if (waiting < wanted) retire_oldest(wanted - waiting);
  return freed;
}

void Retirement::keep_reserve() {
  forget_gone();
  if (tokens_max_ == 0) return;
  const std::uint64_t total = picture_.cache()->total_tokens();
  const std::uint64_t room = tokens_max_ - std::min(tokens_max_, total);
  const std::uint64_t ready = waiting_tokens() + room, wanted = reserve_tokens();
  if (ready < wanted) retire_oldest(wanted - ready);
}

}  // namespace radixmesh
