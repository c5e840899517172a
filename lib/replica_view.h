// What a replica shows of itself: the answers to match_prefix, route, status, nodes and tree, with
// addresses instead of internal numbers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/promise.h"
#include "lib/mesh/member.h"
#include "lib/routing/cost.h"
#include "lib/routing/traffic.h"
#include "lib/tree/digest.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// Tokens [begin, end) of a query, with the holder of the lowest rank that has them.
struct SegmentView {
  std::uint32_t begin = 0, end = 0;
  std::string addr;
  std::optional<SlotRuns> slots;  // the holder's; nothing where they are not kept
  friend bool operator==(const SegmentView&, const SegmentView&) = default;
};
struct MatchView {
  std::uint32_t length = 0;        // the largest of the depths
  std::uint32_t local_length = 0;  // on this node
  SlotRuns local_slots;
  std::map<std::string, std::uint32_t>
      depths;  // every live node that has a part, this one included
  std::vector<SegmentView> segments;
  friend bool operator==(const MatchView&, const MatchView&) = default;
};

struct TargetView {
  std::string addr;
  NodeRank rank;
  std::uint32_t depth = 0;
};
// From where the node that computes should read KV, instead of computing so many tokens.
struct SourceView {
  std::string addr;
  std::uint32_t depth = 0;   // tokens of the query that it has
  std::uint32_t tokens = 0;  // of these, the last so many
};
struct RouteView {
  std::optional<TargetView> prefill, decode;
  std::optional<SourceView> source;
  std::string_view reason;
  std::optional<std::uint64_t> booking;
};
struct RedirectView {
  std::optional<TargetView> target;  // nothing: stay
  std::optional<SourceView> source;
  std::string_view reason;
};

// What this node knows of another's work, beside the load that its engine reports.
struct WorkView {
  double prefill_rate = 0;  // tokens/s
  std::string_view rate_source;
  std::uint64_t pull_rate = 0;  // tokens/s of KV to it from other nodes, and from it; 0: none
  Promise booked;               // by all routers
  HitRecord hits;               // of this router's bookings
};
struct CandidateView {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  std::string_view excluded;  // why it may not be chosen; empty if it may
  std::uint32_t depth = 0, indexed_depth = 0;
  std::optional<Load> load;
  WorkView work;
  std::uint32_t requests = 0;
  double queued_tokens = 0, decode_tokens = 0, busy = 0;
  std::optional<double> kv_free;
  double pull_in_tokens = 0, pull_out_tokens = 0;
  std::optional<SourceView> source;
  CostTerms terms;
  bool is_prefill = false, is_decode = false;  // the choice
};
struct ExplainView {
  std::uint32_t tokens = 0;
  std::string_view policy, reason;
  std::uint32_t near_equals = 0;
  std::optional<TargetView> prefill, decode;
  std::optional<SourceView> source;
  std::vector<CandidateView> candidates;
};
// What this node did as a router.
struct RoutingView {
  std::map<std::string, std::uint64_t> routed;  // by reason
  std::uint64_t bookings = 0, bookings_expired = 0, speculative_chunks = 0;
  bool warming_up = false;
};

// One value per member, in the order of addresses, this node included.
struct VectorView {
  Epoch epoch;
  Seq seq;
  Digest digest = 0;
};
// How far this node is behind an origin.
struct LagView {
  std::uint64_t ops = 0;
  Duration since{};              // something has been missing for so long
  std::string_view last_repair;  // "replay", "snapshot", or empty: never
  Duration repaired_ago{};
  std::uint64_t digest_mismatches = 0;
};
// What the last token around the ring told.
struct RingView {
  bool verified = false;               // it went around twice with exactly the members that live
  std::vector<std::string> open_at;    // those that did not take it
  std::optional<Duration> round_trip;  // both rounds; known to the node that sent it
};
// Collecting duplicates, in short.
struct GcCountsView {
  std::string_view mode;
  bool engine_frees = false;
  std::uint64_t retiring_tokens = 0;
  std::uint64_t held_pages = 0;                   // locked here for rounds of others
  std::map<std::string, std::size_t> references;  // of this node, by owner
  struct Reader {
    Duration since{}, silent{};
    std::size_t pages = 0;  // that it is known to refer to: all of them, or those that retire
  };
  std::map<std::string, Reader> readers;  // registered here
  std::size_t unacknowledged = 0;         // GcFrees
  std::uint64_t unacknowledged_tokens = 0;
  Duration unacknowledged_for{};
};
struct StatusView {
  std::string addr, cluster;
  std::optional<Founder> founder;  // of the mesh that it is in; nothing while it is in none
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  bool ready = false;                   // it may get requests
  bool caught_up = false;               // with all that existed when it came
  std::uint32_t sees = 0, sees_of = 0;  // members that it hears, of those that it should
  std::string why_not_ready;            // empty if it is
  std::uint32_t page_size = 1;
  std::string_view topology, policy;
  std::uint64_t local_tokens = 0, evictable_tokens = 0, protected_tokens = 0;
  std::uint64_t tree_tokens = 0;  // distinct, whoever holds them
  std::map<std::string, VectorView> vector;
  std::map<std::string, LagView> lag;  // of the others
  RingView ring;
  std::uint32_t health = 0;  // 0 is well; every wait for others is times 1 + health
  bool isolated = false, draining = false;
  RoutingView routing;
  GcCountsView gc;
  std::uint64_t ops_applied = 0;   // own ones included
  std::uint64_t memory_bytes = 0;  // tree and op log
  std::map<std::string, std::uint64_t, std::less<>> counters;
};

struct NodeView {
  std::string addr;
  NodeRank rank;
  Role role = Role::prefill;
  Epoch epoch;
  MemberState state = MemberState::dead;
  bool unseen = false;             // dead, and never heard of
  Seq applied, head;               // what this node has of it, and what exists
  std::optional<Duration> silent;  // since when nothing was heard; nothing if it never was
  std::optional<Load> load;
  std::string refusal;
  std::uint32_t refute = 0;  // suspicions that it has refuted in this life
  LagView lag;
  WorkView work;
  std::uint64_t tokens = 0;  // that it holds, as far as this node knows
  bool ready = false;        // it may get requests
  HeadMessage::Stand standing;
  std::string trouble;  // what stands between it and this node; of this node, why it is not ready
};

// What collecting duplicates would do now, and why not more.
struct DuplicateRow {
  CacheNamespace name;
  std::uint32_t begin = 0;
  std::uint64_t tokens = 0;
  std::vector<TokenId> head;      // its first tokens
  std::vector<std::string> kept;  // the nodes whose copies would stay
};
struct GcView {
  GcCountsView counts;
  Duration period{};
  std::uint32_t keep_copies = 1, hot_copies = 1, hot_uses = 1;
  std::string_view silent_reader;   // block or lease
  std::string_view not_collecting;  // why no round can begin; empty: one can
  // Tokens of this node, by what may become of them.
  std::uint64_t duplicate_tokens = 0, scarce_tokens = 0, hot_tokens = 0, locked_tokens = 0,
                retiring_tokens = 0, above_tokens = 0;
  std::vector<DuplicateRow> duplicates;  // some of them
  std::size_t duplicates_total = 0;
  bool round_running = false;
  std::vector<std::string> waits_for;  // holders that have not answered, readers that block
};

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
