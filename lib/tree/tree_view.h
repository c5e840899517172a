// What is shown of the tree, edge by edge, and of one holder, entry by entry. A page at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/tree/digest.h"

namespace radixmesh {

struct EdgeRow {
  CacheNamespace name;
  std::uint32_t begin = 0, end = 0;
  std::vector<TokenId> head;  // its first tokens
  Digest hash = 0;            // of the prefix that ends with it
  std::vector<std::string> holders;
  std::vector<std::string> retiring;  // those whose pages here are on their way out
  std::uint32_t lock_ref = 0;
};
struct TreeView {
  std::vector<EdgeRow> edges;
  std::size_t total = 0;
  std::uint64_t tree_tokens = 0;
};
struct EntryRow {
  Seq seq;
  CacheNamespace name;
  std::uint32_t begin = 0, end = 0;
  std::vector<TokenId> head;
  Digest hash = 0;
};
struct EntriesView {
  std::vector<EntryRow> entries;
  std::size_t total = 0;
  std::uint64_t tree_tokens = 0;
};

}  // namespace radixmesh
