#include "tests/routing/workload.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace radixmesh::routing {
namespace {

// So that the bursts of two copies of a trace do not coincide.
constexpr double kCopiesApartS = 7.3;

// Counts, and begins at 0.
void settle(Workload& workload) {
  auto& requests = workload.requests;
  std::ranges::stable_sort(requests, {}, &Request::arrival_s);
  std::unordered_set<std::uint32_t> distinct;
  workload.input_tokens = 0;
  const double begin = requests.front().arrival_s;
  for (Request& each : requests) {
    each.arrival_s -= begin;
    workload.input_tokens += each.blocks.size() * kBlockTokens;
    distinct.insert(each.blocks.begin(), each.blocks.end());
  }
  workload.distinct_tokens = distinct.size() * kBlockTokens;
  workload.span_s = requests.back().arrival_s;
}

}  // namespace

Workload read_workload(const std::string& path, std::size_t requests_max) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  Workload workload;
  workload.name = path.substr(path.find_last_of('/') + 1);
  std::unordered_map<std::uint64_t, std::uint32_t> ids;
  std::string line;
  auto& requests = workload.requests;
  while ((requests_max == 0 || requests.size() < requests_max) && std::getline(file, line)) {
    if (line.empty()) continue;
    try {
      const auto fields = nlohmann::json::parse(line);
      Request request;
      request.arrival_s = fields.at("timestamp").get<double>() / 1000;
      request.output_tokens = fields.at("output_length");
      for (std::uint64_t id : fields.at("hash_ids")) {
        request.blocks.push_back(
            ids.emplace(id, static_cast<std::uint32_t>(ids.size())).first->second);
      }
      if (!request.blocks.empty()) requests.push_back(std::move(request));
    } catch (const nlohmann::json::exception& error) {
      throw std::runtime_error(path + ", request " + std::to_string(requests.size() + 1) + ": " +
                               error.what());
    }
  }
  if (requests.size() < 2) throw std::runtime_error(path + ": too few requests in it");
  settle(workload);
  return workload;
}

Workload make_workload(std::uint64_t seed, std::size_t count) {
  constexpr std::size_t kTenants = 24, kSharedBlocks = 12, kTurnBlocks = 2, kFanOut = 6;
  std::mt19937_64 random(seed);
  const auto uniform = [&] { return std::uniform_real_distribution<>()(random); };
  Workload workload;
  workload.name = "made";
  std::uint32_t next = kTenants * kSharedBlocks;
  double session_s = 0;
  while (workload.requests.size() < count) {
    session_s -= 3 * std::log(1 - uniform());
    // The first tenants are asked for far more often than the last.
    const auto tenant = static_cast<std::uint32_t>(kTenants * uniform() * uniform() * uniform());
    const std::size_t branches = uniform() < 0.1 ? kFanOut : 1;
    for (std::size_t branch = 0; branch < branches; ++branch) {
      Request request;
      request.arrival_s = session_s + 0.5 * uniform();
      request.output_tokens = 150;
      for (std::uint32_t i = 0; i < kSharedBlocks; ++i) {
        request.blocks.push_back(static_cast<std::uint32_t>(tenant * kSharedBlocks + i));
      }
      for (auto turns = static_cast<int>(4 + 20 * uniform()); turns > 0; --turns) {
        for (std::size_t i = 0; i < kTurnBlocks; ++i) request.blocks.push_back(next++);
        workload.requests.push_back(request);
        request.arrival_s += 1 - 6 * std::log(1 - uniform());
      }
    }
  }
  settle(workload);
  return workload;
}

Workload at_load(const Workload& workload, double load, std::uint32_t nodes, double rate) {
  // Tokens a second that must be computed at the trace's own pace, and those that are wanted.
  const double own = static_cast<double>(workload.distinct_tokens) / workload.span_s;
  const double wanted = load * nodes * rate;
  const auto copies = static_cast<std::uint32_t>(std::max(1L, std::lround(wanted / own)));
  std::uint32_t ids = 0;
  for (const Request& each : workload.requests) {
    ids = std::max(ids, *std::ranges::max_element(each.blocks) + 1);
  }
  Workload out;
  out.name = workload.name;
  for (std::uint32_t copy = 0; copy < copies; ++copy) {
    for (Request each : workload.requests) {
      each.arrival_s = (each.arrival_s + copy * kCopiesApartS) * own * copies / wanted;
      for (std::uint32_t& block : each.blocks) block += copy * ids;
      out.requests.push_back(std::move(each));
    }
  }
  settle(out);
  return out;
}

}  // namespace radixmesh::routing
