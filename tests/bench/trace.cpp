#include "tests/bench/trace.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <unordered_set>

namespace radixmesh::bench {

Trace read_trace(const std::string& path, std::size_t requests_max) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  Trace trace;
  std::string line;
  while ((requests_max == 0 || trace.size() < requests_max) && std::getline(file, line)) {
    if (line.empty()) continue;
    try {
      trace.push_back({nlohmann::json::parse(line).at("hash_ids")});
    } catch (const nlohmann::json::exception& error) {
      throw std::runtime_error(path + ", request " + std::to_string(trace.size() + 1) + ": " +
                               error.what());
    }
  }
  if (trace.empty()) throw std::runtime_error(path + ": no request in it");
  return trace;
}

Trace make_trace(std::uint64_t seed, std::size_t requests) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  std::uint64_t next_id = 0;
  const auto append_fresh = [&](Request& request, std::uint64_t blocks) {
    for (; blocks > 0; --blocks) request.hash_ids.push_back(next_id++);
  };
  std::vector<Request> systems(8);
  for (Request& system : systems) append_fresh(system, 1 + below(12));
  std::vector<Request> sessions;
  Trace trace;
  while (trace.size() < requests) {
    const bool fresh = sessions.size() < 4 || below(100) < 30;
    if (fresh) {
      sessions.push_back(below(100) < 80 ? systems[below(below(8) + 1)] : Request{});
      append_fresh(sessions.back(), 1 + below(20));
    }
    // Mostly one of the latest sessions goes on; now and then any.
    const std::uint64_t latest = std::min<std::uint64_t>(sessions.size(), 64);
    const std::uint64_t back = fresh ? 0 : below(100) < 90 ? below(latest) : below(sessions.size());
    Request& session = sessions[sessions.size() - 1 - back];
    trace.push_back(session);
    append_fresh(session, 1 + below(6));  // the answer, and what the user says to it
    if (session.hash_ids.size() > 240) session = systems[below(8)];
  }
  return trace;
}

void expand(std::span<const std::uint64_t> hash_ids, std::vector<TokenId>& tokens) {
  tokens.resize(hash_ids.size() * kBlockTokens);
  TokenId* out = tokens.data();
  for (std::uint64_t h : hash_ids) {
    for (std::uint64_t j = 0; j < kBlockTokens; ++j) {
      std::uint64_t z =
          h * 0x9E3779B97F4A7C15ull + j * 0xD1B54A32D192ED03ull + 0x632BE59BD9B4E019ull;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
      z ^= z >> 31;
      *out++ = TokenId{static_cast<std::uint32_t>(z % 128000)};
    }
  }
}

ExpectedMatches expected_matches(const Trace& trace, std::uint32_t holders,
                                 std::uint32_t page_size) {
  ExpectedMatches expected;
  std::vector<std::unordered_set<std::uint64_t>> held(holders);
  std::unordered_set<std::uint64_t> distinct;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const auto& ids = trace[i].hash_ids;
    std::uint64_t deepest = 0;
    for (const auto& holder : held) {
      std::uint64_t blocks = 0;
      while (blocks < ids.size() && holder.contains(ids[blocks])) ++blocks;
      const std::uint64_t depth = blocks * kBlockTokens / page_size * page_size;
      expected.depth_tokens += depth;
      deepest = std::max(deepest, depth);
    }
    expected.matched_tokens += deepest;
    expected.input_tokens += ids.size() * kBlockTokens;
    held[i % holders].insert(ids.begin(), ids.end());
    distinct.insert(ids.begin(), ids.end());
  }
  expected.distinct_tokens = distinct.size() * kBlockTokens;
  return expected;
}

}  // namespace radixmesh::bench
