// A path-compressed radix tree over pages of tokens: structure only, no holders.
//
// Each edge carries a whole number of pages, and two children of one node differ in their first
// page (not in their first token). The running example, page size 2, keys abcdef, abcdgh, abxy:
//
//      (1) insert abcdef     (2) insert abcdgh          (3) insert abxy
//      root                  root                       root
//       └ abcdef              └ abcd                     └ ab
//                                ├ ef                       ├ cd
//                                └ gh                       │  ├ ef
//                                                           │  └ gh
//                                                           └ xy
//      (4) erase gh          (5) erase xy
//      ab ─ cd ─ ef: cd and ef join again, and after (5) all three are abcdef once more.
//
// Invariants
//  R1  every edge but a root has a length > 0, a multiple of page_size
//  R2  children of one node differ in their first page; children_ finds each by (parent, first
//  page) R3  depth of a node = depth of its parent + its own length; roots have depth 0 R4  split()
//  keeps the index at the *lower* half and join_parent() the index of the lower edge, so
//      an index that names "the end of this edge" stays right through both
//  R5  views of a block are as token_block.h says
// Not thread-safe. Nothing here looks at a Value but to default-construct it.
#pragma once

#include <tsl/robin_set.h>
#include <xxhash.h>

#include <cstring>
#include <map>
#include <span>

#include "lib/base/cache_namespace.h"
#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/tree/slab.h"
#include "lib/tree/token_block.h"

namespace radixmesh {

// A TreeNode's place in its tree: the edge into it, and the position at that edge's end.
using NodeIndex = std::uint32_t;

template <class Value>
struct TreeNode {
  TokenView tokens;         // the edge from the parent
  std::uint32_t depth = 0;  // tokens from the root to the end of the edge
  NodeIndex parent = kNoIndex;
  NodeIndex first_child = kNoIndex;
  NodeIndex next_sibling = kNoIndex;
  NodeIndex previous_sibling = kNoIndex;
  Value value;

  std::uint32_t begin() const { return depth - tokens.length; }
};

template <class Value>
class RadixTree {
 public:
  using Node = TreeNode<Value>;

  explicit RadixTree(std::uint32_t page_size)
      : page_size_(page_size), children_(0, ChildHash{this}, ChildEqual{this}) {
    CHECK_THAT(page_size >= 1);
    children_.min_load_factor(0.15f);
  }
  RadixTree(const RadixTree&) = delete;
  RadixTree& operator=(const RadixTree&) = delete;
  ~RadixTree() {
    for (auto& [name, root] : roots_) erase_below(root);
  }

  std::uint32_t page_size() const { return page_size_; }
  Node& operator[](NodeIndex index) { return nodes_[index]; }
  const Node& operator[](NodeIndex index) const { return nodes_[index]; }

  // The root of a namespace, or kNoIndex. O(log namespaces); the default one O(1).
  NodeIndex find_root(const CacheNamespace& name) const {
    if (name.is_default()) return default_root_;
    auto found = roots_.find(name);
    return found == roots_.end() ? kNoIndex : found->second;
  }
  NodeIndex find_or_make_root(const CacheNamespace& name) {
    NodeIndex root = find_root(name);
    if (root != kNoIndex) return root;
    root = nodes_.acquire();
    const auto added = roots_.emplace(name, root).first;
    root_names_.emplace(root, &added->first);
    if (name.is_default()) default_root_ = root;
    return root;
  }
  const std::map<CacheNamespace, NodeIndex>& roots() const { return roots_; }
  const CacheNamespace& name_of_root(NodeIndex root) const { return *root_names_.at(root); }
  bool is_root(NodeIndex index) const { return nodes_[index].parent == kNoIndex; }

  // Removes a root that has no children; another is left alone.
  void drop_root_if_empty(NodeIndex root) {
    if (nodes_[root].first_child != kNoIndex) return;
    if (root == default_root_) default_root_ = kNoIndex;
    const CacheNamespace name = name_of_root(root);
    root_names_.erase(root);
    roots_.erase(name);
    nodes_.release(root);
    if (children_.empty()) children_.rehash(0);
  }

  // The child of `parent` whose edge begins with the page at `page`, or kNoIndex. One table probe.
  NodeIndex find_child(NodeIndex parent, const TokenId* page) const {
    const ChildKey key{parent, page};
    auto found = children_.find(key, hash(parent, page));
    return found == children_.end() ? kNoIndex : *found;
  }

  // How many of the `length` tokens at `tokens` (whole pages) the edge into `index` has in common.
  std::uint32_t common(NodeIndex index, const TokenId* tokens, std::uint32_t length) const {
    const TokenView& edge = nodes_[index].tokens;
    return common_pages(edge.data(), tokens, std::min(length, edge.length), page_size_);
  }

  // (1) A new leaf below `parent`; the caller knows that no child begins with the same page.
  NodeIndex add_child(NodeIndex parent, std::span<const TokenId> tokens) {
    CHECK_THAT(!tokens.empty() && tokens.size() % page_size_ == 0, tokens.size());
    TokenBlock* block = blocks_.allocate(static_cast<std::uint32_t>(tokens.size()));
    std::memcpy(block->tokens(), tokens.data(), tokens.size_bytes());
    block->views = 1;
    block->live = block->capacity;
    const NodeIndex index = nodes_.acquire();
    Node& node = nodes_[index];
    node.tokens = TokenView{block, 0, block->capacity};
    node.depth = nodes_[parent].depth + block->capacity;
    link(parent, index);
    token_count_ += tokens.size();
    return index;
  }

  // (2), (3) Cuts the edge after `offset` tokens (a page boundary inside it). The lower half keeps
  // the index; returns the new upper node, whose value is fresh. Copies no token.
  NodeIndex split(NodeIndex lower_index, std::uint32_t offset) {
    Node& lower = nodes_[lower_index];
    CHECK_THAT(offset > 0 && offset < lower.tokens.length && offset % page_size_ == 0, offset);
    const NodeIndex parent = lower.parent;
    unlink(lower_index);
    const NodeIndex upper_index = nodes_.acquire();
    Node& upper = nodes_[upper_index];
    upper.tokens = TokenView{lower.tokens.block, lower.tokens.begin, offset};
    ++upper.tokens.block->views;
    upper.depth = lower.begin() + offset;
    lower.tokens.begin += offset;
    lower.tokens.length -= offset;
    link(parent, upper_index);
    link(upper_index, lower_index);
    return upper_index;
  }

  // Whether the edge and its parent's can become one at a bounded cost (limits.h says which).
  bool can_join_parent(NodeIndex lower_index) const {
    const Node& lower = nodes_[lower_index];
    if (lower.parent == kNoIndex || lower.next_sibling != kNoIndex ||
        lower.previous_sibling != kNoIndex || is_root(lower.parent)) {
      return false;
    }
    const Node& upper = nodes_[lower.parent];
    return adjacent(upper.tokens, lower.tokens) ||
           upper.tokens.length + lower.tokens.length <= limits::merge_copy_tokens_max;
  }

  // (4), (5) Joins the edge with its parent's, which disappears; the lower index stays. Needs
  // can_join_parent(). Copies only where the two do not lie in one block already.
  void join_parent(NodeIndex lower_index) {
    Node& lower = nodes_[lower_index];
    const NodeIndex upper_index = lower.parent;
    Node& upper = nodes_[upper_index];
    const NodeIndex parent = upper.parent;
    unlink(lower_index);
    unlink(upper_index);
    if (adjacent(upper.tokens, lower.tokens)) {
      lower.tokens.begin = upper.tokens.begin;
      lower.tokens.length += upper.tokens.length;
      --lower.tokens.block->views;
    } else {
      const std::uint32_t length = upper.tokens.length + lower.tokens.length;
      TokenBlock* block = blocks_.allocate(length);
      std::memcpy(block->tokens(), upper.tokens.data(), upper.tokens.span().size_bytes());
      std::memcpy(block->tokens() + upper.tokens.length, lower.tokens.data(),
                  lower.tokens.span().size_bytes());
      block->views = 1;
      block->live = length;
      drop_view(lower.tokens, upper_index);
      drop_view(upper.tokens, parent);
      lower.tokens = TokenView{block, 0, length};
    }
    upper.tokens = TokenView{};
    nodes_.release(upper_index);
    link(parent, lower_index);
  }

  // (4), (5) Removes a leaf.
  void erase(NodeIndex index) {
    Node& node = nodes_[index];
    CHECK_THAT(node.first_child == kNoIndex && node.parent != kNoIndex, index);
    const NodeIndex parent = node.parent;
    unlink(index);
    token_count_ -= node.tokens.length;
    drop_view(node.tokens, parent);
    nodes_.release(index);
  }

  std::size_t node_count() const { return nodes_.live(); }
  std::uint64_t token_count() const { return token_count_; }
  // Bytes allocated for nodes, tokens and the child table; malloc's own reserve is not counted.
  std::size_t memory_bytes() const {
    return nodes_.memory_bytes() + blocks_.memory_bytes() +
           children_.bucket_count() * sizeof(typename ChildTable::value_type) * 3;
  }

 private:
  struct ChildKey {
    NodeIndex parent;
    const TokenId* page;
  };
  struct ChildHash {
    const RadixTree* tree;
    std::size_t operator()(NodeIndex index) const {
      const Node& node = tree->nodes_[index];
      return tree->hash(node.parent, node.tokens.data());
    }
    std::size_t operator()(const ChildKey& key) const { return tree->hash(key.parent, key.page); }
  };
  struct ChildEqual {
    using is_transparent = void;
    const RadixTree* tree;
    bool operator()(NodeIndex a, NodeIndex b) const { return a == b; }
    bool operator()(NodeIndex index, const ChildKey& key) const {
      const Node& node = tree->nodes_[index];
      return node.parent == key.parent &&
             std::memcmp(node.tokens.data(), key.page, tree->page_size_ * sizeof(TokenId)) == 0;
    }
    bool operator()(const ChildKey& key, NodeIndex index) const { return (*this)(index, key); }
  };
  // The hash is stored beside each index, so growing the table touches no node.
  using ChildTable =
      tsl::robin_set<NodeIndex, ChildHash, ChildEqual, std::allocator<NodeIndex>, true>;

  std::size_t hash(NodeIndex parent, const TokenId* page) const {
    return XXH3_64bits_withSeed(page, page_size_ * sizeof(TokenId), parent);
  }

  static bool adjacent(const TokenView& upper, const TokenView& lower) {
    return upper.block == lower.block && upper.begin + upper.length == lower.begin;
  }

  void link(NodeIndex parent_index, NodeIndex index) {
    Node& node = nodes_[index];
    Node& parent = nodes_[parent_index];
    node.parent = parent_index;
    node.previous_sibling = kNoIndex;
    node.next_sibling = parent.first_child;
    if (parent.first_child != kNoIndex) nodes_[parent.first_child].previous_sibling = index;
    parent.first_child = index;
    children_.insert(index);
  }

  void unlink(NodeIndex index) {
    Node& node = nodes_[index];
    const ChildKey key{node.parent, node.tokens.data()};
    const std::size_t erased = children_.erase(key, hash(key.parent, key.page));
    CHECK_THAT(erased == 1, index);
    if (node.previous_sibling != kNoIndex) {
      nodes_[node.previous_sibling].next_sibling = node.next_sibling;
    } else {
      nodes_[node.parent].first_child = node.next_sibling;
    }
    if (node.next_sibling != kNoIndex) {
      nodes_[node.next_sibling].previous_sibling = node.previous_sibling;
    }
    node.next_sibling = node.previous_sibling = kNoIndex;
  }

  // A view goes; `above` is the node over it, which may look into the same block. By R5 the views
  // that remain are ancestors without a gap, so they are found by walking up.
  void drop_view(const TokenView& view, NodeIndex above) {
    TokenBlock* block = view.block;
    if (--block->views == 0) {
      blocks_.free(block);
      return;
    }
    // A view at the front goes when its edge is joined with one of another block; nothing is cut
    // then.
    if (view.begin + view.length != block->live) return;
    block->live = view.begin;
    if (block->live * 2 > block->capacity) return;
    TokenBlock* moved = blocks_.shrink(block);
    std::uint32_t views = moved->views;
    for (NodeIndex at = above; views > 0; at = nodes_[at].parent) {
      CHECK_THAT(at != kNoIndex && nodes_[at].tokens.block == block, at);
      nodes_[at].tokens.block = moved;
      --views;
    }
  }

  void erase_below(NodeIndex root) {
    NodeIndex at = root;
    while (true) {
      if (nodes_[at].first_child != kNoIndex) {
        at = nodes_[at].first_child;
      } else if (at == root) {
        return;
      } else {
        const NodeIndex parent = nodes_[at].parent;
        erase(at);
        at = parent;
      }
    }
  }

  std::uint32_t page_size_;
  Slab<Node> nodes_;
  TokenBlocks blocks_;
  ChildTable children_;
  std::map<CacheNamespace, NodeIndex> roots_;
  std::map<NodeIndex, const CacheNamespace*> root_names_;  // into the keys of roots_
  NodeIndex default_root_ = kNoIndex;
  std::uint64_t token_count_ = 0;
};

}  // namespace radixmesh
