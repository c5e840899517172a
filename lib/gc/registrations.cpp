#include "lib/gc/registrations.h"

#include <algorithm>

#include "lib/base/limits.h"
#include "lib/base/planted.h"

namespace radixmesh {
namespace {

// A registration is renewed so many times within its lease.
constexpr int kRenewals = 5;
// Until an unanswered REGISTER is sent again.
constexpr Duration kAskAgain = std::chrono::milliseconds(250);
// Between two statements of what still retires: many references may be released one by one.
constexpr Duration kStatementPause = std::chrono::milliseconds(5);

}  // namespace

Registrations::Owner& Registrations::begin(TimePoint now, NodeId id, Epoch epoch) {
  Owner& owner = owners_[id];
  owner = Owner{};
  owner.nonce = ++last_nonce_;
  owner.epoch = epoch;
  owner.sending.next = owner.used = now;
  return owner;
}

// Gives the register its next version, odd or even; versions of one registration only grow.
void Registrations::raise(Owner& owner, Anchor at, Page& page, bool odd) {
  owner.versions.untold.insert(at);
  page.version = owner.versions.last + ((owner.versions.last % 2 == 1) == odd ? 2 : 1);
  owner.versions.last = page.version;
  page.told = page.denied = false;
}

// Who is silent for long is passed over, until it answers; it goes on being asked.
Registrations::Asked Registrations::wait(TimePoint now, Owner& owner) const {
  if (!owner.patience_ends) owner.patience_ends = now + settings_.holder_patience;
  owner.next_look = std::min(owner.next_look, std::max(now, *owner.patience_ends));
  return {now < *owner.patience_ends ? Grant::wait : Grant::refused, 0};
}

Registrations::Asked Registrations::refer(TimePoint now, NodeId id, Epoch epoch, Seq applied,
                                          Anchor page) {
  auto found = owners_.find(id);
  // Where the end of a registration was told already, another one begins.
  const bool fresh = found == owners_.end() || found->second.epoch != epoch ||
                     found->second.ending ||
                     (found->second.position && now >= found->second.valid_until);
  Owner& owner = fresh ? begin(now, id, epoch) : found->second;
  owner.used = now;
  if (!owner.position) return wait(now, owner);
  if (owner.mode == GcMode::off) return {Grant::refused, 0};
  if (applied < *owner.position && !is_planted(PlantedFault::no_position)) {
    return wait(now, owner);
  }
  if (!owner.pages.contains(page) && owner.pages.size() >= limits::reader_pages_max) {
    return {Grant::refused, 0};
  }
  Page& at = owner.pages[page];
  const bool confirmed = at.confirmed() || is_planted(PlantedFault::no_confirm);
  if (owner.mode == GcMode::global_ref && !confirmed) {
    if (at.denied) {
      owner.versions.untold.erase(page);
      owner.pages.erase(page);
      owner.patience_ends.reset();
      return {Grant::refused, 0};
    }
    if (at.version % 2 == 0) {
      raise(owner, page, at, true);
      owner.sending.statement = now;
    }
    at.wanted_until = now + settings_.answer_wait;
    owner.next_look = std::min(owner.next_look, at.wanted_until);
    return wait(now, owner);
  }
  owner.patience_ends.reset();
  ++at.users;
  references_[++last_reference_] = Reference{id, owner.nonce, page};
  return {Grant::granted, last_reference_};
}

bool Registrations::waits(TimePoint now, NodeId id, Seq applied, Anchor page) const {
  const auto found = owners_.find(id);
  if (found == owners_.end()) return false;
  const Owner& owner = found->second;
  if (owner.patience_ends && now >= *owner.patience_ends) return false;
  if (!owner.position) return true;
  if (owner.mode == GcMode::off || now >= owner.valid_until) return false;
  if (applied < *owner.position) return true;
  const auto at = owner.pages.find(page);
  return at != owner.pages.end() && at->second.version % 2 == 1 && !at->second.told &&
         !at->second.denied;
}

void Registrations::release_page(TimePoint now, Owner& owner, std::map<Anchor, Page>::iterator at) {
  if (owner.mode == GcMode::global_ref) {
    raise(owner, at->first, at->second, false);
    owner.sending.statement = now;
  } else {
    owner.versions.untold.erase(at->first);
    owner.pages.erase(at);
  }
}

void Registrations::release(TimePoint now, ReferenceId id) {
  const auto found = references_.find(id);
  if (found == references_.end()) return;
  const Reference reference = found->second;
  references_.erase(found);
  const auto owner = owners_.find(reference.owner);
  if (owner == owners_.end() || owner->second.nonce != reference.nonce) return;
  owner->second.used = now;
  const auto page = owner->second.pages.find(reference.page);
  if (page == owner->second.pages.end() || page->second.users == 0) return;
  if (--page->second.users == 0) release_page(now, owner->second, page);
}

bool Registrations::valid(TimePoint now, ReferenceId id) const {
  const auto found = references_.find(id);
  if (is_planted(PlantedFault::no_check)) return true;
  if (found == references_.end()) return false;
  const auto owner = owners_.find(found->second.owner);
  return owner != owners_.end() && owner->second.nonce == found->second.nonce &&
         now < owner->second.valid_until;
}

std::optional<Registrations::Reference> Registrations::find(ReferenceId id) const {
  const auto found = references_.find(id);
  if (found == references_.end()) return std::nullopt;
  return found->second;
}

void Registrations::on_registered(TimePoint now, NodeId id, Epoch epoch,
                                  const RegisteredMessage& answer) {
  const auto found = owners_.find(id);
  if (found == owners_.end()) return;
  Owner& owner = found->second;
  if (answer.nonce != owner.nonce || epoch != owner.epoch || answer.stamp > owner.stamp ||
      answer.stamp <= owner.answered) {
    return;
  }
  // Of one registration the mode does not change: one of the two answers was not the owner's.
  if (owner.position && answer.lease > Duration{0} && answer.mode != owner.mode) {
    return begin_anew(now, id);
  }
  const bool was_ending = owner.ending;
  owner.answered = answer.stamp;
  const TimePoint sent{Duration{static_cast<std::int64_t>(answer.stamp)}};
  owner.valid_until = settings_.lapses_at_reader(sent, answer.lease);
  if (!owner.position) {
    owner.position = answer.position;
    owner.mode = answer.mode;
  }
  // It is the owner's head as of its first answer; later ones are not below it.
  owner.position = std::min(*owner.position, answer.position);
  if (owner.patience_ends) {
    // Who still waits has the ops to wait for now, or a confirmation.
    const bool waits = now < *owner.patience_ends;
    owner.patience_ends = waits ? std::optional(now + settings_.holder_patience) : std::nullopt;
  }
  // Whatever lease was told: a wrong one does not outlast the next answer by much.
  owner.sending.next = now + std::min(answer.lease, settings_.lease) / kRenewals;
  for (const ReaderRegister& each : answer.registers) {
    const auto page = owner.pages.find(each.page);
    if (page == owner.pages.end() || page->second.version == 0) continue;
    if (each.version == page->second.version) page->second.told = true;
    if (each.version == 0 && page->second.version % 2 == 1) page->second.denied = true;
    if (page->second.told || page->second.denied) owner.versions.untold.erase(each.page);
    const bool is_over = page->second.users == 0 && page->second.version % 2 == 0;
    if (is_over && page->second.told) owner.pages.erase(page);
  }
  if (!owner.versions.untold.empty())
    owner.sending.statement = std::min(owner.sending.statement, now);
  if (was_ending && answer.stamp == owner.stamp) owners_.erase(found);
}

void Registrations::drop(NodeId owner) {
  owners_.erase(owner);
  said_.erase(owner);
}

std::pair<std::uint64_t, std::uint64_t> Registrations::last_said(NodeId owner) const {
  // Nothing stands there: all before the next registration is over.
  if (!owners_.contains(owner)) return {last_nonce_ + 1, 0};
  const auto found = said_.find(owner);
  return found == said_.end() ? std::pair<std::uint64_t, std::uint64_t>{} : found->second;
}

void Registrations::begin_anew(TimePoint now, NodeId id) {
  const auto found = owners_.find(id);
  if (found == owners_.end()) return;
  const TimePoint used = found->second.used;
  begin(now, id, found->second.epoch).used = used;
}

void Registrations::tell_soon(NodeId id) {
  const auto found = owners_.find(id);
  if (found == owners_.end()) return;
  Owner& owner = found->second;
  const bool was_sent = owner.sending.last != TimePoint::min();
  const TimePoint soon = was_sent ? owner.sending.last + kStatementPause : TimePoint::min();
  owner.sending.statement = std::min(owner.sending.statement, soon);
}

// References that were confirmed, or will be, and that nobody came for.
void Registrations::give_up_unwanted(TimePoint now, Owner& owner) {
  owner.next_look = kNever;
  for (auto at = owner.pages.begin(); at != owner.pages.end(); ++at) {
    const Page& page = at->second;
    if (page.users > 0 || page.version % 2 == 0) continue;
    if (now >= page.wanted_until) {
      release_page(now, owner, at);
    } else {
      owner.next_look = std::min(owner.next_look, page.wanted_until);
    }
  }
}

// What time brings. False if nothing is to be sent.
bool Registrations::look_after(TimePoint now, NodeId id, Owner& owner) {
  if (owner.position && now >= owner.valid_until) {
    // What stood under the old registration is void; the new one soon ends.
    begin_anew(now, id);
  }
  if (now >= owner.next_look) give_up_unwanted(now, owner);
  if (now < std::min(owner.sending.next, owner.sending.statement)) return false;
  owner.sending.statement = kNever;
  const bool idle = owner.pages.empty() && now - owner.used >= settings_.lease;
  owner.ending = idle && owner.position;
  owner.stamp = std::max<std::uint64_t>(
      owner.stamp + 1,
      static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 1)));
  owner.sending.last = now;
  // Who does not answer for long is still asked: it may wait for a word of this node's.
  const bool silent = now - owner.used >= settings_.lease;
  owner.sending.next = now + (silent ? settings_.lease / kRenewals : kAskAgain);
  return true;
}

std::vector<std::pair<NodeId, RegisterMessage>> Registrations::due(TimePoint now) {
  std::vector<std::pair<NodeId, RegisterMessage>> messages;
  for (auto& [id, owner] : owners_) {
    if (!look_after(now, id, owner)) continue;
    RegisterMessage message;
    message.nonce = owner.nonce;
    message.stamp = owner.stamp;
    said_[id] = {owner.nonce, owner.stamp};
    message.ends = owner.ending;
    for (Anchor page : owner.versions.untold) {
      if (message.registers.size() == limits::gc_pages_max) break;
      message.registers.push_back({page, owner.pages.at(page).version});
    }
    messages.emplace_back(id, std::move(message));
  }
  return messages;
}

std::vector<Anchor> Registrations::pages_of(NodeId owner) const {
  std::vector<Anchor> pages;
  const auto found = owners_.find(owner);
  if (found == owners_.end() || found->second.mode != GcMode::local_ref) return pages;
  for (const auto& [page, state] : found->second.pages) pages.push_back(page);
  return pages;
}

TimePoint Registrations::next_due() const {
  TimePoint due = kNever;
  for (const auto& [id, owner] : owners_) {
    due = std::min({due, owner.sending.next, owner.sending.statement, owner.next_look});
  }
  return due;
}

std::map<NodeId, std::size_t> Registrations::counts(TimePoint now) const {
  std::map<NodeId, std::size_t> counts;
  for (const auto& [id, reference] : references_) {
    if (valid(now, id)) ++counts[reference.owner];
  }
  return counts;
}

}  // namespace radixmesh
