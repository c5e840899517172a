// How tokens and slots are packed into binary (WIRE.md, "Packed values").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh {

// Tokens at the width of the largest: one byte of width (1 to 32 bits), then the tokens' low bits
// in a row, least significant first, the last byte filled with zeros. About 2.1 bytes a token for a
// vocabulary of 128,000.
void pack_tokens(std::span<const TokenId> tokens, std::string& out);
std::size_t packed_tokens_bytes(std::span<const TokenId> tokens);

// Exactly `count` tokens; nothing if the bytes are not a packing of so many.
std::optional<std::vector<TokenId>> unpack_tokens(std::string_view bytes, std::uint32_t count);

// Slots as runs: for each the distance of its start from the end of the run before (zigzag), then
// its count, both as LEB128.
void pack_slots(const SlotRuns& slots, std::string& out);

// Exactly `count` slots; nothing if the bytes are not a packing of so many.
std::optional<SlotRuns> unpack_slots(std::string_view bytes, std::uint64_t count);

}  // namespace radixmesh
