// The values of PROTOCOL.md as MessagePack: how the server writes what the client reads.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/packer.h"
#include "lib/gc/gc_view.h"
#include "lib/replica_view.h"
#include "lib/routing/route_view.h"
#include "lib/tree/match_view.h"
#include "lib/tree/slot_runs.h"
#include "lib/tree/tree_view.h"

namespace radixmesh::ipc {

inline void pack_tokens(Packer& packer, std::span<const TokenId> tokens) {
  pack_binary(packer, {reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()});
}
void pack_slots(Packer& packer, const SlotRuns& slots);
void pack_match(Packer& packer, const MatchView& match);
void pack_segments(Packer& packer, const std::vector<SegmentView>& segments);
void pack_route(Packer& packer, const RouteView& route);
void pack_redirect(Packer& packer, const RedirectView& redirect);
void pack_explain(Packer& packer, const ExplainView& explain);
void pack_gc(Packer& packer, const GcView& gc);
void pack_gc_counts(Packer& packer, const GcCountsView& counts);
void pack_routing(Packer& packer, const RoutingView& routing);
// `bytes_sent` and the like are the shell's, and come as further pairs of name and number.
using Numbers = std::span<const std::pair<std::string_view, std::uint64_t>>;
void pack_status(Packer& packer, const StatusView& status, Numbers more);
void pack_nodes(Packer& packer, const std::vector<NodeView>& nodes);
void pack_tree(Packer& packer, const TreeView& tree);
void pack_entries(Packer& packer, const EntriesView& entries);

}  // namespace radixmesh::ipc
