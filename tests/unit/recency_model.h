// A model of recency that always tells the truth: for each page of a cache when it was last used.
// It knows no edges and no stretches; what lib/tree/recency_list.h may take together is judged here
// by pages that follow each other without a branch, of which every edge is a part.
//
// Where the bound of that file could have been passed, the pages are *blurred*: such a page may
// count as used at any time from when it was until when the first page of its row was.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "lib/base/limits.h"
#include "tests/unit/tree_checks.h"

namespace radixmesh {

class RecencyModel {
 public:
  using Predicate = std::function<bool(const Prefix&)>;

  // All pages of it, the deepest first: no two pages have one time.
  void use(const Prefix& prefix) {
    ++uses_;
    for (std::size_t i = prefix.pages.size(); i > 0; --i) {
      const std::uint64_t time = uses_ * kPagesMax + (kPagesMax - i);
      const Prefix page = prefix.first(i);
      children_[above(page)] += !pages_.contains(page);
      pages_[page] = {time, time};
    }
  }
  // The page and all below it.
  void remove(const Prefix& first) {
    for (const Prefix& page : from(first)) erase(page);
  }
  void clear() {
    pages_.clear();
    children_.clear();
  }

  // As remove(), by eviction: of each page that goes none that stays may be known to be older.
  void evict(const Prefix& first, const Predicate& is_locked) {
    for (const Prefix& page : from(first)) {
      const std::uint64_t used = pages_.at(page).earliest;
      erase(page);
      for (const auto& [other, times] : pages_) {
        expect(times.latest > used || is_locked(other), "an older page stayed");
      }
      if (children_[above(page)] == 1) settle(is_locked);  // two rows became one
    }
  }

  // To be called after every change, as only the present state is judged.
  void settle(const Predicate& is_locked) {
    std::vector<Times*> row;
    Prefix last;
    for (auto& [page, times] : pages_) {
      if (is_locked(page)) continue;
      const bool goes_on = !row.empty() && children_[last] == 1 && page.begins_with(last);
      if (!goes_on) {
        blur_if_long(row);
        row.clear();
      }
      row.push_back(&times);
      last = page;
    }
    blur_if_long(row);
  }

  bool is_exact() const {
    return std::ranges::none_of(pages_, [](const auto& each) { return each.second.is_blurred(); });
  }

 private:
  static constexpr std::uint64_t kPagesMax = 1u << 16;
  struct Times {
    std::uint64_t earliest = 0, latest = 0;  // that it may count as used
    bool is_blurred() const { return earliest != latest; }
  };

  static Prefix above(const Prefix& page) { return page.first(page.pages.size() - 1); }
  // The page and all below it, what is below first.
  std::vector<Prefix> from(const Prefix& first) const {
    std::vector<Prefix> found;
    for (auto at = pages_.lower_bound(first); at != pages_.end() && at->first.begins_with(first);
         ++at) {
      found.push_back(at->first);
    }
    std::ranges::reverse(found);
    return found;
  }
  void erase(const Prefix& page) {
    pages_.erase(page);
    --children_[above(page)];
  }

  // More parts than an edge may have, if all of it was one.
  void blur_if_long(const std::vector<Times*>& row) {
    std::size_t parts = 1;
    for (std::size_t i = 1; i < row.size(); ++i) parts += is_apart(*row[i - 1], *row[i]);
    if (parts <= limits::edge_stretches_max) return;
    for (Times* times : row) times->latest = row.front()->latest;
  }

  // Whether some page may count as used between a page and the one above it; locked ones as well,
  // which only makes for more parts.
  bool is_apart(const Times& above, const Times& below) const {
    const bool at_once = above.earliest / kPagesMax == below.earliest / kPagesMax;
    if (at_once && !above.is_blurred() && !below.is_blurred()) return false;
    return std::ranges::any_of(pages_, [&](const auto& each) {
      return each.second.latest > below.earliest && each.second.earliest < above.latest &&
             &each.second != &above && &each.second != &below;
    });
  }

  std::uint64_t uses_ = 0;
  std::map<Prefix, Times> pages_;
  std::map<Prefix, int> children_;  // how many a page has
};

}  // namespace radixmesh
