// A plain radix tree to compare with: written as one would without a thought to speed. Tokens are
// compared one by one, every node is allocated for itself, children are in a std::map by their
// first page, and each node has its holders as a std::set. It gives the same answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh::bench {

class ReferenceTree {
 public:
  explicit ReferenceTree(std::uint32_t page_size) : page_(page_size) {}

  // The depth of every holder, in tokens; returns the deepest.
  std::uint32_t lookup(std::span<const TokenId> tokens,
                       std::map<std::uint32_t, std::uint32_t>& depths) const {
    depths.clear();
    const Node* at = &root_;
    std::size_t depth = 0;
    while (tokens.size() - depth >= page_) {
      const auto child = at->children.find(page_at(tokens, depth));
      if (child == at->children.end()) break;
      at = child->second.get();
      const std::size_t matched = common(*at, tokens.subspan(depth));
      depth += matched;
      for (std::uint32_t holder : at->holders) depths[holder] = static_cast<std::uint32_t>(depth);
      if (matched < at->tokens.size()) break;
    }
    return static_cast<std::uint32_t>(depth);
  }

  void insert(std::uint32_t holder, std::span<const TokenId> tokens) {
    Node* at = &root_;
    while (tokens.size() >= page_) {
      std::unique_ptr<Node>& child = at->children[page_at(tokens, 0)];
      if (child == nullptr) {
        child = std::make_unique<Node>();
        child->tokens.assign(tokens.begin(), tokens.begin() + tokens.size() / page_ * page_);
        token_count_ += child->tokens.size();
      }
      const std::size_t matched = common(*child, tokens);
      if (matched < child->tokens.size()) split(child, matched);
      at = child.get();
      at->holders.insert(holder);
      tokens = tokens.subspan(matched);
    }
  }

  void clear(std::uint32_t holder) { clear_below(root_, holder); }
  std::uint64_t token_count() const { return token_count_; }

 private:
  using Page = std::vector<TokenId>;
  struct Node {
    std::vector<TokenId> tokens;
    std::set<std::uint32_t> holders;
    std::map<Page, std::unique_ptr<Node>> children;
  };

  Page page_at(std::span<const TokenId> tokens, std::size_t at) const {
    return Page(tokens.begin() + at, tokens.begin() + at + page_);
  }
  std::size_t common(const Node& node, std::span<const TokenId> tokens) const {
    const std::size_t length = std::min(node.tokens.size(), tokens.size());
    std::size_t at = 0;
    while (at < length && node.tokens[at] == tokens[at]) ++at;
    return at / page_ * page_;
  }
  void split(std::unique_ptr<Node>& place, std::size_t at) {
    auto upper = std::make_unique<Node>();
    upper->tokens.assign(place->tokens.begin(), place->tokens.begin() + at);
    upper->holders = place->holders;
    place->tokens.erase(place->tokens.begin(), place->tokens.begin() + at);
    const Page page = page_at(place->tokens, 0);
    upper->children.emplace(page, std::move(place));
    place = std::move(upper);
  }
  void clear_below(Node& node, std::uint32_t holder) {
    for (auto child = node.children.begin(); child != node.children.end();) {
      if (child->second->holders.erase(holder) > 0) clear_below(*child->second, holder);
      if (child->second->holders.empty()) {
        token_count_ -= child->second->tokens.size();
        child = node.children.erase(child);
      } else {
        ++child;
      }
    }
  }

  std::uint32_t page_;
  Node root_;
  std::uint64_t token_count_ = 0;
};

}  // namespace radixmesh::bench
