#include "lib/routing/prefix_first.h"

#include <tuple>

#include "lib/routing/first_pages.h"

namespace radixmesh {
namespace {

std::optional<std::size_t> deepest(const std::vector<RouteCandidate>& candidates,
                                   bool (*serves)(Role), std::uint32_t common) {
  std::optional<std::size_t> best;
  const auto key = [&](const RouteCandidate& each) {
    return std::tuple(~each.depth, each.requests, each.rank);
  };
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!serves(candidates[i].role) || candidates[i].depth <= common) continue;
    if (!best || key(candidates[i]) < key(candidates[*best])) best = i;
  }
  return best;
}

}  // namespace

RouteChoice prefix_first(const std::vector<RouteCandidate>& candidates, std::uint32_t tokens,
                         std::uint32_t common, std::uint64_t first_pages,
                         std::uint32_t decode_only_tokens) {
  RouteChoice choice;
  choice.prefill = deepest(candidates, serves_prefill, common);
  choice.decode = deepest(candidates, serves_decode, common);
  const bool found = choice.prefill || choice.decode;
  if (!choice.prefill) choice.prefill = hash_choice(candidates, serves_prefill, first_pages);
  if (!choice.decode) choice.decode = hash_choice(candidates, serves_decode, first_pages);
  if (found) {
    choice.reason = RouteReason::prefix;
  } else if (choice.prefill || choice.decode) {
    choice.reason = RouteReason::hash;
  }
  if (choice.decode && decodes_alone(candidates[*choice.decode], tokens, decode_only_tokens)) {
    choice.prefill.reset();
    choice.reason = RouteReason::decode_only;
  }
  return choice;
}

}  // namespace radixmesh
