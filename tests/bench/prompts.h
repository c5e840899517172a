// Prompts that share nothing, by number: what the benches of the sockets insert and ask for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ipc/framing.h"
#include "ipc/packing.h"
#include "lib/base/ids.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh::bench {

inline constexpr std::uint32_t kVocabulary = 128'000;

// Replaces the content of `tokens` by prompt `index`. Its first token is the index, so no two of
// the first 128,000 prompts share as much as one token; the rest is noise (splitmix64).
inline void make_prompt(std::uint64_t index, std::uint32_t count, std::vector<TokenId>& tokens) {
  tokens.resize(count);
  std::uint64_t state = index * 0xD1342543DE82EF95u;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    tokens[i] = TokenId{static_cast<std::uint32_t>(((z >> 32) * kVocabulary) >> 32)};
  }
  if (count > 0) tokens[0] = TokenId{static_cast<std::uint32_t>(index % kVocabulary)};
}

// Replaces the content of `out` by the frame of a request; `fill` packs `params` pairs.
template <class Fill>
void make_request(std::uint32_t id, std::string_view method, std::uint32_t params, Fill&& fill,
                  std::string& out) {
  out.assign(ipc::kLengthBytes, '\0');
  Buffer buffer{out};
  Packer packer(buffer);
  packer.pack_array(4);
  packer.pack_uint8(0);
  packer.pack_uint32(id);
  pack_text(packer, method);
  packer.pack_map(params);
  fill(packer);
  out.replace(0, ipc::kLengthBytes, ipc::length_bytes(out.size() - ipc::kLengthBytes));
}

inline void make_query(std::uint32_t id, std::string_view method, std::span<const TokenId> tokens,
                       std::string& out) {
  make_request(
      id, method, 1,
      [&](Packer& packer) {
        pack_text(packer, "tokens");
        ipc::pack_tokens(packer, tokens);
      },
      out);
}

inline void make_insert(std::uint32_t id, std::span<const TokenId> tokens, const SlotRuns& slots,
                        std::string& out) {
  make_request(
      id, "insert", 2,
      [&](Packer& packer) {
        pack_text(packer, "tokens");
        ipc::pack_tokens(packer, tokens);
        pack_text(packer, "slots");
        ipc::pack_slots(packer, slots);
      },
      out);
}

}  // namespace radixmesh::bench
