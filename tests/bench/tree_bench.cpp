// tree_bench: lookups and inserts of the tree on a request trace, beside a plain reference tree in
// the same run. Counts what matched and fails if it is not what must match.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/bench/trace.h"
#include "tests/bench/tree_indexes.h"
#include "tests/bench/yardstick.h"

namespace radixmesh::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string trace;
  std::uint32_t page_size = 16, holders = 8;
  std::size_t requests = 0;
  int rounds = 5;
  std::uint64_t seed = 1;
  std::vector<std::string> indexes{"ranks", "slots", "reference"};
  bool json = false, mallopt = true;
};

// What the sidecar tells malloc: keep freed memory, and take large blocks from it too.
constexpr int kMallocKeepsBytes = 1 << 30;

// ---- measuring ---------------------------------------------------------------------------------

class Durations {
 public:
  void add(Clock::duration duration) {
    ns_.push_back(static_cast<double>(std::chrono::nanoseconds(duration).count()));
    total_ns_ += ns_.back();
  }
  double per_second() const { return static_cast<double>(ns_.size()) / total_ns_ * 1e9; }
  double percentile_us(double part) {
    const auto at = static_cast<std::size_t>(part * static_cast<double>(ns_.size() - 1));
    std::nth_element(ns_.begin(), ns_.begin() + static_cast<std::ptrdiff_t>(at), ns_.end());
    return ns_[at] / 1e3;
  }

 private:
  std::vector<double> ns_;
  double total_ns_ = 0;
};

struct Memory {
  std::uint64_t malloc_bytes = 0, rss_bytes = 0;
  static Memory now() {
    const struct mallinfo2 info = mallinfo2();
    std::uint64_t size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return {info.uordblks + info.hblkhd,
            resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
  }
};

struct Round {
  double lookup_per_s, lookup_p50_us, lookup_p99_us;
  double insert_per_s, insert_p50_us, insert_p99_us;
};

void fail(const char* what, std::uint64_t got, std::uint64_t expected) {
  throw std::runtime_error(std::string(what) + ": " + std::to_string(got) + ", expected " +
                           std::to_string(expected));
}

// Replays the whole trace: per request a timed lookup of the whole key, then a timed insert of it.
Round build(Index& index, const Trace& trace, const Options& options,
            const ExpectedMatches& expected) {
  Durations lookups, inserts;
  std::vector<TokenId> tokens;
  std::uint64_t matched = 0, depths = 0;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    expand(trace[i].hash_ids, tokens);
    const auto start = Clock::now();
    matched += index.lookup(tokens);
    const auto between = Clock::now();
    lookups.add(between - start);
    depths += index.depth_sum();
    const auto before = Clock::now();
    index.insert(static_cast<std::uint32_t>(i % options.holders), tokens);
    inserts.add(Clock::now() - before);
  }
  // A page of few tokens may match by chance where blocks differ.
  const bool by_chance = options.page_size < 4 && matched - expected.matched_tokens < 1000;
  if (!by_chance) {
    if (matched != expected.matched_tokens) fail("matched", matched, expected.matched_tokens);
    if (depths != expected.depth_tokens) fail("depths", depths, expected.depth_tokens);
  }
  return {lookups.per_second(), lookups.percentile_us(0.5), lookups.percentile_us(0.99),
          inserts.per_second(), inserts.percentile_us(0.5), inserts.percentile_us(0.99)};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

Json to_json(const std::vector<Round>& rounds) {
  const auto of = [&](double Round::*field) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back(round.*field);
    return median(values);
  };
  return {
      {"lookup_per_s", of(&Round::lookup_per_s)},   {"lookup_p50_us", of(&Round::lookup_p50_us)},
      {"lookup_p99_us", of(&Round::lookup_p99_us)}, {"insert_per_s", of(&Round::insert_per_s)},
      {"insert_p50_us", of(&Round::insert_p50_us)}, {"insert_p99_us", of(&Round::insert_p99_us)}};
}

// Lookups of a key that is there whole. `turn_blocks`: how many blocks each insert added to it, by
// one holder after the other; 0: one insert by one holder.
double full_hit_us(Index& index, std::uint32_t tokens_count, std::uint32_t turn_blocks,
                   const Options& options) {
  std::vector<std::uint64_t> ids;
  const std::uint64_t first = (std::uint64_t{1} << 40) + tokens_count * 8ull + turn_blocks;
  for (std::uint64_t i = 0; i < tokens_count / kBlockTokens; ++i) ids.push_back(first * 4096 + i);
  std::vector<TokenId> tokens;
  std::uint32_t turn = 0;
  for (std::size_t end = turn_blocks == 0 ? ids.size() : turn_blocks; end <= ids.size();
       end += turn_blocks, ++turn) {
    expand(std::span{ids}.first(end), tokens);
    index.insert(turn % options.holders, tokens);
    if (end == ids.size()) break;
  }
  const std::uint32_t expected = tokens_count / options.page_size * options.page_size;
  std::vector<double> times;
  for (int i = 0; i < 201; ++i) {
    const auto start = Clock::now();
    const std::uint32_t depth = index.lookup(tokens);
    times.push_back(seconds_since(start) * 1e6);
    if (depth != expected) fail("depth of a full hit", depth, expected);
    if (index.depth_of(turn % options.holders) != expected) {
      fail("the holder's depth of a full hit", index.depth_of(turn % options.holders), expected);
    }
  }
  return median(times);
}

Json measure(const std::string& name, const Trace& trace, const Options& options,
             const ExpectedMatches& expected) {
  const Memory before = Memory::now();
  const auto index = make_index(name, options.page_size, options.holders);
  const std::uint64_t self_before = index->memory_bytes();
  const Round cold = build(*index, trace, options, expected);
  const Memory full = Memory::now();
  const std::uint64_t tokens = index->token_count();
  const auto per_token = [&](std::uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(tokens);
  };
  Json out{{"index", name}, {"cold", to_json({cold})}};
  out["distinct_tokens"] = tokens;
  out["edges"] = index->edge_count();
  out["bytes_per_token"] = {
      {"counted", per_token(index->memory_bytes())},
      {"malloc", per_token(full.malloc_bytes - std::min(full.malloc_bytes, before.malloc_bytes))},
      {"rss", per_token(full.rss_bytes - std::min(full.rss_bytes, before.rss_bytes))}};

  std::vector<Round> rounds;
  std::vector<double> clear_seconds;
  for (int round = 0; round < options.rounds; ++round) {
    const auto start = Clock::now();
    for (std::uint32_t holder = 0; holder < options.holders; ++holder) index->clear(holder);
    clear_seconds.push_back(seconds_since(start));
    if (index->token_count() != 0) fail("tokens after all was removed", index->token_count(), 0);
    if (index->edge_count() != 0) fail("edges after all was removed", index->edge_count(), 0);
    if (round == 0) out["empty_bytes"] = {index->memory_bytes(), self_before};
    rounds.push_back(build(*index, trace, options, expected));
  }
  out["warm"] = to_json(rounds);
  out["clear_ms"] = median(clear_seconds) * 1e3;
  out["clear_tokens_per_s"] = static_cast<double>(tokens) / median(clear_seconds);
  out["full_hit_32k_us"] = full_hit_us(*index, 32768, 0, options);
  out["full_hit_128k_us"] = full_hit_us(*index, 131072, 0, options);
  out["full_hit_32k_in_turns_us"] = full_hit_us(*index, 32768, 2, options);
  out["full_hit_128k_in_turns_us"] = full_hit_us(*index, 131072, 2, options);
  return out;
}

// Each index has a process of its own, so that "cold" is cold and resident memory is its own.
Json measure_apart(const std::string& name, const Trace& trace, const Options& options,
                   const ExpectedMatches& expected) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    close(ends[0]);
    Json out;
    try {
      out = measure(name, trace, options, expected);
    } catch (const std::exception& error) {
      out = {{"error", name + ": " + error.what()}};
    }
    const std::string text = out.dump();
    const bool sent = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) throw std::runtime_error(name + ": its process ended early");
  Json out = Json::parse(text);
  if (out.contains("error")) throw std::runtime_error(out.at("error").get<std::string>());
  return out;
}

// ---- printing ----------------------------------------------------------------------------------

void print_setting(const Json& result) {
  const Json& y = result.at("yardsticks");
  std::printf(
      "memcmp of 32 KiB in cache %.2f us (%.1f GB/s); memcpy of 512 MiB %.1f GB/s cold, %.1f warm; "
      "clock %.0f ns\n",
      y.at("compare_us").get<double>(), y.at("compare_gb_per_s").get<double>(),
      y.at("copy_cold_gb_per_s").get<double>(), y.at("copy_warm_gb_per_s").get<double>(),
      y.at("clock_ns").get<double>());
  const Json& s = result.at("setting");
  std::printf("%s, %lld requests, page %lld, %lld holders, %lld warm rounds; malloc %s\n",
              s.at("trace").get<std::string>().c_str(), s.at("requests").get<long long>(),
              s.at("page_size").get<long long>(), s.at("holders").get<long long>(),
              s.at("rounds").get<long long>(),
              s.at("mallopt").get<bool>() ? "told to keep its memory (--mallopt)" : "as it comes");
  const Json& e = result.at("expected");
  std::printf(
      "from ids alone: %lld tokens, %lld matched (%.1f %%), %lld summed over holders, "
      "%lld distinct\n\n",
      e.at("input_tokens").get<long long>(), e.at("matched_tokens").get<long long>(),
      100.0 * e.at("matched_tokens").get<double>() / e.at("input_tokens").get<double>(),
      e.at("depth_tokens").get<long long>(), e.at("distinct_tokens").get<long long>());
}

void print_row(const char* index, const char* when, const Json& r) {
  std::printf("%-10s %-5s %9.1f %8.2f %8.1f %10.1f %8.2f %8.1f\n", index, when,
              r.at("lookup_per_s").get<double>() / 1e3, r.at("lookup_p50_us").get<double>(),
              r.at("lookup_p99_us").get<double>(), r.at("insert_per_s").get<double>() / 1e3,
              r.at("insert_p50_us").get<double>(), r.at("insert_p99_us").get<double>());
}

void print(const Json& result) {
  print_setting(result);
  std::puts("index      built lookup k/s  p50 us   p99 us insert k/s   p50 us   p99 us");
  for (const Json& r : result.at("indexes")) {
    const std::string name = r.at("index");
    print_row(name.c_str(), "cold", r.at("cold"));
    print_row(name.c_str(), "warm", r.at("warm"));
  }
  std::puts(
      "\n           full hit us: 32k    128k  in turns: 32k    128k  clear Mtok/s  "
      "bytes/token: counted malloc   rss");
  for (const Json& r : result.at("indexes")) {
    const Json& bytes = r.at("bytes_per_token");
    std::printf("%-10s %17.2f %7.1f %14.2f %7.1f %13.0f %20.2f %6.2f %5.2f\n",
                r.at("index").get<std::string>().c_str(), r.at("full_hit_32k_us").get<double>(),
                r.at("full_hit_128k_us").get<double>(),
                r.at("full_hit_32k_in_turns_us").get<double>(),
                r.at("full_hit_128k_in_turns_us").get<double>(),
                r.at("clear_tokens_per_s").get<double>() / 1e6, bytes.at("counted").get<double>(),
                bytes.at("malloc").get<double>(), bytes.at("rss").get<double>());
  }
  if (!result.contains("ratios")) return;
  std::puts("\ntimes the reference (warm):  lookup  insert  full hit 32k  128k");
  for (const Json& r : result.at("ratios")) {
    std::printf("%-26s %8.1f %7.1f %13.1f %5.1f\n", r.at("index").get<std::string>().c_str(),
                r.at("lookup").get<double>(), r.at("insert").get<double>(),
                r.at("full_hit_32k").get<double>(), r.at("full_hit_128k").get<double>());
  }
}

// ---- the program -------------------------------------------------------------------------------

void add_ratios(Json& result) {
  const Json& all = result.at("indexes");
  const auto reference =
      std::ranges::find_if(all, [](const Json& each) { return each.at("index") == "reference"; });
  if (reference == all.end()) return;
  Json ratios = Json::array();
  for (const Json& each : all) {
    if (each.at("index") == "reference") continue;
    const auto rate = [&](const char* field) {
      return each.at("warm").at(field).get<double>() /
             reference->at("warm").at(field).get<double>();
    };
    const auto time = [&](const char* field) {
      return reference->at(field).get<double>() / each.at(field).get<double>();
    };
    ratios.push_back({{"index", each.at("index")},
                      {"lookup", rate("lookup_per_s")},
                      {"insert", rate("insert_per_s")},
                      {"full_hit_32k", time("full_hit_32k_us")},
                      {"full_hit_128k", time("full_hit_128k_us")}});
  }
  result["ratios"] = ratios;
}

Json run(const Options& options) {
  const Yardsticks y = measure_yardsticks();
  const bool kept = options.mallopt && mallopt(M_MMAP_THRESHOLD, kMallocKeepsBytes) == 1 &&
                    mallopt(M_TRIM_THRESHOLD, kMallocKeepsBytes) == 1;
  const Trace trace =
      options.trace.empty()
          ? make_trace(options.seed, options.requests == 0 ? 4000 : options.requests)
          : read_trace(options.trace, options.requests);
  const ExpectedMatches e = expected_matches(trace, options.holders, options.page_size);
  const std::string source = options.trace.empty()
                                 ? "conversations, seed " + std::to_string(options.seed)
                                 : options.trace.substr(options.trace.rfind('/') + 1);
  Json result{{"yardsticks",
               {{"compare_us", y.compare_us},
                {"compare_gb_per_s", y.compare_gb_per_s},
                {"copy_cold_gb_per_s", y.copy_cold_gb_per_s},
                {"copy_warm_gb_per_s", y.copy_warm_gb_per_s},
                {"clock_ns", y.clock_ns}}},
              {"setting",
               {{"trace", source},
                {"requests", trace.size()},
                {"page_size", options.page_size},
                {"holders", options.holders},
                {"rounds", options.rounds},
                {"mallopt", kept}}},
              {"expected",
               {{"input_tokens", e.input_tokens},
                {"matched_tokens", e.matched_tokens},
                {"depth_tokens", e.depth_tokens},
                {"distinct_tokens", e.distinct_tokens}}}};
  result["indexes"] = Json::array();
  for (const std::string& name : options.indexes) {
    result["indexes"].push_back(measure_apart(name, trace, options, e));
  }
  add_ratios(result);
  return result;
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Speed and memory of the tree on a request trace, beside a plain reference tree."};
  app.add_option("--trace", options.trace,
                 "JSON lines with hash_ids; default: conversations made up")
      ->check(CLI::ExistingFile);
  app.add_option("--page-size", options.page_size, "tokens a page")
      ->check(CLI::Range(1u, limits::page_tokens_max))
      ->capture_default_str();
  app.add_option("--holders", options.holders, "request i is inserted at holder i mod this")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  app.add_option("--requests", options.requests, "at most so many; 0: all (made up: 4000)")
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "warm rebuilds; medians are printed")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the made-up conversations")->capture_default_str();
  app.add_option("--index", options.indexes, "which to measure")
      ->check(CLI::IsMember({"ranks", "slots", "reference"}));
  app.add_flag("--json", options.json, "print one JSON object");
  app.add_flag("--mallopt,!--no-mallopt", options.mallopt,
               "tell malloc to keep freed memory, as the sidecar does (default: on)");
  CLI11_PARSE(app, argc, argv);
  try {
    const Json result = run(options);
    options.json ? void(std::puts(result.dump(2).c_str())) : print(result);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tree_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace radixmesh::bench

int main(int argc, char** argv) { return radixmesh::bench::main(argc, argv); }
