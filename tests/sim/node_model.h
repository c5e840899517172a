// What one node holds, as a trie with one vertex a page; it shares no code with the tree of the
// core.
#pragma once

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "lib/replica.h"

namespace radixmesh::sim {

class NodeModel {
 public:
  explicit NodeModel(std::uint32_t page_size) : page_size_(page_size) {}
  // The engine inserted a beginning of `tokens`, token i in slot next_slot + i.
  void insert(const std::vector<TokenId>& tokens, std::size_t length);
  // Slots that came back say which pages went: a page's first slot is its alone.
  void freed(const SlotRuns& slots);
  bool is_empty() const { return by_slot_.empty(); }
  void clear() { root_ = {}, by_slot_.clear(); }
  std::uint32_t depth(const std::vector<TokenId>& tokens) const { return walk(tokens).first; }
  // The first slot of the page that ends at `end`, which is held.
  std::uint64_t slot_at(const std::vector<TokenId>& tokens, std::uint32_t end) const;
  // The first slots of all pages that are held.
  std::vector<std::uint64_t> page_slots() const;
  // The tokens up to the end of the page with this first slot; empty if it is none.
  std::vector<TokenId> path_of(std::uint64_t slot) const;
  // The tokens up to the end of each page below which nothing is held.
  std::vector<std::vector<TokenId>> leaves() const;
  std::uint64_t next_slot = 1;

 private:
  struct Page {
    std::uint64_t slot = 0;  // 0: not held
    const Page* before = nullptr;
    const std::vector<TokenId>* tokens = nullptr;
    std::map<std::vector<TokenId>, Page> after;
  };
  static std::vector<TokenId> path_to(const Page& page);
  std::pair<std::uint32_t, const Page*> walk(std::span<const TokenId> tokens) const;

  std::uint32_t page_size_;
  Page root_;
  std::map<std::uint64_t, Page*> by_slot_;
};

}  // namespace radixmesh::sim
