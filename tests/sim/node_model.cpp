#include "tests/sim/node_model.h"

#include <algorithm>

namespace radixmesh::sim {

void NodeModel::insert(const std::vector<TokenId>& tokens, std::size_t length) {
  Page* at = &root_;
  for (std::size_t begin = 0; begin + page_size_ <= length; begin += page_size_) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto child = at->after.try_emplace({first, first + page_size_}).first;
    child->second.before = at;
    child->second.tokens = &child->first;
    at = &child->second;
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

std::vector<std::uint64_t> NodeModel::page_slots() const {
  std::vector<std::uint64_t> slots;
  for (const auto& [slot, page] : by_slot_) slots.push_back(slot);
  return slots;
}

std::vector<TokenId> NodeModel::path_to(const Page& page) {
  std::vector<TokenId> path;
  for (const Page* at = &page; at->before != nullptr; at = at->before) {
    path.insert(path.begin(), at->tokens->begin(), at->tokens->end());
  }
  return path;
}

std::vector<TokenId> NodeModel::path_of(std::uint64_t slot) const {
  const auto found = by_slot_.find(slot);
  return found == by_slot_.end() ? std::vector<TokenId>{} : path_to(*found->second);
}

std::vector<std::vector<TokenId>> NodeModel::leaves() const {
  std::vector<std::vector<TokenId>> paths;
  for (const auto& [slot, page] : by_slot_) {
    const bool has_more =
        std::ranges::any_of(page->after, [](const auto& each) { return each.second.slot != 0; });
    if (!has_more) paths.push_back(path_to(*page));
  }
  return paths;
}

}  // namespace radixmesh::sim
