#include "lib/gc/readers.h"

#include <algorithm>

#include "lib/base/limits.h"
#include "lib/base/planted.h"

namespace radixmesh {

bool Readers::on_register(TimePoint now, NodeId from, const RegisterMessage& said, bool lets_in) {
  using Verdict = ReaderSessions::Verdict;
  const auto ignored = [&](std::string_view as) {
    out_.count(as);
    return false;
  };
  RegisteredMessage reply{said.nonce, said.stamp, own_.head(), settings_.mode, settings_.lease, {}};
  const Epoch life = roster_.self().epoch;
  // It does not know this life yet: what it wants to refer to is of another.
  if (said.epoch != life) return ignored("registers_of_another_life");
  // No reader says that: in HELLO and WELCOME it stands for no registration, so that one which was
  // opened so would never be found out.
  if (said.stamp == 0) return ignored("registers_outdated");
  const Verdict verdict =
      sessions_.judge(from, ReaderWord{roster_.at(from).epoch, said.nonce, said.stamp});
  if (verdict == Verdict::outdated) return ignored("registers_outdated");
  if (verdict == Verdict::registers || said.ends) end(from);
  if (verdict == Verdict::registers && !said.ends && lets_in) {
    ReaderSession& opened = sessions_.open(from);
    opened.since = now;
    opened.epoch = life;
    out_.count("readers_registered");
  }
  ReaderSession* session = sessions_.find(from);
  if (session == nullptr) {
    // Nothing stands under what was ended or never begun, however late the answer.
    if (verdict == Verdict::registers && !said.ends) {
      reply.mode = GcMode::off;
    } else {
      reply.lease = Duration{0};
    }
    post_.answer(from, Channel::control, std::move(reply));
    return false;
  }
  bool let_go = false;
  if (verdict != Verdict::again) {
    session->expires = settings_.lapses_at_owner(now);
    session->applied = said.applied;
    session->complete = said.complete;
    session->blocks = said.blocks;
    if (settings_.mode == GcMode::global_ref) let_go = take_registers(*session, said.registers);
    wakeup_.set();
  }
  for (const ReaderRegister& each : said.registers) {
    const auto found = session->registers.find(each.page);
    const bool odd = each.version % 2 == 1;
    const bool has = found != session->registers.end();
    reply.registers.push_back({each.page, has ? found->second.version : odd ? 0 : each.version});
  }
  post_.answer(from, Channel::control, std::move(reply));
  return let_go;
}

// The later version counts. While one is odd, its page is locked here.
bool Readers::take_registers(ReaderSession& session, const std::vector<ReaderRegister>& said) {
  LocalCache& cache = *picture_.cache();
  bool let_go = false;
  for (const ReaderRegister& each : said) {
    const auto found = session.registers.find(each.page);
    const bool known = found != session.registers.end();
    if (known && each.version <= found->second.version) continue;
    if (each.version % 2 == 0) {
      if (!known) continue;
      cache.unlock(found->second.path);
      session.registers.erase(found);
      // As of its turn: the next one may lock it again.
      if (survey_.is_duplicate(each.page)) let_go = true;
    } else if (known) {
      found->second.version = each.version;
    } else if (session.registers.size() < limits::reader_pages_max) {
      if (const auto path = cache.lock_page(each.page)) {
        session.registers.emplace(each.page, ReaderSession::Register{each.version, *path});
      }
    }
  }
  return let_go;
}

void Readers::end(NodeId reader) {
  ReaderSession* session = sessions_.find(reader);
  if (session == nullptr) return;
  for (const auto& [page, each] : session->registers) picture_.cache()->unlock(each.path);
  sessions_.erase(reader);
  wakeup_.set();
}

void Readers::forget(NodeId reader) {
  end(reader);
  sessions_.forget(reader);
}

void Readers::end_all() {
  while (!sessions_.empty()) end(sessions_.all().begin()->first);
}

void Readers::begin_anew(NodeId reader) {
  ReaderSession* session = sessions_.find(reader);
  if (session != nullptr) session->is_over = true;
}

// By default a silent reader is waited for. But one that has left said so itself: what it referred
// to ended with its process, before its lease. And one that registered with an epoch that this node
// outgrew can renew nothing, and registers anew.
bool Readers::may_expire(NodeId reader, const ReaderSession& session) const {
  const bool left = roster_.at(reader).state == MemberState::left;
  return settings_.expires_silent || left || session.is_over ||
         session.epoch != roster_.self().epoch;
}

void Readers::expire(TimePoint now) {
  std::vector<NodeId> lapsed;
  const Duration early =
      is_planted(PlantedFault::early_expiry) ? settings_.lease_at_owner() : Duration{0};
  for (const auto& [reader, session] : sessions_.all()) {
    if (now >= session.expires - early && may_expire(reader, session)) lapsed.push_back(reader);
  }
  for (NodeId reader : lapsed) {
    out_.count("readers_expired");
    out_.log(LogLine::Level::warning, "reader_expired", "node=" + roster_.at(reader).addr);
    end(reader);
  }
}

TimePoint Readers::due() const {
  TimePoint due = kNever;
  for (const auto& [reader, session] : sessions_.all()) {
    if (may_expire(reader, session)) due = std::min(due, session.expires);
  }
  return due;
}

bool Readers::is_one_silent(TimePoint now) const {
  return std::ranges::any_of(sessions_.all(),
                             [now](const auto& each) { return now >= each.second.expires; });
}

void Readers::add_blocking(Seq last, std::vector<std::string>& addrs) const {
  for (const auto& [reader, session] : sessions_.all()) {
    const bool agreed = session.epoch == roster_.self().epoch && session.applied >= last &&
                        session.complete && session.blocks.empty() && session.registers.empty();
    if (!agreed) addrs.push_back(roster_.at(reader).addr);
  }
}

bool Readers::all_have_heard(Seq last) const {
  return std::ranges::all_of(sessions_.all(), [&](const auto& each) {
    return each.second.epoch == roster_.self().epoch && each.second.applied >= last;
  });
}

void Readers::add_to(TimePoint now, GcCountsView& view) const {
  for (const auto& [reader, session] : sessions_.all()) {
    const Duration silent = now - (session.expires - settings_.lease_at_owner());
    view.readers[roster_.at(reader).addr] = {now - session.since, std::max(Duration{0}, silent),
                                             session.blocks.size() + session.registers.size()};
  }
}

}  // namespace radixmesh
