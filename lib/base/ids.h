// The strong identifiers of the mesh. Each is a type of its own, so that a rank is never passed
// where a sequence number is meant; none of them converts to a bare integer by itself.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace radixmesh {

// An integer of its own kind. `Tag` keeps kinds apart; arithmetic is written on `value`.
template <class Tag, class Rep>
struct StrongInt {
  Rep value{};
  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
};

// A node is its `local_cache_addr` within a cluster name; on the wire it is a 64-bit hash of both.
using NodeId = StrongInt<struct NodeIdTag, std::uint64_t>;

// A node's place in the order that all members know. Unique; the lowest wins a tie.
using NodeRank = StrongInt<struct NodeRankTag, std::uint32_t>;
// Of a node that has none yet.
inline constexpr NodeRank kAnyRank{0xFFFFFFFF};

// Which life of a node: its start in microseconds since 1970, handed in by the shell, and above any
// epoch that was ever seen of that node. Zero: never heard of.
using Epoch = StrongInt<struct EpochTag, std::uint64_t>;

// The number of an op within (origin, epoch). The first op has 1; zero means none yet.
using Seq = StrongInt<struct SeqTag, std::uint64_t>;

// One token id of the model's vocabulary. Arrays of them are compared and copied as memory.
enum class TokenId : std::uint32_t {};
static_assert(sizeof(TokenId) == 4);

// Where one token's KV lies in its holder's pool.
using Slot = StrongInt<struct SlotTag, std::uint64_t>;

}  // namespace radixmesh

template <class Tag, class Rep>
struct std::hash<radixmesh::StrongInt<Tag, Rep>> {
  std::size_t operator()(radixmesh::StrongInt<Tag, Rep> id) const noexcept {
    // Multiplied, because node ids are hashes already but sequence numbers are dense.
    return static_cast<std::size_t>(id.value * 0x9E3779B97F4A7C15ull);
  }
};
