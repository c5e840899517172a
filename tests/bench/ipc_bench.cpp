// ipc_bench: how long a call to a real sidecar takes over its socket, beside a process that answers
// as many bytes with as many bytes, each call beside its echo in the same run.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "ipc/reading.h"
#include "tests/bench/ipc_bench_echo.h"
#include "tests/bench/prompts.h"
#include "tests/bench/raw_link.h"
#include "tests/bench/report.h"
#include "tests/bench/sidecars.h"

namespace radixmesh::bench {
namespace {

using ipc::Reader;

struct Options {
  SidecarsOptions sidecar{.nodes = 1, .routers = 0};
  std::uint32_t tokens = 8192, slot_runs = 1;
  std::uint64_t rounds = 2000;
  int cores = 1;
  std::string python, python_path = "ipc/python", python_script = "tests/bench/ipc_bench_client.py";
  bool json = false;
};

constexpr std::uint32_t kInsertTokens = 1024;
// Prompts by number: the one that is asked for, one that nobody has, and from where inserts take.
constexpr std::uint64_t kHit = 0, kMiss = 1, kFirstInsert = 2;

struct Call {
  std::string name, request;
  std::function<void(const Reader&)> check;  // of the result
  bool new_each_time = false;                // an insert of another prompt every time
};

// `runs` runs of slots with a gap between each two.
SlotRuns make_slots(std::uint32_t tokens, std::uint32_t runs, std::uint64_t first) {
  SlotRuns slots;
  for (std::uint32_t i = 0; i < runs; ++i) {
    const std::uint64_t begin = std::uint64_t{tokens} * i / runs;
    const std::uint64_t end = std::uint64_t{tokens} * (i + 1) / runs;
    slots.append({Slot{first + begin + i}, end - begin});
  }
  return slots;
}

// The body of an answer, its result handed to `check`; throws if it is a refusal.
void check_answer(std::string_view body, const std::function<void(const Reader&)>& check) {
  const auto answer = msgpack::unpack(body.data(), body.size());
  const Reader reader(answer.get());
  if (const auto refusal = reader.at(2).refusal()) throw std::runtime_error(refusal->message);
  check(reader.at(3));
}

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        sidecars_(options.sidecar),
        link_(sidecars_.socket(0)),
        client_(sidecars_.socket(0)),
        echo_(echo_server_.socket()) {
    make_prompt(kHit, options.tokens, hit_);
    make_prompt(kMiss, options.tokens, miss_);
    const auto stored = client_.insert(hit_, make_slots(options.tokens, options.slot_runs, 0));
    expect_equal("tokens stored", stored.stored, options.tokens);
  }

  Json run() {
    Json out = Json::array();
    for (Call& call : calls()) out.push_back(measure(call));
    out.push_back(measure_client());
    const ipc::Answer status = client_.status();
    expect_equal("tokens held at the end", Reader(status.get()).field("local_tokens").u64(),
                 std::uint64_t{options_.tokens} + inserted_ * kInsertTokens);
    return out;
  }
  Json run_python();

 private:
  std::vector<Call> calls() {
    std::vector<Call> out(6);
    const auto matched = [](std::uint32_t tokens) {
      return [tokens](const Reader& result) {
        expect_equal("tokens matched", result.field("length").u32(), tokens);
        expect_equal("tokens matched locally", result.field("local_length").u32(), tokens);
      };
    };
    out[0] = {"match_prefix hit", {}, matched(options_.tokens)};
    make_query(1, "match_prefix", hit_, out[0].request);
    out[1] = {"match_prefix miss", {}, matched(0)};
    make_query(1, "match_prefix", miss_, out[1].request);
    out[2] = {"route hit", {}, [this](const Reader& result) {
                expect_equal("depth of a route", result.field("prefill").field("depth").u32(),
                             options_.tokens);
              }};
    make_query(1, "route", hit_, out[2].request);
    out[3] = {"insert again", {}, [this](const Reader& result) {
                expect_equal("tokens there before", result.field("prefix_len").u32(),
                             options_.tokens);
              }};
    make_insert(1, hit_, make_slots(options_.tokens, options_.slot_runs, 0), out[3].request);
    out[4] = {"insert new",
              {},
              [](const Reader& result) {
                expect_equal("tokens stored", result.field("stored").u32(), kInsertTokens);
              },
              true};
    out[5] = {"status", {}, [this](const Reader& result) {
                expect_equal("address", result.field("addr").text(), sidecars_.addr(0));
              }};
    make_request(
        1, "status", 0, [](Packer&) {}, out[5].request);
    return out;
  }

  void make_new_insert(std::string& request) {
    make_prompt(kFirstInsert + inserted_, kInsertTokens, fresh_);
    const std::uint64_t first = (inserted_ + 1) << 20;
    make_insert(1, fresh_, make_slots(kInsertTokens, 1, first), request);
    ++inserted_;
  }

  Json measure(Call& call) {
    if (call.new_each_time) make_new_insert(call.request);
    link_.send(call.request);
    const std::string answer(link_.read_frame());
    check_answer(answer, call.check);
    const std::size_t answer_bytes = answer.size() + ipc::kLengthBytes;
    const std::string frame = EchoServer::make_frame(call.request.size(), answer_bytes);
    Durations times, echoes;
    const std::uint64_t warm_up = options_.rounds / 10;
    for (std::uint64_t i = 0; i < warm_up + options_.rounds; ++i) {
      if (call.new_each_time) make_new_insert(call.request);
      const auto start = Clock::now();
      link_.send(call.request);
      const auto body = link_.read_frame();
      const auto between = Clock::now();
      check_answer(body, call.check);
      const auto before = Clock::now();
      echo_.send(frame);
      const std::size_t echoed = echo_.read_frame().size() + ipc::kLengthBytes;
      const auto end = Clock::now();
      expect_equal("bytes of an echo", echoed, answer_bytes);
      if (i < warm_up) continue;
      times.add(between - start);
      echoes.add(end - before);
    }
    return {{"call", call.name},
            {"request_bytes", call.request.size()},
            {"answer_bytes", answer_bytes},
            {"sidecar", times.to_json()},
            {"echo", echoes.to_json()},
            {"ratio", times.percentile_us(0.5) / echoes.percentile_us(0.5)},
            {"ratio_p99", times.percentile_us(0.99) / echoes.percentile_us(0.99)}};
  }

  // The same through the client: packing, unpacking and copies of this side included.
  Json measure_client() {
    Durations times;
    for (std::uint64_t i = 0; i < options_.rounds; ++i) {
      const auto start = Clock::now();
      const ipc::MatchResult match = client_.match_prefix(hit_);
      times.add(Clock::now() - start);
      expect_equal("tokens matched", match.local_length, options_.tokens);
      expect_equal("slots", match.local_slots.size(), std::uint64_t{options_.tokens});
    }
    return {{"call", "match_prefix by the C++ client"}, {"sidecar", times.to_json()}};
  }

  const Options& options_;
  EchoServer echo_server_;  // first: it forks
  Sidecars sidecars_;
  RawLink link_;
  ipc::Client client_;
  RawLink echo_;
  std::vector<TokenId> hit_, miss_, fresh_;
  std::uint64_t inserted_ = 0;
};

// The script prints one JSON array of rows like those of measure_client().
Json Bench::run_python() {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  std::vector<std::string> words = {options_.python, options_.python_script, sidecars_.socket(0),
                                    std::to_string(options_.tokens),
                                    std::to_string(options_.rounds)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::setenv("PYTHONPATH", options_.python_path.c_str(), 1);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) throw std::runtime_error(options_.python + " failed");
  return Json::parse(text);
}

// ---- printing ----------------------------------------------------------------------------------

void print_row(const Json& row) {
  const Json& sidecar = row.at("sidecar");
  std::printf("%-32s", row.at("call").get<std::string>().c_str());
  if (row.contains("request_bytes")) {
    std::printf(" %8lld %7lld", row.at("request_bytes").get<long long>(),
                row.at("answer_bytes").get<long long>());
  } else {
    std::printf(" %8s %7s", "", "");
  }
  std::printf(" %8.1f %8.1f", sidecar.at("p50_us").get<double>(),
              sidecar.at("p99_us").get<double>());
  if (row.contains("echo")) {
    std::printf(" %8.1f %8.1f %6.2f", row.at("echo").at("p50_us").get<double>(),
                row.at("echo").at("p99_us").get<double>(), row.at("ratio").get<double>());
  }
  std::puts("");
}

void print(const Json& result) {
  print_yardsticks(result.at("yardsticks"));
  const Json& s = result.at("setting");
  std::printf(
      "prompts of %lld tokens in %lld runs of slots (insert new: %u in one), page %lld; "
      "%lld rounds, %lld cores\n\n",
      s.at("tokens").get<long long>(), s.at("slot_runs").get<long long>(), kInsertTokens,
      s.at("page_size").get<long long>(), s.at("rounds").get<long long>(),
      s.at("cores").get<long long>());
  std::puts(
      "call, us                          request  answer      p50      p99 echo p50 echo p99"
      "  ratio");
  for (const Json& row : result.at("calls")) print_row(row);
}

// ---- the program -------------------------------------------------------------------------------

Json run(const Options& options) {
  // Where a process wakes decides more than what it does; so both servers wake in the same place.
  use_cores(options.cores - 1, 1);
  Json result{{"yardsticks", to_json(measure_yardsticks())},
              {"setting",
               {{"tokens", options.tokens},
                {"slot_runs", options.slot_runs},
                {"page_size", options.sidecar.page_size},
                {"rounds", options.rounds},
                {"cores", options.cores}}}};
  Bench bench(options);
  use_cores(0, 1);
  result["calls"] = bench.run();
  if (!options.python.empty()) {
    for (Json& row : bench.run_python()) result["calls"].push_back(row);
  }
  return result;
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Calls over the engine's socket, beside an echo of the same bytes."};
  app.add_option("--tokens", options.tokens, "of the prompt that is asked for: whole pages")
      ->check(CLI::Range(16u, 1u << 20))
      ->capture_default_str();
  app.add_option("--slot-runs", options.slot_runs, "in which its slots lie")
      ->check(CLI::Range(1u, 1u << 16))
      ->capture_default_str();
  app.add_option("--page-size", options.sidecar.page_size, "tokens a page")->capture_default_str();
  app.add_option("--rounds", options.rounds, "calls of each kind")
      ->check(CLI::Range(10u, 100'000u))
      ->capture_default_str();
  app.add_option("--cores", options.cores,
                 "1: all on one core; 2: the client on one, the servers on another")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app.add_option("--binary", options.sidecar.binary, "the sidecar")->capture_default_str();
  app.add_option("--python", options.python, "measure the Python client with this interpreter");
  app.add_option("--python-path", options.python_path, "the folder of the Python package")
      ->capture_default_str();
  app.add_option("--python-script", options.python_script, "what it runs")->capture_default_str();
  app.add_flag("--json", options.json, "print one JSON object");
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.tokens % options.sidecar.page_size != 0 || options.slot_runs > options.tokens) {
      throw std::runtime_error(
          "--tokens must be a multiple of --page-size, and not below "
          "--slot-runs");
    }
    const Json result = run(options);
    options.json ? void(std::puts(result.dump(2).c_str())) : print(result);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ipc_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace radixmesh::bench

int main(int argc, char** argv) { return radixmesh::bench::main(argc, argv); }
