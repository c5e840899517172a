// A request trace: what the benches replay.
//
// A file has one JSON object a line, {"timestamp", "input_length", "output_length", "hash_ids"}; an
// id stands for a block of 512 tokens and everything before it. Without a file there is a generator
// of conversations. Either way tokens are made from ids, so a bench knows what must match from ids
// alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh::bench {

inline constexpr std::uint32_t kBlockTokens = 512;

struct Request {
  std::vector<std::uint64_t> hash_ids;  // all blocks count as whole
};
using Trace = std::vector<Request>;

// At most `requests_max` requests (0: all). Throws std::runtime_error that names the line.
Trace read_trace(const std::string& path, std::size_t requests_max);

// Multi-turn conversations: a few shared system prompts, turns that repeat all that was said
// before, some users that come back late. The same for the same seed.
Trace make_trace(std::uint64_t seed, std::size_t requests);

// Token `j` of block `h` is a mix of both, below 128,000. Replaces the content of `tokens`.
void expand(std::span<const std::uint64_t> hash_ids, std::vector<TokenId>& tokens);

// What there is to find, computed from ids with sets: no tree, no tokens.
struct ExpectedMatches {
  std::uint64_t input_tokens = 0;
  std::uint64_t matched_tokens = 0;  // of the deepest holder, summed over requests
  std::uint64_t depth_tokens = 0;    // of every holder
  std::uint64_t distinct_tokens = 0;
};
// Request i is looked up, then inserted at holder i mod `holders`; depths are in whole pages.
ExpectedMatches expected_matches(const Trace& trace, std::uint32_t holders,
                                 std::uint32_t page_size);

}  // namespace radixmesh::bench
