// Which of this node's pages are duplicates: enough nodes of its role with a lower rank have them.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "lib/base/limits.h"
#include "lib/gc/gc_view.h"
#include "lib/gc/settings.h"
#include "lib/oplog/streams.h"

namespace radixmesh {

// Tokens of one DELETE, so that what the engine is told at once is bounded.
inline constexpr std::uint64_t kTokensAtOnce = limits::request_tokens_max;

// A copy of another node's that a duplicate rests on.
struct KeptCopy {
  NodeId node;
  Anchor page;
  friend bool operator==(const KeptCopy&, const KeptCopy&) = default;
};

class Survey {
 public:
  Survey(const GcSettings& settings, const Roster& roster, const Streams& streams, Picture& picture)
      : settings_(settings), roster_(roster), streams_(streams), picture_(picture) {}

  // All duplicates, within the bounds of one round. O(own edges).
  DuplicateSurvey look();
  // Of one page, whatever is below it; and of all from it on, retiring or not.
  bool is_duplicate(Anchor page);
  std::optional<Duplicate> below(Anchor first);
  std::vector<KeptCopy> copies_of(const Duplicate& duplicate) const;
  // There are nodes whose copies would count.
  bool can_find() const { return better_holders().size() >= settings_.keep_copies; }

  // What did not go with its round comes after all others in the next ones.
  void pass_over(Anchor first);
  bool passed_over(Anchor first) const { return passed_over_.contains(first); }
  void end_passing_over() { passed_over_.clear(); }

  // What is shown of it. It costs as much as there are entries, so that of a large cache it may be
  // a moment old, unless `fresh`: at most a fifth of the time goes into it, however often it is
  // asked for.
  GcView view(TimePoint now, bool fresh);

 private:
  std::vector<HolderIndex> better_holders() const;
  DuplicateSearch search(const std::vector<HolderIndex>& better) const;
  GcView view_now();
  DuplicateRow row_of(const Duplicate& duplicate);

  const GcSettings& settings_;
  const Roster& roster_;
  const Streams& streams_;
  Picture& picture_;
  // First pages of what did not go with its round, since last all had their turn.
  std::set<Anchor> passed_over_;
  std::optional<GcView> viewed_;
  TimePoint viewed_at_{};
};

}  // namespace radixmesh
