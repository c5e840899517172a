#include "tests/sim/checker.h"

#include <algorithm>

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

// Twice what a node needs to take a silent one out of its answers when it is well.
constexpr Duration kMaskedAfter = 6s;

}  // namespace

Checker::Checker(Network& network, std::uint32_t page_size)
    : network_(network), page_size_(page_size) {
  network.on_applied = [this](std::size_t node, const OpApplied& event) { applied(node, event); };
}

Engine& Checker::engine(std::size_t node) {
  while (engines_.size() <= node) engines_.emplace_back(page_size_);
  return engines_[node];
}

void Checker::restarted(std::size_t node) {
  std::erase_if(progress_, [node](const auto& each) { return each.first.first == node; });
  down_since_[node] = network_.now();
}

void Checker::applied(std::size_t node, const OpApplied& event) {
  auto& [epoch, seq] = progress_[{node, event.origin}];
  const bool next = event.epoch == epoch && event.seq.value == seq.value + 1;
  // After a snapshot or at a new epoch the number may jump, but only forward.
  const bool forward = event.epoch > epoch || (event.epoch == epoch && event.seq > seq);
  if (!next && !forward && !violation) {
    violation = "node " + std::to_string(node) + " applied seq " + std::to_string(event.seq.value) +
                " of " + event.origin + " after " + std::to_string(seq.value);
  }
  epoch = event.epoch;
  seq = event.seq;
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
  if (violation || network_.paused(node) || replica.status().health > 0) return;
  const TimePoint since = std::max(down_since_[node], network_.awake_since(node));
  if (network_.now() - since < kMaskedAfter) return;
  for (const auto& [addr, depth] : replica.match_prefix({}, query).depths) {
    for (std::size_t other = 0; other < network_.size(); ++other) {
      if (network_.addr(other) != addr || network_.running(other)) continue;
      if (network_.now() - down_since_[other] < kMaskedAfter) continue;
      violation = "node " + std::to_string(node) + " still shows " + addr + ", which is down";
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
  const MatchView view = network_.replica(node).match_prefix({}, query);
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
    if (!segment.slots) continue;
    for (std::uint32_t end : {segment.begin + page_size_, segment.end}) {
      const std::uint64_t at = end - page_size_ - segment.begin;
      const Slot slot = segment.slots->part(at, at + 1).runs().at(0).start;
      if (slot.value != engine(winner).model().slot_at(query, end)) {
        return "node " + std::to_string(node) + " has a wrong slot of " + segment.addr;
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
