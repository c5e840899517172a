// fleet_bench: routing by real sidecars. Requests of a trace go, in real time, through real routers
// to engines that are simulated in this process; beside the fleet simulator with the same requests.
// It ends with 1 where the two are too far apart, and with 2 where this machine was too busy to
// tell.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "tests/bench/real_fleet.h"
#include "tests/bench/report.h"
#include "tests/routing/simulation.h"

namespace radixmesh::bench {
namespace {

using routing::RunOutcome;
using routing::Workload;

// How far the two may be apart, and the runs from each other; and how late this driver may be.
constexpr double kHitsApart = 0.015, kMeanMost = 1.3, kRunsMost = 1.3, kLagMost = 0.010;

struct Options {
  SidecarsOptions mesh{.nodes = 8, .routers = 2};
  std::string trace = "agentic";
  std::size_t requests = 2000;
  std::uint64_t seed = 1;
  double load = 0.6;
  std::uint32_t runs = 3;
  bool json = false;
  RealFleetOptions fleet;
};

// The first `requests` of a trace: of a longer one, as the last sessions of each run out.
Workload first_of(const Options& options, std::size_t requests) {
  auto longer = routing::make_workload(options.trace, options.seed, 2 * requests + 1000);
  if (!longer) return routing::read_workload(options.trace, requests);
  longer->requests.resize(std::min(longer->requests.size(), requests));
  routing::settle(*longer);
  return *std::move(longer);
}

// As they begin one after the other, copies of a short trace take longer than they should.
Workload as_long_as(Workload workload, double span_s) {
  for (routing::Request& each : workload.requests) each.arrival_s *= span_s / workload.span_s;
  routing::settle(workload);
  return workload;
}

// So many requests in all, whatever number of copies the load takes.
Workload workload_of(const Options& options) {
  const double rate = options.fleet.engine.prefill_rate;
  for (std::size_t copies = 1; copies < options.requests; ++copies) {
    Workload workload = routing::at_load(first_of(options, options.requests / copies), options.load,
                                         options.mesh.nodes, rate);
    if (workload.requests.size() > options.requests) continue;
    const auto computed = static_cast<double>(workload.distinct_tokens);
    return as_long_as(std::move(workload), computed / (options.load * options.mesh.nodes * rate));
  }
  throw std::runtime_error("so few requests do not make such a load");
}

RunOutcome simulated(const Options& options, const Workload& workload, std::uint64_t seed) {
  routing::RunSettings settings;
  settings.policy = "cost";
  settings.nodes = options.mesh.nodes;
  settings.routers = options.mesh.routers;
  settings.engine = options.fleet.engine;
  settings.load_interval_s = options.fleet.load_interval_s;
  settings.seed = seed;
  return routing::run(workload, settings);
}

Json to_json(const RunOutcome& run) {
  return {{"requests", run.requests},       {"hit_rate", run.hit_rate},
          {"ttft_mean_s", run.ttft_mean_s}, {"ttft_p50_s", run.ttft_p50_s},
          {"ttft_p99_s", run.ttft_p99_s},   {"imbalance", run.imbalance},
          {"utilisation", run.utilisation}};
}

Json to_json(const RealOutcome& real) {
  Json out = to_json(real.run);
  out["predicted_hit_rate"] = real.predicted_hit_rate;
  out["lag_p99_ms"] = real.lag_p99_s * 1e3;
  out["lag_max_ms"] = real.lag_max_s * 1e3;
  out["route_p50_us"] = real.route_p50_us;
  out["route_p99_us"] = real.route_p99_us;
  out["evicted_blocks"] = real.evicted_blocks;
  return out;
}

void print_row(const char* what, const Json& row) {
  std::printf("%-12s %7.2f %8.3f %8.3f %8.2f %7.2f %7.1f", what,
              100 * row["hit_rate"].get<double>(), row["ttft_mean_s"].get<double>(),
              row["ttft_p50_s"].get<double>(), row["ttft_p99_s"].get<double>(),
              row["imbalance"].get<double>(), 100 * row["utilisation"].get<double>());
  if (row.contains("lag_p99_ms")) {
    std::printf(" %10.2f %8.1f %8.0f %8.0f", 100 * row["predicted_hit_rate"].get<double>(),
                row["lag_p99_ms"].get<double>(), row["route_p50_us"].get<double>(),
                row["route_p99_us"].get<double>());
  }
  std::printf("\n");
  std::fflush(stdout);
}

double mean_of(const Json& rows, const char* name) {
  double sum = 0;
  for (const Json& row : rows) sum += row[name].get<double>();
  return sum / static_cast<double>(rows.size());
}

// What is wrong, a line each; empty: nothing.
std::vector<std::string> faults(const Json& real, const Json& simulated) {
  std::vector<std::string> out;
  double least = 1e9, most = 0;
  const double mean = mean_of(simulated, "ttft_mean_s"), hits = mean_of(simulated, "hit_rate");
  for (const Json& row : real) {
    const double of_row = row["ttft_mean_s"];
    least = std::min(least, of_row);
    most = std::max(most, of_row);
    if (row["requests"] != simulated[0]["requests"]) out.push_back("requests are missing");
    if (std::abs(row["hit_rate"].get<double>() - hits) > kHitsApart) {
      out.push_back("the hit rate is more than 1.5 points from the simulator's");
    }
    if (of_row > kMeanMost * mean) out.push_back("the mean is above 1.3 times the simulator's");
  }
  if (most > kRunsMost * least) out.push_back("the runs' means are more than 1.3 times apart");
  return out;
}

bool too_busy(const Json& real) {
  return std::ranges::any_of(
      real, [](const Json& row) { return row["lag_p99_ms"].get<double>() > kLagMost * 1e3; });
}

int run(const Options& options) {
  const Workload workload = workload_of(options);
  if (!options.json) {
    std::printf(
        "%s, %zu requests, %u nodes, %u routers, load %.2f: %.0f s a run; hit rate at most "
        "%.2f %%\n%-12s %7s %8s %8s %8s %7s %7s %10s %8s %8s %8s\n",
        options.trace.c_str(), workload.requests.size(), options.mesh.nodes, options.mesh.routers,
        options.load, workload.span_s, 100 * workload.best_hit_rate(), "", "hit %", "mean s",
        "p50 s", "p99 s", "imbal.", "busy %", "predicted", "lag ms", "p50 us", "p99 us");
  }
  Json simulations = Json::array(), reals = Json::array();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    simulations.push_back(to_json(simulated(options, workload, seed)));
    if (!options.json) print_row("simulated", simulations.back());
  }
  for (std::uint32_t i = 0; i < options.runs; ++i) {
    const Sidecars sidecars(options.mesh);
    reals.push_back(to_json(run_for_real(workload, sidecars, options.fleet)));
    if (!options.json) print_row("real", reals.back());
  }
  const std::vector<std::string> wrong = faults(reals, simulations);
  const bool is_void = too_busy(reals);
  if (options.json) {
    const Json all = {
        {"simulated", simulations}, {"real", reals}, {"faults", wrong}, {"void", is_void}};
    std::puts(all.dump(2).c_str());
  } else if (is_void) {
    std::puts("void: this machine was so busy that what was due was done more than 10 ms late");
  } else if (wrong.empty()) {
    std::puts("the real fleet does as the simulated one");
  }
  if (!options.json && !is_void) {
    for (const std::string& each : wrong) std::puts(each.c_str());
  }
  return is_void ? 2 : wrong.empty() ? 0 : 1;
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Routes a trace through real sidecars to simulated engines, in real time."};
  app.add_option("--trace", options.trace,
                 "agentic, conversations or synthetic, made here, or a file in the Mooncake format")
      ->capture_default_str();
  app.add_option("--requests", options.requests, "at most so many")
      ->check(CLI::Range(2u, 1'000'000u))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the trace that is made")->capture_default_str();
  app.add_option("--load", options.load,
                 "tokens that even a cache without bounds has to compute, by what the fleet can")
      ->check(CLI::Range(0.01, 2.0))
      ->capture_default_str();
  app.add_option("--runs", options.runs, "each with new sidecars")
      ->check(CLI::Range(1u, 100u))
      ->capture_default_str();
  app.add_option("--nodes", options.mesh.nodes, "engines")
      ->check(CLI::Range(1u, 48u))
      ->capture_default_str();
  app.add_option("--routers", options.mesh.routers, "that the requests go to in turn")
      ->check(CLI::Range(1u, 16u))
      ->capture_default_str();
  app.add_option("--binary", options.mesh.binary, "the sidecar")->capture_default_str();
  app.add_flag("--json", options.json, "print one JSON object");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fleet_bench: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace radixmesh::bench

int main(int argc, char** argv) { return radixmesh::bench::main(argc, argv); }
