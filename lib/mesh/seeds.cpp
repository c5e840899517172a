#include "lib/mesh/seeds.h"

#include <algorithm>
#include <array>
#include <set>

#include "lib/base/limits.h"
#include "lib/base/node_id.h"

namespace radixmesh {
namespace {

// Then it is asked again: another node may have the address by now.
constexpr Duration kOwnFor = std::chrono::minutes(1);
// Silent ones that are named.
constexpr std::size_t kNamedMax = 3;

}  // namespace

std::vector<NodeId> Seeds::found(const std::string& name, const std::vector<std::string>& addresses,
                                 const std::vector<std::string>& here, bool is_known) {
  if (is_known || !addresses.empty()) {
    resolves_[name] = !addresses.empty();
  } else {
    resolves_.try_emplace(name, false);
  }
  std::set<NodeId> now_there;
  for (const std::string& addr : addresses) {
    const NodeId id = node_id(cluster_, addr);
    now_there.insert(id);
    if (seeds_.size() >= limits::seeds_max && !seeds_.contains(id)) continue;
    Seed& seed = seeds_[id];
    seed.addr = addr;
    seed.name = name;
    seed.here = std::ranges::find(here, addr) != here.end();
  }
  std::vector<NodeId> ended;
  if (addresses.empty()) return ended;
  for (const auto& [id, seed] : seeds_) {
    if (seed.name == name && !now_there.contains(id)) ended.push_back(id);
  }
  for (NodeId id : ended) seeds_.erase(id);
  return ended;
}

Seed* Seeds::find(NodeId seed) {
  const auto found = seeds_.find(seed);
  return found == seeds_.end() ? nullptr : &found->second;
}

void Seeds::note_own(TimePoint now, NodeId seed) {
  if (Seed* own = find(seed)) own->own_until = now + kOwnFor;
}

Seed* Seeds::note(TimePoint now, NodeId seed, NodeId by) {
  Seed* asked = find(seed);
  if (asked == nullptr) return nullptr;
  asked->answered = now;
  asked->by = by;
  return asked;
}

void Seeds::declined(TimePoint now, NodeId seed, NodeId by, const Founder& candidate) {
  Seed* asked = find(seed);
  if (asked == nullptr) return;
  if (asked->candidate != candidate || !answers(now, *asked)) asked->candidate_since = now;
  note(now, seed, by);
  asked->candidate = candidate;
  asked->refusal.clear();
}

bool Seeds::refused(TimePoint now, NodeId seed, NodeId by, const std::string& reason) {
  Seed* asked = note(now, seed, by);
  if (asked == nullptr) return false;
  asked->candidate.reset();
  return std::exchange(asked->refusal, reason) != reason;
}

void Seeds::let_in(TimePoint now, NodeId seed, NodeId by) {
  Seed* asked = note(now, seed, by);
  if (asked == nullptr) return;
  asked->candidate.reset();
  asked->refusal.clear();
}

std::string Seeds::unresolved() const {
  for (const auto& [name, resolves] : resolves_) {
    if (!resolves) return name;
  }
  return "";
}

// Silence may be that of a mesh which this node is cut off from, and so may a refusal be one's: so
// it must have the word of most of those that its names stand for. Of IPv4 and IPv6 one is enough:
// not everyone has both.
std::string Seeds::why_not_begin(TimePoint now, const Founder& own) const {
  for (const std::string& name : names_) {
    if (!resolves_.contains(name)) return "what " + name + " stands for is not known yet";
  }
  struct Family {
    std::size_t others = 0, answered = 0;
  };
  std::array<Family, 2> families;
  std::string refusal, silent;
  std::size_t silent_count = 0;
  std::vector<const Seed*> lower;
  for (const auto& [id, seed] : seeds_) {
    if (is_own(now, id, seed)) continue;
    // This machine's, and nobody listens; or one of yesterday, of which nobody knows today.
    if (!answers(now, seed) && (seed.here || !resolves_.at(seed.name))) continue;
    Family& family = families.at(seed.addr.starts_with('[') ? 1 : 0);
    ++family.others;
    if (!answers(now, seed)) {
      if (++silent_count > kNamedMax) continue;
      silent += std::string(silent.empty() ? "" : ", ") + seed.addr +
                (seed.trouble == LinkTrouble::none ? "" : " (no connection)");
      continue;
    }
    if (!seed.refusal.empty()) {
      refusal = seed.addr + " does not let it in: " + seed.refusal;
      continue;
    }
    if (!seed.candidate) return seed.addr + " lets it in";
    if (*seed.candidate < own) lower.push_back(&seed);
    ++family.answered;
  }
  // One that could have begun for so long, and has not, cannot. The next one's turn comes first.
  for (const Seed* each : lower) {
    if (now - each->candidate_since < static_cast<int>(lower.size()) * lower_waits_) {
      return each->candidate->addr + " is to begin the mesh";
    }
  }
  const std::size_t others = families[0].others + families[1].others;
  const auto most = [](const Family& each) {
    return each.others > 0 && 2 * (each.answered + 1) > each.others + 1;
  };
  if (others == 0 || std::ranges::any_of(families, most)) return "";
  if (!refusal.empty()) return refusal;
  return "of the " + std::to_string(others) + " other addresses that it is to ask, " +
         std::to_string(families[0].answered + families[1].answered) +
         " answer: it may be cut off from a mesh; silent: " + silent +
         (silent_count > kNamedMax ? ", ..." : "");
}

}  // namespace radixmesh
