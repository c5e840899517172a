// An engine in a page: what it asks its sidecar for each prompt, with a KV pool of 64 slots.
//
//   build/examples/engine [SOCKET]     # or $RADIXMESH_SOCKET: a prefill, decode or unified node
//
// It resets the node first. Made for small pages (1, the default, to 8): the prompts are short.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "ipc/client.h"

namespace {

using radixmesh::SlotRuns, radixmesh::TokenId;
using Tokens = std::vector<TokenId>;

constexpr std::uint32_t kSlots = 64;

// The tokens [1, 17), with which every prompt begins, and those of its own.
Tokens prompt(std::uint32_t begin, std::uint32_t end) {
  Tokens tokens;
  for (std::uint32_t i = 1; i < 17; ++i) tokens.push_back(TokenId{i});
  for (std::uint32_t i = begin; i < end; ++i) tokens.push_back(TokenId{i});
  return tokens;
}

class ToyEngine {
 public:
  explicit ToyEngine(radixmesh::ipc::Client& mesh) : mesh_(mesh) { free_.append({{0}, kSlots}); }

  void run(const std::string& name, const Tokens& tokens) {
    // Match and lock in one: nobody evicts the match while we read it. Its end lets go.
    const auto lease = mesh_.acquire(tokens);
    const std::uint64_t cached = lease.match.local_length, missing = tokens.size() - cached;
    if (missing > free_.size()) {
      const SlotRuns evicted = mesh_.evict(missing - free_.size()).freed;
      std::printf("  evicted %zu tokens to make room\n", std::size_t{evicted.size()});
      free_.append(evicted);
    }
    if (missing > free_.size()) {
      std::printf("%s: more than fits beside what is locked\n", name.c_str());
      return;
    }
    SlotRuns rest = free_.split_off(missing);
    const SlotRuns fresh = std::exchange(free_, std::move(rest));
    // ... here an engine computes the KV of the tokens from `cached` on into the slots `fresh` ...
    SlotRuns slots = lease.match.local_slots;
    slots.append(fresh);
    const auto result = mesh_.insert(tokens, slots);
    // First writer wins: what was there before is not taken, nor is a tail shorter than a page.
    const std::uint64_t begin = result.prefix_len, end = begin + result.stored;
    free_.append(slots.part(cached, begin));
    free_.append(slots.part(end, slots.size()));
    free_.append(result.freed);
    std::printf("%s: %zu tokens, %zu cached, %u stored anew\n", name.c_str(), tokens.size(), cached,
                result.stored);
  }

 private:
  radixmesh::ipc::Client& mesh_;
  SlotRuns free_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::pair<std::string, Tokens>> prompts = {
      {"weather", prompt(100, 116)},
      {"sports", prompt(200, 224)},
      {"weather, turn 2", prompt(100, 132)}};
  try {
    radixmesh::ipc::Client mesh(argc > 1 ? argv[1] : "");  // "": $RADIXMESH_SOCKET
    mesh.reset();  // our pool is empty, so nothing may be cached
    ToyEngine engine(mesh);
    for (const auto& [name, tokens] : prompts) engine.run(name, tokens);
    std::printf("\nwhat is cached where:\n");
    for (const auto& [name, tokens] : prompts) {
      for (const auto& [addr, depth] : mesh.match_prefix(tokens).depths) {
        const std::size_t size = tokens.size();
        std::printf("  %s: %u of %zu tokens at %s\n", name.c_str(), depth, size, addr.c_str());
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine: %s\n", error.what());
    return 1;
  }
}
