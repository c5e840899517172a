#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "cli/exit_codes.h"
#include "cli/namespace_argument.h"
#include "cli/token_argument.h"
#include "cli/usage_error.h"

namespace radixmesh::cli {
namespace {

constexpr double kTimeoutSecondsMax = 86400;
constexpr std::uint64_t kPingsMax = 1'000'000;
constexpr std::uint64_t kPingsDefault = 5;

constexpr char kFooter[] =
    "TOKENS are 1,2,3 or @FILE or - for stdin: a JSON array if it begins with '[', else unsigned\n"
    "32-bit little-endian. Only whole pages count. No verb but drain and gc --run changes\n"
    "anything.\n\n";

// What is given, before it is checked.
struct Raw {
  std::string tokens, name_space, holder;
  double timeout_seconds = 5;
  std::uint64_t pings = kPingsDefault;
};

CLI::App* add_query(CLI::App& app, const char* verb, const char* text, Raw& raw) {
  CLI::App* query = app.add_subcommand(verb, text);
  query->add_option("TOKENS", raw.tokens, "1,2,3 or @FILE or -")->required();
  query->add_option("--namespace", raw.name_space,
                    "model=..,lora=..,salt=..,extra_key=.., each if there is one; NAME:hex=.. for "
                    "bytes; a backslash before a comma of the text");
  return query;
}

void describe(CLI::App& app, Raw& raw, CommandLine& line) {
  app.add_option("--socket", line.socket, "path of the sidecar's socket")
      ->envname("RADIXMESH_SOCKET");
  app.add_flag("--json", line.json, "the sidecar's answer as JSON, one line each");
  app.add_option("--timeout", raw.timeout_seconds, "seconds to wait for an answer")
      ->capture_default_str();
  app.set_version_flag("--version", "radixmesh 0.1.0");
  app.require_subcommand(0, 1);  // none is told below: CLI11 does not name what stands there
  app.fallthrough();
  app.footer(std::string(kFooter) + kExitCodesText);

  app.add_subcommand("status", "the node: what it holds, what it has of the others, its counters");
  app.add_subcommand("nodes", "the members of the mesh as this node sees them");
  add_query(app, "match", "which nodes hold a beginning of TOKENS, and how much of it", raw);
  add_query(app, "route", "where a request with TOKENS would be sent; books nothing", raw);
  add_query(app, "explain", "the same with every candidate, and what each would cost", raw);
  CLI::App* tree = app.add_subcommand("tree", "the edges of the tree, or the entries of one node");
  tree->add_option("--holder", raw.holder, "host:port: the entries of this node, in order of seq");
  tree->add_option("--limit", line.limit, "rows to show; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI::App* tail = app.add_subcommand("tail", "ops and changes of membership as they pass");
  tail->add_option("--count", line.count, "end after so many; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI::App* ping = app.add_subcommand("ping", "round trips to the sidecar, in microseconds");
  ping->add_option("--count", raw.pings, "how many")
      ->check(CLI::Range(std::uint64_t{1}, kPingsMax))
      ->capture_default_str();
  CLI::App* gc = app.add_subcommand("gc", "which duplicates would go here, and why not the rest");
  gc->add_flag("--run", line.run, "begin a round of collection now");
  app.add_subcommand("drain", "the node leaves the mesh, and its sidecar ends");
  CLI::App* diff = app.add_subcommand("diff", "whether two sidecars have the same picture");
  diff->add_option("A", line.socket_a, "path of a sidecar's socket")->required();
  diff->add_option("B", line.socket_b, "path of another one's")->required();
  diff->add_flag("--entries", line.entries,
                 "compare every entry, even where the digests are equal");
}

void parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    throw CommandLineText{app.help()};
  } catch (const CLI::CallForVersion& version) {
    throw CommandLineText{std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what() + std::string(" (radixmesh --help says more)"));
  }
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  Raw raw;
  CLI::App app{"Looks at a RadixMesh sidecar: which prefix is cached where", "radixmesh"};
  describe(app, raw, line);
  parse(app, argc, argv);

  if (app.get_subcommands().empty()) {
    throw UsageError("a verb is missing (radixmesh --help says more)");
  }
  line.verb = app.get_subcommands().front()->get_name();
  const double milliseconds = raw.timeout_seconds * 1000;
  if (!(milliseconds >= 1 && raw.timeout_seconds <= kTimeoutSecondsMax)) {
    throw UsageError("--timeout: from 0.001 to 86400 seconds");
  }
  line.timeout = std::chrono::milliseconds(std::llround(milliseconds));
  if (line.verb == "ping") line.count = raw.pings;
  if (!raw.holder.empty()) line.holder = raw.holder;
  if (!raw.name_space.empty()) line.name_space = parse_namespace(raw.name_space);
  if (line.socket.empty() && line.verb != "diff") {
    throw UsageError("no socket: give --socket PATH, or set RADIXMESH_SOCKET");
  }
  // Last, for it may wait for stdin.
  if (!raw.tokens.empty()) line.tokens = read_tokens(raw.tokens);
  return line;
}

}  // namespace radixmesh::cli
