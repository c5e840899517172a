// The values of PROTOCOL.md as MessagePack: how the server writes what the client reads.
#pragma once

#include <msgpack.hpp>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/replica_view.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh::ipc {

struct Buffer {
  std::string& out;
  void write(const char* data, std::size_t size) { out.append(data, size); }
};
using Packer = msgpack::packer<Buffer>;

inline void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}
inline void pack_binary(Packer& packer, std::string_view bytes) {
  packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
  packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}
inline void pack_tokens(Packer& packer, std::span<const TokenId> tokens) {
  pack_binary(packer, {reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()});
}
void pack_slots(Packer& packer, const SlotRuns& slots);
void pack_namespace(Packer& packer, const CacheNamespace& name);
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
