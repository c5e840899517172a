// mesh_bench: real sidecars on loopback. How many inserts per second reach all nodes, how long one
// takes to be visible at the last when nothing else happens, and how many bytes that costs; beside
// bare ZeroMQ processes that pass on as many bytes in the same run.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/bench/mesh_bench_bare.h"
#include "tests/bench/mesh_bench_load.h"
#include "tests/bench/prompts.h"

namespace radixmesh::bench {
namespace {

struct Options {
  SidecarsOptions mesh;
  LoadOptions load;
  std::uint64_t inserts = 10'000;
  double seconds = 0;
  int rounds = 3;
  std::uint64_t samples = 2000;
  bool json = false;
};

// What the mesh sent on average, and so what the bare mesh sends: frames gather into messages.
struct Sizes {
  double op_bytes = 0, message_bytes = 0;
};

std::uint64_t difference(const Counters& after, const Counters& before, const char* name) {
  const auto of = [&](const Counters& counters) {
    const auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
  };
  return of(after) - of(before);
}

Sizes sizes_of(const Counters& after, const Counters& before, std::uint64_t inserts) {
  const auto of = [&](const char* name) {
    return static_cast<double>(difference(after, before, name));
  };
  return {of("op_bytes_published") / static_cast<double>(inserts),
          of("bytes_sent") / of("messages_sent")};
}

// ---- many at a time ----------------------------------------------------------------------------

Json flood_round(MeshLoad& load, BareMesh& bare, const Options& options) {
  const Counters before = load.counters();
  const Flood flood = load.flood(options.inserts);
  const Counters after = load.counters();
  const double inserts = static_cast<double>(flood.inserts);
  const Sizes sizes = sizes_of(after, before, flood.inserts);
  const std::uint64_t each = flood.inserts / options.mesh.nodes;
  const auto op_bytes = static_cast<std::size_t>(sizes.op_bytes);
  const BareMesh::Flood bare_single = bare.flood(options.mesh.nodes, each, op_bytes);
  const auto message_bytes = std::max(op_bytes, static_cast<std::size_t>(sizes.message_bytes));
  const std::uint64_t messages = std::max<std::uint64_t>(1, each * op_bytes / message_bytes);
  const BareMesh::Flood bare_gathered = bare.flood(options.mesh.nodes, messages, message_bytes);
  const double rate = inserts / flood.seconds;
  Json cpu = Json::array();
  for (double seconds : flood.node_cpu_seconds) cpu.push_back(seconds / inserts * 1e6);
  return {{"inserts", flood.inserts},
          {"seconds", flood.seconds},
          {"accepted_seconds", flood.accepted_seconds},
          {"accepted_per_s", inserts / flood.accepted_seconds},
          {"inserts_per_s", rate},
          {"cpu_us_per_insert", flood.cpu_seconds / inserts * 1e6},
          {"engines_cpu_us_per_insert", flood.own_cpu_seconds / inserts * 1e6},
          {"cores_used", (flood.cpu_seconds + flood.own_cpu_seconds) / flood.seconds},
          {"bare_cpu_us_per_message", bare_single.cpu_seconds / inserts * 1e6},
          {"node_cpu_us_per_insert", cpu},
          {"op_bytes", sizes.op_bytes},
          {"message_bytes", sizes.message_bytes},
          {"bare_messages_per_s", inserts / bare_single.seconds},
          {"bare_gathered_ops_per_s", inserts / bare_gathered.seconds},
          {"ratio_to_bare", rate / (inserts / bare_single.seconds)},
          {"ratio_to_bare_gathered", rate / (inserts / bare_gathered.seconds)}};
}

Json floods(MeshLoad& load, BareMesh& bare, const Options& options) {
  Json rounds = Json::array();
  const auto start = Clock::now();
  for (int i = 0; i < options.rounds || seconds_since(start) < options.seconds; ++i) {
    rounds.push_back(flood_round(load, bare, options));
    load.check();
  }
  Json out;
  for (const char* name :
       {"accepted_per_s", "inserts_per_s", "cpu_us_per_insert", "engines_cpu_us_per_insert",
        "cores_used", "bare_cpu_us_per_message", "op_bytes", "message_bytes", "bare_messages_per_s",
        "bare_gathered_ops_per_s", "ratio_to_bare", "ratio_to_bare_gathered"}) {
    std::vector<double> values;
    for (const Json& round : rounds) values.push_back(round.at(name).get<double>());
    out[name] = median(values);
  }
  out["rounds"] = rounds;
  return out;
}

// ---- one at a time -----------------------------------------------------------------------------

Json trips(MeshLoad& load, BareMesh& bare, const Options& options, std::size_t op_bytes) {
  Durations visible, answered, bare_visible, bare_published;
  std::vector<TokenId> tokens;
  std::string request;
  SlotRuns slots;
  slots.append({Slot{0}, options.load.tokens});
  make_prompt(0, options.load.tokens, tokens);
  make_insert(1, tokens, slots, request);
  const std::uint64_t first = options.samples / 10;  // not counted
  for (std::uint64_t i = 0; i < first + options.samples; ++i) {
    const MeshLoad::Trip trip = load.insert_one();
    const BareMesh::Trip yardstick = bare.publish_one(request, op_bytes);
    if (i < first) continue;
    visible.add_us(trip.visible_us);
    answered.add_us(trip.answered_us);
    bare_visible.add_us(yardstick.visible_us);
    bare_published.add_us(yardstick.published_us);
  }
  const double hops = bare_visible.percentile_us(0.5) - bare_published.percentile_us(0.5);
  const double visible_us = visible.percentile_us(0.5);
  return {{"samples", visible.count()},
          {"visible", visible.to_json()},
          {"answered", answered.to_json()},
          {"bare_visible", bare_visible.to_json()},
          {"bare_published", bare_published.to_json()},
          {"ratio_visible", visible_us / bare_visible.percentile_us(0.5)},
          {"ratio_published", (visible_us - hops) / bare_published.percentile_us(0.5)}};
}

// ---- bytes -------------------------------------------------------------------------------------

Json wire(const Counters& all, const Options& options) {
  const auto of = [&](const char* name) { return static_cast<double>(difference(all, {}, name)); };
  const double tokens = of("op_tokens_inserted");
  const double ops = tokens / options.load.tokens;
  constexpr double kTokenBits = 17;  // of a vocabulary of 128,000
  const double fixed = of("op_bytes_published") / ops - options.load.tokens * kTokenBits / 8;
  return {{"op_bytes_per_op", of("op_bytes_published") / ops},
          {"op_bytes_per_token", of("op_bytes_published") / tokens},
          {"op_bytes_beside_tokens", fixed},
          {"sent_bytes_per_token", of("bytes_sent") / tokens},
          {"received_bytes_per_token", of("bytes_received") / tokens},
          {"ops_per_message", ops / of("messages_sent")}};
}

// ---- the program -------------------------------------------------------------------------------

Json run(const Options& options) {
  const int cores = use_cores(0, 2);
  Json result{{"yardsticks", to_json(measure_yardsticks())},
              {"setting",
               {{"nodes", options.mesh.nodes},
                {"routers", options.mesh.routers},
                {"cores", cores},
                {"tokens", options.load.tokens},
                {"page_size", options.mesh.page_size},
                {"topology", options.mesh.topology},
                {"window", options.load.window}}}};
  BareMesh bare(options.mesh.nodes + options.mesh.routers);
  Sidecars sidecars(options.mesh);
  MeshLoad load(sidecars, options.load);
  result["flood"] = floods(load, bare, options);
  const Counters flooded = load.counters();
  result["wire"] = wire(flooded, options);
  const auto op_bytes = static_cast<std::size_t>(result["wire"]["op_bytes_per_op"].get<double>());
  if (options.samples > 0) result["idle"] = trips(load, bare, options, op_bytes);
  load.check();
  result["inserted"] = load.inserted();
  result["counters"] = load.counters();
  return result;
}

void print_flood(const Json& flood) {
  std::puts(
      "\n          inserts per second    CPU us per insert  cores   bare: per second    CPU us  "
      "times bare"
      "\n inserts accepted at all nodes  sidecars engines   used  messages gathered  message  "
      "messages gathered");
  const auto row = [&](const char* what, const Json& r) {
    const auto number = [&](const char* name) { return r.at(name).get<double>(); };
    std::printf("%8s %8.0f %12.0f %9.1f %7.1f %6.2f %9.0f %8.0f %8.1f %9.2f %8.2f\n", what,
                number("accepted_per_s"), number("inserts_per_s"), number("cpu_us_per_insert"),
                number("engines_cpu_us_per_insert"), number("cores_used"),
                number("bare_messages_per_s"), number("bare_gathered_ops_per_s"),
                number("bare_cpu_us_per_message"), number("ratio_to_bare"),
                number("ratio_to_bare_gathered"));
  };
  for (const Json& r : flood.at("rounds")) {
    row(std::to_string(r.at("inserts").get<std::uint64_t>()).c_str(), r);
  }
  row("median", flood);
}

void print_idle(const Json& idle) {
  const auto row = [&](const char* what, const char* name) {
    std::printf("%-66s %8.0f %8.0f\n", what, idle.at(name).at("p50_us").get<double>(),
                idle.at(name).at("p99_us").get<double>());
  };
  std::puts(
      "\none insert at a time, us                                                  p50"
      "      p99");
  row("request written -> `op` notified by the last other node", "visible");
  row("request written -> answered", "answered");
  row("bare: request written -> note of the last receiver", "bare_visible");
  row("bare: published -> received by the last", "bare_published");
  std::printf("ratio %.2f; without the two hops over Unix sockets, as bare has them, %.2f\n",
              idle.at("ratio_visible").get<double>(), idle.at("ratio_published").get<double>());
}

void print(const Json& result) {
  print_yardsticks(result.at("yardsticks"));
  const Json& s = result.at("setting");
  std::printf(
      "%lld engines and %lld routers, %s, on %lld cores; prompts of %lld tokens, page %lld; "
      "%lld inserts under way per engine\n",
      s.at("nodes").get<long long>(), s.at("routers").get<long long>(),
      s.at("topology").get<std::string>().c_str(), s.at("cores").get<long long>(),
      s.at("tokens").get<long long>(), s.at("page_size").get<long long>(),
      s.at("window").get<long long>());
  print_flood(result.at("flood"));
  if (result.contains("idle")) print_idle(result.at("idle"));
  const Json& w = result.at("wire");
  std::printf(
      "\nbytes: %.2f per new token and %.0f beside the tokens per op, as published; with all "
      "else sent %.2f per token; %.1f ops a message\n",
      w.at("op_bytes_per_token").get<double>(), w.at("op_bytes_beside_tokens").get<double>(),
      w.at("sent_bytes_per_token").get<double>(), w.at("ops_per_message").get<double>());
  std::printf("all nodes agree: %lld inserts\n", result.at("inserted").get<long long>());
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Replication through real sidecars on loopback, beside bare ZeroMQ PUB/SUB."};
  app.add_option("--nodes", options.mesh.nodes, "engines")
      ->check(CLI::Range(1u, 64u))
      ->capture_default_str();
  app.add_option("--routers", options.mesh.routers, "routers")
      ->check(CLI::Range(0u, 64u))
      ->capture_default_str();
  app.add_option("--tokens", options.load.tokens, "new tokens per insert: whole pages, one op")
      ->check(CLI::Range(1u, 8192u))
      ->capture_default_str();
  app.add_option("--page-size", options.mesh.page_size, "tokens a page")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  app.add_option("--inserts", options.inserts, "per round, over all engines")
      ->check(CLI::Range(1u, 1'000'000u))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "at least so many; medians are printed")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "and for at least so long")->capture_default_str();
  app.add_option("--samples", options.samples, "of the time one insert takes; 0: none")
      ->capture_default_str();
  app.add_option("--window", options.load.window, "inserts that an engine has under way")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  app.add_option("--topology", options.mesh.topology, "mesh or ring")->capture_default_str();
  app.add_option("--binary", options.mesh.binary, "the sidecar")->capture_default_str();
  app.add_flag("--json", options.json, "print one JSON object");
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.load.tokens % options.mesh.page_size != 0) {
      throw std::runtime_error("--tokens must be a multiple of --page-size");
    }
    if (options.mesh.nodes + options.mesh.routers < 2)
      throw std::runtime_error("one node is no mesh");
    const Json result = run(options);
    options.json ? void(std::puts(result.dump(2).c_str())) : print(result);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mesh_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace radixmesh::bench

int main(int argc, char** argv) { return radixmesh::bench::main(argc, argv); }
