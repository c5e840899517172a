// This node as an owner that others refer to: who is registered, and the removals that wait until
// nobody does. See lib/gc/reader_sessions.h.
#include <algorithm>

#include "lib/base/limits.h"
#include "lib/base/planted.h"
#include "lib/replica.h"

namespace radixmesh {
// ---- registrations -----------------------------------------------------------------------------

void Replica::on_register(TimePoint now, NodeId from, const RegisterMessage& said) {
  RegisteredMessage reply{said.nonce, said.stamp, head_, settings_.gc.mode, settings_.gc.lease, {}};
  // It does not know this life yet: what it wants to refer to is of another.
  if (said.epoch != self_->epoch) return out_.count("registers_of_another_life");
  // No reader says that: in HELLO and WELCOME it stands for no registration, so that one which was
  // opened so would never be found out.
  if (said.stamp == 0) return out_.count("registers_outdated");
  ReaderSessions& readers = collection_.readers;
  const ReaderWord word{members_.at(from).epoch, said.nonce, said.stamp};
  const auto verdict = readers.judge(from, word);
  if (verdict == ReaderSessions::Verdict::outdated) return out_.count("registers_outdated");
  if (verdict == ReaderSessions::Verdict::registers || said.ends) end_reader(from);
  // Who is about to leave lets nobody in, but goes on with those that are.
  const bool lets_in = cache_ && settings_.gc.mode != GcMode::off && !draining();
  if (verdict == ReaderSessions::Verdict::registers && !said.ends && lets_in) {
    ReaderSession& opened = readers.open(from);
    opened.since = now;
    opened.epoch = self_->epoch;
    out_.count("readers_registered");
  }
  ReaderSession* session = readers.find(from);
  if (session == nullptr) {
    // Nothing stands under what was ended or never begun, however late the answer.
    if (verdict == ReaderSessions::Verdict::registers && !said.ends) {
      reply.mode = GcMode::off;
    } else {
      reply.lease = Duration{0};
    }
    return answer(from, Channel::control, std::move(reply));
  }
  if (verdict != ReaderSessions::Verdict::again) {
    session->expires = settings_.gc.lapses_at_owner(now);
    session->applied = said.applied;
    session->complete = said.complete;
    session->blocks = said.blocks;
    if (settings_.gc.mode == GcMode::global_ref) take_registers(now, *session, said.registers);
    collection_.changed = true;
  }
  for (const ReaderRegister& each : said.registers) {
    const auto found = session->registers.find(each.page);
    const bool odd = each.version % 2 == 1;
    const bool has = found != session->registers.end();
    reply.registers.push_back({each.page, has ? found->second.version : odd ? 0 : each.version});
  }
  answer(from, Channel::control, std::move(reply));
}

// The later version counts. While one is odd, its page is locked here.
void Replica::take_registers(TimePoint now, ReaderSession& session,
                             const std::vector<ReaderRegister>& said) {
  for (const ReaderRegister& each : said) {
    const auto found = session.registers.find(each.page);
    const bool known = found != session.registers.end();
    if (known && each.version <= found->second.version) continue;
    if (each.version % 2 == 0) {
      if (!known) continue;
      cache_->unlock(found->second.path);
      session.registers.erase(found);
      collect_soon(now, each.page);
    } else if (known) {
      found->second.version = each.version;
    } else if (session.registers.size() < limits::reader_pages_max) {
      if (const auto path = cache_->lock_page(each.page)) {
        session.registers.emplace(each.page, ReaderSession::Register{each.version, *path});
      }
    }
  }
}

void Replica::end_reader(NodeId reader) {
  ReaderSession* session = collection_.readers.find(reader);
  if (session == nullptr) return;
  for (const auto& [page, each] : session->registers) cache_->unlock(each.path);
  collection_.readers.erase(reader);
  collection_.changed = true;
}

// By default a silent reader is waited for. But one that has left said so itself: what it referred
// to ended with its process, before its lease. And one that registered with an epoch that this node
// outgrew can renew nothing, and registers anew.
bool Replica::may_expire(NodeId reader, const ReaderSession& session) const {
  const bool left = members_.at(reader).state == MemberState::left;
  return settings_.gc.expires_silent || left || session.is_over || session.epoch != self_->epoch;
}

// Others say that the reader began another life. Its process may be the same, and not know that it
// outgrew its epoch: what it refers to stands until its lease lapses, or it registers anew.
void Replica::reader_began_anew(NodeId reader) {
  ReaderSession* session = collection_.readers.find(reader);
  if (session != nullptr) session->is_over = true;
}

void Replica::expire_readers(TimePoint now) {
  std::vector<NodeId> lapsed;
  const Duration early =
      is_planted(PlantedFault::early_expiry) ? settings_.gc.lease_at_owner() : Duration{0};
  for (const auto& [reader, session] : collection_.readers.all()) {
    if (now >= session.expires - early && may_expire(reader, session)) lapsed.push_back(reader);
  }
  for (NodeId reader : lapsed) {
    out_.count("readers_expired");
    out_.log(LogLine::Level::warning, "reader_expired", "node=" + members_.at(reader).addr);
    end_reader(reader);
  }
}

// ---- retiring ----------------------------------------------------------------------------------

// Whether pages must retire before they go. In global_ref those that readers refer to are locked.
bool Replica::readers_must_agree() const {
  return settings_.gc.mode == GcMode::local_ref && !collection_.readers.empty();
}

// Those of the pages that are here and do not retire yet begin to, and are added to the list.
void Replica::retire(std::vector<Anchor> firsts, std::vector<Retirement>& list) {
  std::erase_if(firsts, [this](Anchor first) {
    return !has_own_page(first) || relation_->retiring_above(kSelf, first);
  });
  for (std::size_t at = 0; at < firsts.size(); at += limits::gc_pages_max) {
    const std::size_t most = std::min(limits::gc_pages_max, firsts.size() - at);
    GcQueryOp op;
    std::uint64_t tokens = 0;
    const Seq seq{head_.value + 1};
    for (const Anchor& first : std::span(firsts).subspan(at, most)) {
      const std::uint64_t each = *relation_->set_retiring(kSelf, first, true);
      list.push_back({first, seq, each});
      tokens += each;
      op.first_pages.push_back(first);
    }
    donor_.marked(self_->id, op.first_pages, true);
    publish_own(std::move(op), MessageType::gc_query, tokens);
  }
}

// What retires from each of these pages on stays after all; what had agreed to that counts no more.
void Replica::take_back_pages(std::vector<Anchor> roots) {
  std::erase_if(roots, [this](Anchor root) { return !has_own_page(root); });
  for (std::size_t at = 0; at < roots.size(); at += limits::gc_pages_max) {
    const std::size_t most = std::min(limits::gc_pages_max, roots.size() - at);
    GcAbortOp op;
    op.first_pages.assign(roots.begin() + static_cast<std::ptrdiff_t>(at),
                          roots.begin() + static_cast<std::ptrdiff_t>(at + most));
    std::uint64_t tokens = 0;
    for (const Anchor& root : op.first_pages) {
      tokens += *relation_->set_retiring(kSelf, root, false);
    }
    out_.count("gc_tokens_taken_back", tokens);
    donor_.marked(self_->id, op.first_pages, false);
    publish_own(std::move(op), MessageType::gc_abort, tokens);
  }
  const auto stays = [this](const Retirement& each) {
    return !has_own_page(each.first) || !relation_->retiring_above(kSelf, each.first);
  };
  std::erase_if(collection_.evictions, stays);
  if (!collection_.round || !collection_.round->settled) return;
  std::erase_if(collection_.round->items, [&](const auto& each) { return stays(each.page); });
}

// What was retired for readers that are no more: the engine may have it removed at once, if it
// still wants to.
void Replica::take_back_all() {
  if (collection_.evictions.empty()) return;
  std::vector<Anchor> roots;
  for (const Retirement& each : collection_.evictions) roots.push_back(each.first);
  take_back_pages(std::move(roots));
}

// The engine uses these tokens: what of them retires stays.
void Replica::keep_own_pages(const CacheNamespace& name, std::span<const TokenId> tokens) {
  if (relation_->retiring_tokens(kSelf) == 0) return;
  relation_->match(name, tokens, match_);
  const Anchor last = cache_->local_anchor(match_);
  if (last.is_root()) return;
  if (const auto root = relation_->retiring_above(kSelf, last)) take_back_pages({*root});
}

std::vector<Retirement> Replica::retired_roots() const {
  std::vector<Retirement> all = collection_.evictions;
  if (collection_.round && collection_.round->settled) {
    for (const auto& item : collection_.round->items) all.push_back(item.page);
  }
  return all;
}

// Whether all of these own pages retire, and nobody refers to what does.
bool Replica::all_agreed(const std::vector<Anchor>& pages) const {
  const std::vector<Retirement> retired = retired_roots();
  const std::vector<bool> agreed = collection_.readers.agreed(*relation_, retired, self_->epoch);
  std::set<Anchor> good;
  for (std::size_t i = 0; i < retired.size(); ++i) {
    if (agreed[i]) good.insert(retired[i].first);
  }
  return std::ranges::all_of(pages, [&](Anchor page) {
    const auto root = relation_->retiring_above(kSelf, page);
    return root && good.contains(*root);
  });
}

// ---- removals that the engine asks for ---------------------------------------------------------

// Why these pages, and all below them, cannot be removed now; they retire, so that they soon can.
std::optional<Refusal> Replica::objection_to_removal(TimePoint now, std::vector<Anchor> pages) {
  if (!may_free(now)) {
    return Refusal{RefusalCode::retry_later,
                   "others may still read what this node held before its restart: try again in " +
                       std::to_string((collection_.frees_from - now).count() / 1000 + 1) + " ms"};
  }
  if (!readers_must_agree() || all_agreed(pages)) return std::nullopt;
  retire(std::move(pages), collection_.evictions);
  beat(now);
  return Refusal{RefusalCode::retry_later,
                 "other nodes may read it: it retires, and goes once none of them does"};
}

// ---- room --------------------------------------------------------------------------------------

// Of the bound, or where there is none, of what is here.
std::uint64_t Replica::reserve_tokens() const {
  const std::uint64_t whole =
      settings_.max_radix_cache_size > 0 ? settings_.max_radix_cache_size : cache_->total_tokens();
  return whole * settings_.gc.reserve_percent / 100;
}

// What some reader refers to does not: it may for long.
std::uint64_t Replica::waiting_to_go() const {
  const std::vector<Retirement>& pages = collection_.evictions;
  const std::vector<bool> blocked = collection_.readers.blocked(*relation_, pages);
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) tokens += blocked[i] ? 0 : pages[i].tokens;
  return tokens;
}

void Replica::retire_oldest(std::uint64_t num_tokens) {
  retire(cache_->oldest_pages(num_tokens, limits::gc_pages_max), collection_.evictions);
}

// Frees what was retired to make room and nobody refers to, the oldest first, and retires as much
// again.
SlotRuns Replica::free_retired(std::uint64_t num_tokens) {
  num_tokens = std::min(num_tokens, cache_->total_tokens());
  std::vector<Retirement>& evictions = collection_.evictions;
  std::erase_if(evictions, [this](const Retirement& each) { return !has_own_page(each.first); });
  const auto agreed = collection_.readers.agreed(*relation_, evictions, self_->epoch);
  std::vector<Anchor> chosen;
  std::uint64_t tokens = 0;
  std::size_t runs = 0;  // an answer names so many
  for (std::size_t i = 0; i < evictions.size() && tokens < num_tokens; ++i) {
    if (runs >= limits::evicted_runs_max) break;
    if (!agreed[i]) continue;
    chosen.push_back(evictions[i].first);
    tokens += evictions[i].tokens;
    runs += cache_->slots_below(evictions[i].first).runs().size();
  }
  SlotRuns freed = cache_->remove_pages(chosen, *this);
  std::erase_if(evictions, [this](const Retirement& each) { return !has_own_page(each.first); });
  const std::uint64_t wanted = num_tokens - std::min(num_tokens, tokens) + reserve_tokens();
  const std::uint64_t waiting = waiting_to_go();
  if (waiting < wanted) retire_oldest(wanted - waiting);
  return freed;
}

SlotRuns Replica::make_room(LocalCache& cache, std::uint64_t num_tokens) {
  if (!may_free(last_step_)) return {};
  if (!readers_must_agree()) return Journal::make_room(cache, num_tokens);
  return free_retired(num_tokens);
}

// So that an insert finds room at once.
void Replica::keep_reserve() {
  const std::uint64_t bound = settings_.max_radix_cache_size;
  std::erase_if(collection_.evictions,
                [this](const auto& each) { return !has_own_page(each.first); });
  if (bound == 0) return;
  const std::uint64_t wanted = reserve_tokens(),
                      room = bound - std::min(bound, cache_->total_tokens());
  const std::uint64_t ready = waiting_to_go() + room;
  if (ready < wanted) retire_oldest(wanted - ready);
}

}  // namespace radixmesh
