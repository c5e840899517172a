#include "lib/oplog/packing.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace radixmesh {
namespace {

std::uint32_t width_of(std::span<const TokenId> tokens) {
  std::uint32_t all = 1;
  for (TokenId token : tokens) all |= static_cast<std::uint32_t>(token);
  return static_cast<std::uint32_t>(std::bit_width(all));
}

std::size_t payload_bytes(std::size_t count, std::uint32_t width) {
  return (count * width + 7) / 8;
}

void put_leb128(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

std::optional<std::uint64_t> take_leb128(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (shift == 63 && byte > 1) return std::nullopt;
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace

std::size_t packed_tokens_bytes(std::span<const TokenId> tokens) {
  return 1 + payload_bytes(tokens.size(), width_of(tokens));
}

void pack_tokens(std::span<const TokenId> tokens, std::string& out) {
  const std::uint32_t width = width_of(tokens);
  out.push_back(static_cast<char>(width));
  const std::size_t begin = out.size();
  // Words of 8 bytes are stored at once; the surplus is cut off at the end.
  out.resize(begin + payload_bytes(tokens.size(), width) + 8);
  char* at = out.data() + begin;
  std::uint64_t word = 0;
  std::uint32_t filled = 0;
  for (TokenId token : tokens) {
    word |= static_cast<std::uint64_t>(token) << filled;
    filled += width;
    if (filled >= 32) {
      std::memcpy(at, &word, 4);
      at += 4;
      word >>= 32;
      filled -= 32;
    }
  }
  std::memcpy(at, &word, 8);
  out.resize(begin + payload_bytes(tokens.size(), width));
}

std::optional<std::vector<TokenId>> unpack_tokens(std::string_view bytes, std::uint32_t count) {
  if (bytes.empty()) return std::nullopt;
  const auto width = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  if (width < 1 || width > 32 || bytes.size() != payload_bytes(count, width)) return std::nullopt;
  std::vector<TokenId> tokens(count);
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  std::size_t bit = 0;
  for (TokenId& token : tokens) {
    // At most 7 bits before the token and 32 of it: one load of 8 bytes always has it.
    const std::size_t at = bit / 8;
    std::uint64_t word = 0;
    if (at + sizeof word <= bytes.size()) {
      std::memcpy(&word, bytes.data() + at, sizeof word);
    } else {
      std::memcpy(&word, bytes.data() + at, bytes.size() - at);
    }
    token = TokenId{static_cast<std::uint32_t>((word >> (bit % 8)) & mask)};
    bit += width;
  }
  return tokens;
}

void pack_slots(const SlotRuns& slots, std::string& out) {
  std::uint64_t end = 0;
  for (const SlotRun& run : slots.runs()) {
    const auto distance = static_cast<std::int64_t>(run.start.value - end);
    put_leb128(
        (static_cast<std::uint64_t>(distance) << 1) ^ static_cast<std::uint64_t>(distance >> 63),
        out);
    put_leb128(run.count, out);
    end = run.start.value + run.count;
  }
}

std::optional<SlotRuns> unpack_slots(std::string_view bytes, std::uint64_t count) {
  SlotRuns slots;
  std::uint64_t end = 0, total = 0;
  while (!bytes.empty()) {
    const auto zigzag = take_leb128(bytes);
    if (!zigzag) return std::nullopt;
    const auto length = take_leb128(bytes);
    if (!length || *length == 0 || *length > count - total) return std::nullopt;
    const std::uint64_t start = end + ((*zigzag >> 1) ^ (~(*zigzag & 1) + 1));
    if (start + *length < start) return std::nullopt;
    slots.append(SlotRun{Slot{start}, *length});
    end = start + *length;
    total += *length;
  }
  if (total != count) return std::nullopt;
  return slots;
}

}  // namespace radixmesh
