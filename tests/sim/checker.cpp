#include "tests/sim/checker.h"

#include <algorithm>

#include "lib/base/limits.h"

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

// Twice what a node needs to take a silent one out of its answers when it is well; and half of that
// once more, for a refutation of an earlier suspicion that comes late.
constexpr Duration kMaskedAfter = 6s + 1500ms;
// Questions to one member that are due in one step, whatever came in it.
constexpr std::size_t kQuestionsDueMax = 8;

}  // namespace

Checker::Checker(Network& network, std::uint32_t page_size)
    : network_(network), page_size_(page_size) {
  network.on_applied = [this](std::size_t node, const OpApplied& event) { applied(node, event); };
  network.on_gc_free = [this](std::size_t node, const GcFree& event) { told_to_free(node, event); };
  network.on_owed = [this](std::size_t node, const auto& effects) { owed(node, effects); };
}

Checker::~Checker() {
  network_.on_applied = nullptr;
  network_.on_gc_free = nullptr;
  network_.on_owed = nullptr;
}

Engine& Checker::engine(std::size_t node) {
  while (engines_.size() <= node) engines_.emplace_back(page_size_);
  return engines_[node];
}

void Checker::restarted(std::size_t node) {
  std::erase_if(progress_, [node](const auto& each) { return each.first.first == node; });
  std::erase_if(forgotten_, [node](const auto& each) { return each.first.first == node; });
  down_since_[node] = network_.now();
}

void Checker::started(std::size_t node) {
  engine(node).sidecar_started();
  note_life(node);
}

void Checker::note_life(std::size_t node) {
  engine_of_life_[{network_.addr(node), network_.replica(node).self().epoch}] = engine(node).born();
}

// A life that outgrew its epoch goes on with the engine of the one before.
std::uint64_t Checker::engine_of(const std::string& addr, Epoch epoch) const {
  auto at = engine_of_life_.upper_bound({addr, epoch});
  return at == engine_of_life_.begin() || (--at)->first.first != addr ? 0 : at->second;
}

void Checker::applied(std::size_t node, const OpApplied& event) {
  auto& [epoch, seq] = progress_[{node, event.origin}];
  const bool next = event.epoch == epoch && event.seq.value == seq.value + 1;
  // After a snapshot or at a new epoch the number may jump, but only forward.
  const bool forward = event.epoch > epoch || (event.epoch == epoch && event.seq > seq);
  if (!next && !forward && !violation && !has_forgotten(node, event.origin)) {
    violation = "node " + std::to_string(node) + " applied seq " + std::to_string(event.seq.value) +
                " of " + event.origin + " after " + std::to_string(seq.value) + ", epochs " +
                std::to_string(event.epoch.value) + " and " + std::to_string(epoch.value) + " at " +
                std::to_string(network_.now().time_since_epoch().count());
  }
  epoch = event.epoch;
  seq = event.seq;
  if (event.origin == network_.addr(node)) engine(node).op_applied(event);
}

// Since it was last asked about this origin. What was known of one that was gone for long begins
// anew.
bool Checker::has_forgotten(std::size_t node, const std::string& origin) {
  auto counters = network_.replica(node).status().counters;
  const std::uint64_t now = counters["origins_forgotten"];
  return std::exchange(forgotten_[{node, origin}], now) < now;
}

// It is met as if for the first time.
void Checker::dropped(std::size_t node, NodeId peer) {
  std::erase_if(progress_, [&](const auto& each) {
    return each.first.first == node && network_.id(each.first.second) == peer;
  });
}

void Checker::owed(std::size_t node, const std::vector<Effect>& effects) {
  std::size_t questions = 0, answers = 0, bulk_bytes = 0;
  for (const Effect& effect : effects) {
    if (std::holds_alternative<Ask>(effect)) ++questions;
    if (const auto* gone = std::get_if<DropPeer>(&effect)) dropped(node, gone->peer);
    const auto* answer = std::get_if<Answer>(&effect);
    if (answer == nullptr) continue;
    answer->channel == Channel::bulk ? bulk_bytes += answer->frame.size() : ++answers;
  }
  const std::size_t members = engines_.size();
  if (violation) return;
  if (questions > limits::answers_of_a_message_max + kQuestionsDueMax * members ||
      answers > limits::answers_of_a_message_max ||
      bulk_bytes > limits::bulk_bytes_per_turn_max + limits::frame_bytes_max) {
    violation = "node " + std::to_string(node) + " owes after one step " +
                std::to_string(questions) + " questions, " + std::to_string(answers) +
                " answers and " + std::to_string(bulk_bytes) + " bytes of repair";
  }
}

// Those that run, are of the node's role and of a lower rank, and have all of the path.
std::size_t Checker::better_copies(std::size_t node, const std::vector<TokenId>& path) const {
  const Member& self = network_.replica(node).self();
  std::size_t copies = 0;
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    if (!network_.running(i)) continue;
    const Member& other = network_.replica(i).self();
    const bool better = other.role == self.role && other.rank < self.rank;
    if (better && engine(i).model().depth(path) == path.size()) ++copies;
  }
  return copies;
}

void Checker::told_to_free(std::size_t node, const GcFree& event) {
  NodeModel& model = engine(node).model();
  for (const SlotRun& run : event.slots.runs()) {
    for (std::uint64_t i = 0; i < run.count; ++i) {
      const std::vector<TokenId> path = model.path_of(run.start.value + i);
      if (path.empty()) continue;
      if (checks_last_copy && better_copies(node, path) == 0 && !violation) {
        violation = "node " + std::to_string(node) + " let the last copy go";
      }
    }
  }
  engine(node).told_to_free(event);
  network_.replica(node).acknowledge_free(event.number);
}

bool Checker::collection_rests() const {
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (!network_.running(i)) continue;
    const GcCountsView gc = network_.replica(i).status().gc;
    if (gc.retiring_tokens > 0 || gc.held_pages > 0 || gc.unacknowledged > 0) return false;
  }
  return true;
}

std::string Checker::duplicates_left() const {
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    if (!network_.running(i) || network_.replica(i).self().role == Role::router) continue;
    const auto view = network_.replica(i).gc(network_.now(), false);
    if (!view || !view->not_collecting.empty()) continue;
    const std::size_t enough = std::max(view->keep_copies, view->hot_copies);
    for (const std::vector<TokenId>& path : engine(i).model().leaves()) {
      if (better_copies(i, path) < enough) continue;
      return "node " + std::to_string(i) + " still has a duplicate of " +
             std::to_string(path.size()) + " tokens";
    }
  }
  return "";
}

std::optional<std::size_t> Checker::running_at(const std::string& addr) const {
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (network_.running(i) && network_.addr(i) == addr) return i;
  }
  return std::nullopt;
}

bool Checker::has_rank(const std::string& addr, NodeRank rank) const {
  const auto node = running_at(addr);
  return node && network_.replica(*node).self().rank == rank;
}

void Checker::check_masking(std::size_t node, const std::vector<TokenId>& query) {
  Replica& replica = network_.replica(node);
  if (violation || believes_lies || network_.paused(node) || replica.status().health > 0) return;
  const TimePoint since = std::max(down_since_[node], network_.awake_since(node));
  if (network_.now() - since < kMaskedAfter) return;
  for (const auto& [addr, depth] : replica.match_prefix({}, query, false).depths) {
    for (std::size_t other = 0; other < network_.size(); ++other) {
      if (network_.addr(other) != addr || network_.running(other)) continue;
      if (network_.now() - down_since_[other] < kMaskedAfter) continue;
      violation = "node " + std::to_string(node) + " still shows " + addr + ", which is down, at " +
                  std::to_string(network_.now().time_since_epoch().count());
    }
  }
}

bool Checker::agrees() const {
  std::vector<StatusView> views;
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (network_.running(i)) views.push_back(network_.replica(i).status());
  }
  for (const StatusView& view : views) {
    for (const StatusView& other : views) {
      const auto here = view.vector.find(other.addr);
      if (here == view.vector.end()) return false;
      const VectorView& own = other.vector.at(other.addr);
      if (here->second.epoch != own.epoch || here->second.seq != own.seq ||
          here->second.digest != own.digest) {
        return false;
      }
    }
  }
  return true;
}

std::string Checker::compare(std::size_t node, const std::vector<TokenId>& query) {
  const MatchView view = network_.replica(node).match_prefix({}, query, false);
  for (const auto& [addr, depth] : view.depths) {
    if (!running_at(addr)) return "node " + std::to_string(node) + " shows " + addr + ", gone";
  }
  for (std::size_t other = 0; other < network_.size(); ++other) {
    if (!network_.running(other)) continue;
    const std::string addr = network_.addr(other);
    auto found = view.depths.find(addr);
    const std::uint32_t said = found == view.depths.end() ? 0 : found->second;
    const std::uint32_t true_depth = engine(other).model().depth(query);
    if (said != true_depth) {
      return "node " + std::to_string(node) + " says that " + addr + " has " +
             std::to_string(said) + " tokens, it has " + std::to_string(true_depth);
    }
  }
  return compare_segments(node, query, view);
}

// Each page's winner is the live holder of the lowest rank, with that holder's slots.
std::string Checker::compare_segments(std::size_t node, const std::vector<TokenId>& query,
                                      const MatchView& view) {
  std::vector<std::pair<NodeRank, std::size_t>> by_rank;
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (network_.running(i)) by_rank.emplace_back(network_.replica(i).self().rank, i);
  }
  std::ranges::sort(by_rank);
  for (const SegmentView& segment : view.segments) {
    std::size_t winner = 0;
    for (std::uint32_t end = segment.begin + page_size_; end <= segment.end; end += page_size_) {
      const auto at = std::ranges::find_if(by_rank, [&](const auto& each) {
        return engine(each.second).model().depth(query) >= end;
      });
      if (at == by_rank.end() || network_.addr(at->second) != segment.addr) {
        return "a segment's winner is wrong";
      }
      winner = at->second;
    }
    // No digest covers them: a false INSERT with pages that its owner has is never found out.
    if (!segment.slots || believes_lies) continue;
    for (std::uint32_t end : {segment.begin + page_size_, segment.end}) {
      const std::uint64_t at = end - page_size_ - segment.begin;
      const Slot slot = segment.slots->part(at, at + 1).runs().at(0).start;
      if (slot.value != engine(winner).model().slot_at(query, end)) {
        return "node " + std::to_string(node) + " has slot " + std::to_string(slot.value) + " of " +
               segment.addr + ", which has another there";
      }
    }
  }
  return "";
}

std::string Checker::converged(const std::vector<std::vector<TokenId>>& queries) {
  if (violation) return *violation;
  if (!agrees()) return "vectors or digests differ";
  for (std::size_t node = 0; node < network_.size(); ++node) {
    if (!network_.running(node)) continue;
    for (const auto& query : queries) {
      if (std::string wrong = compare(node, query); !wrong.empty()) return wrong;
    }
  }
  return "";
}

}  // namespace radixmesh::sim
