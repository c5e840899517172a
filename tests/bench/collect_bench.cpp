// collect_bench: what collecting duplicates costs, and what it does to the hit rate. A simulated
// mesh runs the real core in virtual time, so that messages, bytes and hits are exact; the work of
// a period is timed on this machine.
//
// Requests of a trace go to a prefill node at random, so that copies come about; a decode node
// refers to some of them for a while. The same requests run with each mode, `off` first: what the
// others send more is the cost, but for INSERTs: what was collected and comes again is told again,
// as anything new. The bench fails if what is left is not what must be left.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include "tests/bench/report.h"
#include "tests/bench/trace.h"
#include "tests/sim/network.h"

namespace radixmesh::bench {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string trace;
  std::size_t requests = 1000, prefill_nodes = 4;
  std::uint32_t page_size = 16;
  std::uint64_t cache_tokens = 0, seed = 1, survey_tokens = 1'000'000;
  bool json = false;
};

constexpr Duration kBetweenRequests = 50ms;
constexpr std::size_t kReadEvery = 4;  // requests; the reference lasts until the next one

std::vector<TokenId> tokens_of(const Request& request) {
  std::vector<TokenId> tokens;
  expand(std::span(request.hash_ids), tokens);
  return tokens;
}

ReplicaSettings settings_of(const Options& options, GcMode mode) {
  ReplicaSettings settings;
  settings.page_size = options.page_size;
  settings.max_radix_cache_size = options.cache_tokens;
  settings.gc.mode = mode;
  for (std::size_t i = 0; i < options.prefill_nodes; ++i) {
    settings.members.push_back({"prefill:" + std::to_string(i), Role::prefill});
  }
  settings.members.push_back({"decode:0", Role::decode});
  settings.members.push_back({"router:0", Role::router});
  return settings;
}

// ---- one run -----------------------------------------------------------------------------------

class Run {
 public:
  Run(const Options& options, GcMode mode)
      : options_(options), network_(1, settings_of(options, mode)), random_(options.seed) {
    network_.keeps_log = false;
    network_.on_gc_free = [this](std::size_t node, const GcFree& event) {
      network_.replica(node).acknowledge_free(event.number);
    };
    for (std::size_t i = 0; i < network_.size(); ++i) network_.start(i);
    network_.run_for(2s);
    for (std::size_t i = 0; i < options.prefill_nodes; ++i) {
      network_.replica(i).set_engine_frees(network_.now(), true, false);
    }
  }

  Json operator()(const Trace& trace) {
    for (const Request& request : trace) serve(tokens_of(request));
    release();
    network_.run_for(2 * GcSettings{}.period + 1s);
    std::uint64_t collected = 0, held = 0, readers = 0;
    for (std::size_t i = 0; i < options_.prefill_nodes; ++i) {
      StatusView status = network_.replica(i).status();
      collected += status.counters["gc_tokens_collected"];
      expect_equal("tokens freed as collected", status.counters["gc_tokens_freed"],
                   status.counters["gc_tokens_collected"]);
      held += status.local_tokens;
      readers += status.counters["readers_registered"];
    }
    return {{"hit_rate", static_cast<double>(hit_) / static_cast<double>(asked_)},
            {"messages", network_.messages - network_.insert_messages},
            {"bytes", network_.bytes - network_.insert_bytes},
            {"insert_bytes", network_.insert_bytes},
            {"tokens_collected", collected},
            {"tokens_held", held},
            {"references", references_},
            {"registrations", readers}};
  }

 private:
  void serve(const std::vector<TokenId>& tokens) {
    asked_ += tokens.size();
    hit_ += network_.replica(router()).match_prefix({}, tokens).length;
    const std::size_t node = random_() % options_.prefill_nodes;
    const SlotRuns slots{{Slot{next_slot_}, tokens.size()}};
    next_slot_ += tokens.size();
    const auto inserted = network_.replica(node).insert(network_.now(), {}, tokens, slots);
    expect_equal("insert is taken", inserted.has_value(), true);
    network_.perform(node);
    if (++served_ % kReadEvery == 0) {
      release();
      refer(tokens);
    }
    network_.run_for(kBetweenRequests);
  }

  void refer(const std::vector<TokenId>& tokens) {
    network_.run_for(5ms);
    Replica& reader = network_.replica(decode());
    while (true) {
      auto acquired = reader.acquire(network_.now(), {}, tokens, true);
      network_.perform(decode());
      if (acquired && acquired->wait) {
        const auto wait = *acquired->wait;
        network_.run_until([&] { return !reader.waits(network_.now(), wait); }, 1s);
        continue;
      }
      if (acquired && acquired->reference != 0) ++references_;
      if (acquired) acquired_ = std::move(*acquired);
      return;
    }
  }
  void release() {
    if (!acquired_) return;
    network_.replica(decode()).release(network_.now(), acquired_->path, acquired_->reference);
    network_.perform(decode());
    acquired_.reset();
  }
  std::size_t decode() const { return options_.prefill_nodes; }
  std::size_t router() const { return options_.prefill_nodes + 1; }

  Options options_;
  sim::Network network_;
  std::mt19937_64 random_;
  std::uint64_t asked_ = 0, hit_ = 0, references_ = 0, next_slot_ = 0;
  std::size_t served_ = 0;
  std::optional<Acquired> acquired_;
};

// ---- what must be left -------------------------------------------------------------------------

// Tokens that stay where nothing has a bound: a block stays at a node if it, or one below it, is at
// no node of a lower rank. Computed from ids with sets.
std::uint64_t tokens_that_stay(const Options& options, const Trace& trace) {
  std::mt19937_64 random(options.seed);
  std::vector<std::set<std::vector<std::uint64_t>>> held(options.prefill_nodes);
  for (const Request& request : trace) {
    auto& at = held[random() % options.prefill_nodes];
    std::vector<std::uint64_t> path;
    for (std::uint64_t id : request.hash_ids) {
      path.push_back(id);
      at.insert(path);
    }
  }
  std::set<std::vector<std::uint64_t>> lower;
  std::uint64_t blocks = 0;
  for (const auto& at : held) {
    std::set<std::vector<std::uint64_t>> stays;
    for (const auto& path : at) {
      if (lower.contains(path)) continue;
      for (auto above = path; !above.empty(); above.pop_back()) stays.insert(above);
    }
    blocks += stays.size();
    lower.insert(at.begin(), at.end());
  }
  return blocks * kBlockTokens;
}

// ---- the work of a period ----------------------------------------------------------------------

// Two nodes hold the same million tokens; the time to find out what of the second can go. `all`:
// all of it; else nothing, as the first holds none of it.
Json time_survey(const Options& options, const Trace& trace, bool all) {
  Options two = options;
  two.prefill_nodes = 2;
  two.cache_tokens = 0;
  sim::Network network(1, settings_of(two, GcMode::local_ref));
  network.keeps_log = false;
  for (std::size_t i = 0; i < network.size(); ++i) network.start(i);
  network.run_for(2s);
  std::uint64_t slot = 0;
  for (std::size_t next = 0; next < trace.size(); ++next) {
    if (network.replica(1).status().local_tokens >= options.survey_tokens) break;
    const auto tokens = tokens_of(trace[next]);
    for (std::size_t node : {0u, 1u}) {
      if (node == 0 && !all) continue;
      (void)network.replica(node).insert(network.now(), {}, tokens, {{Slot{slot}, tokens.size()}});
      network.perform(node);
    }
    slot += tokens.size();
    network.run_for(1ms);
  }
  network.run_for(1s);
  Durations times;
  std::uint64_t found = 0;
  for (int i = 0; i < 20; ++i) {
    const auto begin = Clock::now();
    const auto view = network.replica(1).gc(network.now(), false);
    times.add(Clock::now() - begin);
    found = view->duplicate_tokens;
  }
  const std::uint64_t cached = network.replica(1).status().local_tokens;
  expect_equal("tokens that can go", found, all ? cached : 0);
  const double period_us = static_cast<double>(GcSettings{}.period.count());
  return {{"tokens", cached},
          {"edges", network.replica(1).tree(0, 0).total},
          {"survey", times.to_json()},
          {"share_of_a_core", times.percentile_us(0.5) / period_us}};
}

// ---- all of it ---------------------------------------------------------------------------------

Json measure(const Options& options) {
  Trace trace = options.trace.empty() ? make_trace(options.seed, options.requests)
                                      : read_trace(options.trace, options.requests);
  Json result = {{"yardsticks", to_json(measure_yardsticks())}, {"requests", trace.size()}};
  const Json off = Run(options, GcMode::off)(trace);
  result["off"] = off;
  for (GcMode mode : {GcMode::local_ref, GcMode::global_ref}) {
    Json run = Run(options, mode)(trace);
    const auto more = [&](const char* name) {
      return run.at(name).get<double>() - off.at(name).get<double>();
    };
    const double collected = run.at("tokens_collected").get<double>();
    run["bytes_per_collected_token"] = collected > 0 ? more("bytes") / collected : 0;
    run["bytes_inserted_again_per_collected_token"] =
        collected > 0 ? more("insert_bytes") / collected : 0;
    run["messages_per_1000_collected_tokens"] =
        collected > 0 ? more("messages") / collected * 1000 : 0;
    if (options.cache_tokens == 0) {
      expect_equal("tokens left", run.at("tokens_held").get<std::uint64_t>(),
                   tokens_that_stay(options, trace));
      expect_equal("hit rate", run.at("hit_rate").get<double>(), off.at("hit_rate").get<double>());
    }
    result[std::string(gc_mode_name(mode))] = run;
  }
  result["all duplicates"] = time_survey(options, trace, true);
  result["no duplicates"] = time_survey(options, trace, false);
  return result;
}

void print(const Json& result) {
  print_yardsticks(result.at("yardsticks"));
  for (const char* mode : {"off", "local-ref", "global-ref"}) {
    const Json& run = result.at(mode);
    std::printf("%-10s  hit rate %.4f  held %8.0fk  collected %8.0fk  references %llu", mode,
                run.at("hit_rate").get<double>(), run.at("tokens_held").get<double>() / 1e3,
                run.at("tokens_collected").get<double>() / 1e3,
                static_cast<unsigned long long>(run.at("references").get<std::uint64_t>()));
    if (run.contains("bytes_per_collected_token")) {
      std::printf(
          "  more than off: %.4f bytes a collected token, %.4f messages per 1,000; and %.2f bytes "
          "of "
          "INSERTs",
          run.at("bytes_per_collected_token").get<double>(),
          run.at("messages_per_1000_collected_tokens").get<double>(),
          run.at("bytes_inserted_again_per_collected_token").get<double>());
    }
    std::puts("");
  }
  for (const char* what : {"all duplicates", "no duplicates"}) {
    const Json& survey = result.at(what);
    std::printf(
        "%s: %.0fk tokens on %llu edges looked at in %.2f ms (p99 %.2f): %.4f %% of a core\n", what,
        survey.at("tokens").get<double>() / 1e3,
        static_cast<unsigned long long>(survey.at("edges").get<std::uint64_t>()),
        survey.at("survey").at("p50_us").get<double>() / 1e3,
        survey.at("survey").at("p99_us").get<double>() / 1e3,
        survey.at("share_of_a_core").get<double>() * 100);
  }
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"What collecting duplicates costs, and what it does to the hit rate."};
  app.add_option("--trace", options.trace, "JSON lines with hash_ids; default: made up")
      ->check(CLI::ExistingFile);
  app.add_option("--requests", options.requests, "at most so many; 0: all")->capture_default_str();
  app.add_option("--nodes", options.prefill_nodes, "prefill nodes")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  app.add_option("--page-size", options.page_size, "tokens a page")->capture_default_str();
  app.add_option("--cache-tokens", options.cache_tokens, "bound of each node; 0: none")
      ->capture_default_str();
  app.add_option("--survey-tokens", options.survey_tokens, "cached where a period's work is timed")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the choice of nodes")->capture_default_str();
  app.add_flag("--json", options.json, "print one JSON object");
  CLI11_PARSE(app, argc, argv);
  try {
    const Json result = measure(options);
    options.json ? void(std::puts(result.dump(2).c_str())) : print(result);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "collect_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace radixmesh::bench

int main(int argc, char** argv) { return radixmesh::bench::main(argc, argv); }
