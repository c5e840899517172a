// What one choice of the routing core costs: unified nodes with reports of their load, prompts of
// which each node has some, bookings as many as there are prompts. Checks that all were booked, and
// where they went.
//
//   choice_bench [--nodes 64] [--tokens 8192] [--rounds 400]
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/routing/router.h"
#include "tests/bench/prompts.h"
#include "tests/bench/report.h"

namespace radixmesh::bench {
namespace {

constexpr std::uint32_t kPageSize = 16;
constexpr std::size_t kPrompts = 64;

struct Options {
  std::uint32_t nodes = 64, tokens = 8192, rounds = 400;
};

struct Prompt {
  std::vector<TokenId> tokens;
  std::vector<RouteNode> nodes;
};

// One node has all but the last page, the others the first half, or nothing.
Prompt make_routed_prompt(std::uint32_t number, const Options& options) {
  Prompt prompt;
  make_prompt(number, options.tokens, prompt.tokens);
  for (std::uint32_t i = 0; i < options.nodes; ++i) {
    const bool is_home = i == number % options.nodes;
    const std::uint32_t depth = is_home                 ? options.tokens - kPageSize
                                : (i + number) % 3 == 0 ? options.tokens / 2 / kPageSize * kPageSize
                                                        : 0;
    prompt.nodes.push_back({NodeId{i + 1}, NodeRank{i}, Role::unified, depth, false});
  }
  return prompt;
}

void run(const Options& options) {
  std::vector<Prompt> prompts;
  for (std::uint32_t i = 0; i < kPrompts; ++i) prompts.push_back(make_routed_prompt(i, options));
  TimePoint now{std::chrono::seconds(1)};
  Router router({}, kPageSize, Epoch{1}, 1, now);
  router.finish_warm_up();
  const CacheNamespace name;
  Load load;
  load.running = 2;
  std::deque<BookingId> open;
  std::uint64_t at_home = 0, choices = 0;
  Durations rounds;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    for (std::uint32_t i = 0; i < options.nodes; ++i) {
      router.report_load(now, NodeId{i + 1}, load);
    }
    Clock::duration took{};
    for (std::uint32_t i = 0; i < kPrompts; ++i) {
      const Prompt& prompt = prompts[i];
      now += std::chrono::milliseconds(1);
      const auto begin = Clock::now();
      const Routed routed = router.route(now, {name, prompt.tokens}, prompt.nodes, true);
      took += Clock::now() - begin;
      ++choices;
      if (routed.choice.prefill == i % options.nodes) ++at_home;
      if (!routed.booking) throw std::runtime_error("a choice was not booked");
      open.push_back(*routed.booking);
      if (open.size() <= kPrompts) continue;
      router.prefill_done(now, open.front(), std::nullopt);
      router.finish(now, open.front());
      open.pop_front();
    }
    rounds.add(took / kPrompts);
  }
  expect_equal<std::uint64_t>("open bookings", router.bookings(), kPrompts);
  if (at_home < choices * 9 / 10) throw std::runtime_error("prompts did not go where they are");
  std::printf(
      "a choice among %u nodes, %u tokens: p50 %.2f us, p10 %.2f us, of %llu; %.1f %% at home\n",
      options.nodes, options.tokens, rounds.percentile_us(0.5), rounds.percentile_us(0.1),
      static_cast<unsigned long long>(choices),
      100 * static_cast<double>(at_home) / static_cast<double>(choices));
}

}  // namespace
}  // namespace radixmesh::bench

int main(int argc, char** argv) {
  radixmesh::bench::Options options;
  CLI::App app("What one choice of the routing core costs.");
  app.add_option("--nodes", options.nodes, "that may be chosen")->capture_default_str();
  app.add_option("--tokens", options.tokens, "of a prompt")->capture_default_str();
  app.add_option("--rounds", options.rounds, "each routes 64 prompts")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    radixmesh::bench::run(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "choice_bench: %s\n", error.what());
    return 1;
  }
}
