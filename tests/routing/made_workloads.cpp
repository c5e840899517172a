#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <string>
#include <utility>

#include "tests/routing/workload.h"

namespace radixmesh::routing {
namespace {

// Numbers of some shapes, the same for the same seed.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : random_(seed) {}
  double uniform() { return std::uniform_real_distribution<>()(random_); }
  double exponential(double mean) { return -mean * std::log(1 - uniform()); }
  // Its logarithm is normal.
  double wide(double median, double spread) {
    const double angle = 2 * std::numbers::pi * uniform();
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return median * std::exp(spread * radius * std::cos(angle));
  }

 private:
  std::mt19937_64 random_;
};

std::uint32_t whole(double number, double least, double most) {
  return static_cast<std::uint32_t>(std::clamp(number, least, most));
}

// Of so many requests a second that about `count` come while the first sessions are still at it and
// the last have begun; those after are left out.
Workload finish(Workload workload, std::string name, std::size_t count) {
  workload.name = std::move(name);
  std::ranges::stable_sort(workload.requests, {}, &Request::arrival_s);
  workload.requests.resize(std::min(count, workload.requests.size()));
  settle(workload);
  return workload;
}

}  // namespace

Workload make_agentic(std::uint64_t seed, std::size_t count) {
  constexpr std::size_t kTenants = 24, kSharedBlocks = 12, kTurnBlocks = 2, kFanOut = 6;
  std::mt19937_64 random(seed);
  const auto uniform = [&] { return std::uniform_real_distribution<>()(random); };
  Workload workload;
  workload.name = "agentic";
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

Workload make_conversations(std::uint64_t seed, std::size_t count) {
  constexpr double kStampS = 3;
  Draws draws(seed);
  Workload workload;
  std::uint32_t next = 1;  // 0 is common to all
  double begin_s = 0;
  // Some more: the last sessions reach beyond.
  while (workload.requests.size() < count + count / 4) {
    begin_s += draws.exponential(0.6);
    Request request;
    request.blocks = {0};
    double at_s = begin_s;
    double blocks = draws.wide(13, 1);
    do {
      for (std::uint32_t more = whole(blocks, 1, 240); more > 0; --more) {
        request.blocks.push_back(next++);
      }
      request.output_tokens = whole(draws.wide(220, 1), 1, 2000);
      request.arrival_s = std::floor(at_s / kStampS) * kStampS;
      workload.requests.push_back(request);
      at_s += draws.exponential(90);
      blocks = draws.wide(1.5, 0.8);
    } while (draws.uniform() < 0.42);
  }
  return finish(std::move(workload), "conversations", count);
}

Workload make_synthetic(std::uint64_t seed, std::size_t count) {
  Draws draws(seed);
  Workload workload;
  std::uint32_t next = 0;
  double begin_s = 0;
  while (workload.requests.size() < count + count / 4) {
    begin_s += draws.exponential(0.5);
    const bool is_short = draws.uniform() < 0.55;
    Request request;
    double at_s = begin_s;
    std::uint32_t more = is_short ? 1 : 10 + whole(draws.exponential(38), 0, 220);
    do {
      for (; more > 0; --more) request.blocks.push_back(next++);
      request.output_tokens = whole(draws.wide(60, 1.4), 1, 900);
      request.arrival_s = at_s;
      workload.requests.push_back(request);
      at_s += draws.exponential(150);
      more = draws.uniform() < 0.3 ? 1 : 0;
    } while (!is_short && draws.uniform() < 0.72);
  }
  return finish(std::move(workload), "synthetic", count);
}

std::optional<Workload> make_workload(const std::string& name, std::uint64_t seed,
                                      std::size_t requests) {
  if (name == "synthetic") return make_synthetic(seed, requests);
  if (name == "agentic") return make_agentic(seed, requests);
  if (name == "conversations") return make_conversations(seed, requests);
  return std::nullopt;
}

}  // namespace radixmesh::routing
