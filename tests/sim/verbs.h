// The engine's verbs at every node of a mesh that is well: each of them works, within a time.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/checker.h"

namespace radixmesh::sim {

class Verbs {
 public:
  Verbs(Network& network, Checker& checker, std::uint32_t page_size)
      : network_(network), checker_(checker), page_size_(page_size) {}
  // Which one does not, and where; or nothing. What has to wait, as others may read the slots, has
  // this long. No entry is left at any node.
  std::string all_work(Duration within);

 private:
  std::string work_at(std::size_t node);
  // Called again and again, until what it is for has come about.
  bool soon(std::size_t node, const std::function<void(Engine&, Replica&)>& verb,
            const std::function<bool()>& done);
  std::string acquire_at(std::size_t node, const std::vector<TokenId>& key);
  std::string route_at(std::size_t node, const std::vector<TokenId>& key);

  Network& network_;
  Checker& checker_;
  std::uint32_t page_size_;
  Duration within_{};
};

}  // namespace radixmesh::sim
