#include "tests/sim/checker.h"

#include <algorithm>

namespace radixmesh::sim {

void NodeModel::insert(const std::vector<TokenId>& tokens, std::size_t length) {
  Page* at = &root_;
  for (std::size_t begin = 0; begin + page_size_ <= length; begin += page_size_) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
    at = &at->after[{first, first + page_size_}];
    if (at->slot != 0) continue;
    at->slot = next_slot + begin;
    by_slot_[at->slot] = at;
  }
}

void NodeModel::freed(const SlotRuns& slots) {
  for (const SlotRun& run : slots.runs()) {
    for (std::uint64_t i = 0; i < run.count; ++i) {
      auto found = by_slot_.find(run.start.value + i);
      if (found == by_slot_.end()) continue;  // not the first slot of a page
      found->second->slot = 0;
      by_slot_.erase(found);
    }
  }
}

std::pair<std::uint32_t, const NodeModel::Page*> NodeModel::walk(
    std::span<const TokenId> tokens) const {
  const Page* at = &root_;
  std::uint32_t depth = 0;
  for (; depth + page_size_ <= tokens.size(); depth += page_size_) {
    const auto page = tokens.subspan(depth, page_size_);
    auto found = at->after.find({page.begin(), page.end()});
    if (found == at->after.end() || found->second.slot == 0) break;
    at = &found->second;
  }
  return {depth, at};
}

std::uint64_t NodeModel::slot_at(const std::vector<TokenId>& tokens, std::uint32_t end) const {
  return walk(std::span{tokens}.first(end)).second->slot;
}

Checker::Checker(Network& network, std::uint32_t page_size)
    : network_(network), page_size_(page_size) {
  for (std::size_t i = 0; i < network.size(); ++i) models_.emplace_back(page_size);
  network.on_applied = [this](std::size_t node, const OpApplied& event) { applied(node, event); };
}

void Checker::restarted(std::size_t node) {
  models_[node].clear();
  std::erase_if(progress_, [node](const auto& each) { return each.first.first == node; });
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

bool Checker::agrees() const {
  const std::map<std::string, VectorView>* first = nullptr;
  std::vector<StatusView> views;
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (network_.running(i)) views.push_back(network_.replica(i).status());
  }
  for (const StatusView& view : views) {
    if (first == nullptr) first = &view.vector;
    const bool same = std::ranges::equal(view.vector, *first, [](const auto& a, const auto& b) {
      return a.first == b.first && a.second.epoch == b.second.epoch &&
             a.second.seq == b.second.seq && a.second.digest == b.second.digest;
    });
    if (!same) return false;
  }
  return true;
}

std::string Checker::compare(std::size_t node, const std::vector<TokenId>& query) {
  const MatchView view = network_.replica(node).match_prefix({}, query);
  for (std::size_t other = 0; other < network_.size(); ++other) {
    if (!network_.running(other)) continue;
    const std::string addr = network_.replica(other).self().addr;
    auto found = view.depths.find(addr);
    const std::uint32_t said = found == view.depths.end() ? 0 : found->second;
    const std::uint32_t true_depth = models_[other].depth(query);
    if (said != true_depth) {
      return "node " + std::to_string(node) + " says that " + addr + " has " +
             std::to_string(said) + " tokens, it has " + std::to_string(true_depth);
    }
  }
  // Segments: each page's winner is the live holder of the lowest rank, with that holder's slots.
  std::vector<std::uint32_t> depths;
  for (const NodeModel& model : models_) depths.push_back(model.depth(query));
  for (const SegmentView& segment : view.segments) {
    std::size_t winner = 0;
    for (std::uint32_t end = segment.begin + page_size_; end <= segment.end; end += page_size_) {
      winner = 0;
      while (!network_.running(winner) || depths[winner] < end) ++winner;
      if (network_.replica(winner).self().addr != segment.addr)
        return "a segment's winner is wrong";
    }
    if (!segment.slots) continue;
    for (std::uint32_t end : {segment.begin + page_size_, segment.end}) {
      const std::uint64_t at = end - page_size_ - segment.begin;
      const Slot slot = segment.slots->part(at, at + 1).runs().at(0).start;
      if (slot.value != models_[winner].slot_at(query, end)) {
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
