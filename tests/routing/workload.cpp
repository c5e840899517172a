#include "tests/routing/workload.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace radixmesh::routing {
namespace {

// So that the bursts of two copies of a trace do not coincide.
constexpr double kCopiesApartS = 7.3;

}  // namespace

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

Workload with_rush(Workload workload, double factor, double seconds) {
  const double begin_s = workload.span_s / 2, length_s = seconds * factor;
  for (Request& each : workload.requests) {
    if (each.arrival_s < begin_s) continue;
    each.arrival_s = each.arrival_s < begin_s + length_s
                         ? begin_s + (each.arrival_s - begin_s) / factor
                         : each.arrival_s - length_s + seconds;
  }
  settle(workload);
  workload.rush_begins_s = begin_s;
  workload.rush_ends_s = begin_s + seconds;
  return workload;
}

Workload with_common_prompt(Workload workload, double share, std::uint32_t blocks) {
  // By the first block, which whole tenants share.
  std::unordered_map<std::uint32_t, std::size_t> groups;
  std::uint32_t ids = 0;
  for (const Request& each : workload.requests) {
    ++groups[each.blocks.front()];
    ids = std::max(ids, *std::ranges::max_element(each.blocks) + 1);
  }
  std::vector<std::pair<std::uint32_t, std::size_t>> order(groups.begin(), groups.end());
  std::ranges::sort(order);
  std::ranges::shuffle(order, std::mt19937_64(5));
  std::unordered_set<std::uint32_t> chosen;
  double left = share * static_cast<double>(workload.requests.size());
  for (const auto& [block, count] : order) {
    if (static_cast<double>(count) > left) continue;
    chosen.insert(block);
    left -= static_cast<double>(count);
  }
  std::vector<std::uint32_t> common(blocks);
  std::iota(common.begin(), common.end(), 2 * ids);
  for (Request& each : workload.requests) {
    if (!chosen.contains(each.blocks.front())) continue;
    // What follows other tokens is other KV.
    for (std::uint32_t& block : each.blocks) block += ids;
    each.blocks.insert(each.blocks.begin(), common.begin(), common.end());
  }
  settle(workload);
  return workload;
}

}  // namespace radixmesh::routing
