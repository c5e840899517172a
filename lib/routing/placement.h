// Where a prompt should run, in a mesh: what this node knows of all members goes to its Router, and
// what that promises is told to all.
//
//   loads, what members say of themselves ──► Router ◄── depths of the picture
//   BOOKINGS of others ──────────────────────►   │
//                                                ▼
//                            route, redirect, explain     BOOKINGS of this node
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/members/roster.h"
#include "lib/oplog/head_pace.h"
#include "lib/oplog/post.h"
#include "lib/routing/route_view.h"
#include "lib/routing/router.h"
#include "lib/tree/picture.h"

namespace radixmesh {

class Placement {
 public:
  // `life` tells this life's bookings from those of others.
  Placement(const RoutingSettings& settings, const Roster& roster, Picture& picture, Post& post,
            Outbox& out, HeadPace& pace, Epoch life, std::uint64_t seed, TimePoint now);

  // What of this node's own state counts for a choice.
  struct Self {
    std::string_view unfit;  // why it gets no work now; empty if it may
    bool keeps_duplicates = false;
  };

  // ---- choices ---------------------------------------------------------------------------------

  // With `book` the nodes chosen are promised the work, everyone is told, and this node counts them
  // as holding the prompt for a moment.
  RouteView route(TimePoint now, const RouteQuery& query, const Self& self, bool book);
  // Whether a request that this node has should go elsewhere; `visited` had it before.
  RedirectView redirect(TimePoint now, const RouteQuery& query, const Self& self,
                        std::span<const std::string> visited);
  // Changes nothing.
  ExplainView explain(TimePoint now, const RouteQuery& query, const Self& self);
  void prefill_done(TimePoint now, std::uint64_t booking, std::optional<std::uint32_t> hit_tokens);
  void finish(TimePoint now, std::uint64_t booking);
  void finish_warm_up() { router_.finish_warm_up(); }

  // ---- what members say ------------------------------------------------------------------------

  // WELCOME; HEAD.
  void note_welcome(NodeId member, bool ready, std::uint64_t pull_rate);
  void note_head(NodeId member, bool ready, bool keeps_duplicates);
  // HEADs and heartbeats repeat it until there is another.
  void note_load(TimePoint now, NodeId member, const std::optional<Load>& load);
  // True where it is news, to be passed on.
  bool on_bookings(TimePoint now, const Envelope& envelope, const BookingsMessage& bookings);
  // The version of what it said last; and that it never said so.
  std::uint64_t bookings_heard(NodeId member) const { return router_.promises_heard(member); }
  void disbelieve_bookings(TimePoint now, NodeId member, std::uint64_t version) {
    router_.disbelieve_promises(now, member, version);
  }
  // It is dead or has left: when it is back, what it repeats is news. In another life it says all
  // anew. It is no member any more.
  void end(TimePoint now, NodeId member);
  void begin_life(TimePoint now, NodeId member);
  void forget(NodeId member) { members_.erase(member); }

  // ---- this node -------------------------------------------------------------------------------

  // What its engine reports. Told at once where it differs much from what was told last.
  void report_load(TimePoint now, const Load& load);
  const std::optional<Load>& own_load() const { return own_load_; }
  void told_load() { told_load_ = own_load_; }
  // What is promised is told soon, and not with every change.
  void publish_bookings(TimePoint now);
  // How many BOOKINGS it published.
  std::uint64_t bookings_told() const { return beat_; }
  TimePoint due() const {
    return std::min(router_.next_expiry(), std::max(next_bookings_, bookings_free_));
  }

  // ---- what is shown ---------------------------------------------------------------------------

  WorkView work_of(NodeId member) const;
  std::optional<Load> load_of(NodeId member) const;
  bool is_ready(NodeId member) const;
  RoutingView view(TimePoint now) const;

 private:
  // What a member says of itself that counts for a choice.
  struct Said {
    std::optional<Load> load;
    bool ready = false;             // it may be chosen for work
    bool keeps_duplicates = false;  // its engine frees no single slots
    std::uint64_t pull_rate = 0;    // tokens/s of KV to it from other nodes, and from it
  };
  // Null where it said nothing, as this node itself does.
  const Said* said_by(NodeId member) const;
  std::uint64_t pull_rate_of(NodeId member) const;
  std::string_view unfit(const Member& member, const Said* said, const Self& self) const;
  std::vector<RouteNode> nodes_for(TimePoint now, const RouteQuery& query, const Self& self);
  std::optional<TargetView> target(const Routed& routed, std::optional<std::size_t> at) const;
  std::optional<SourceView> source(const Routed& routed, std::optional<std::size_t> reader) const;
  CandidateView row_of(const Member& member, const Routed& routed, const Self& self) const;
  void tell_bookings(TimePoint now);

  RoutingSettings settings_;
  const Roster& roster_;
  Picture& picture_;
  Post& post_;
  Outbox& out_;
  HeadPace& pace_;
  Router router_;
  std::map<NodeId, Said> members_;
  std::optional<Load> own_load_, told_load_;
  std::uint64_t load_reports_ = 0;
  std::uint64_t told_bookings_ = 0, beat_ = 0;  // their version; counts BOOKINGS
  TimePoint next_bookings_ = kNever, bookings_free_ = TimePoint::min();
};

}  // namespace radixmesh
