#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "cli/exit_codes.h"
#include "cli/namespace_argument.h"
#include "cli/token_argument.h"
#include "cli/usage_error.h"
#include "lib/base/nearest.h"

namespace radixmesh::cli {
namespace {

constexpr double kTimeoutSecondsMax = 86400;
constexpr std::uint64_t kPingsMax = 1'000'000;
constexpr std::uint64_t kPingsDefault = 5;

constexpr char kFooter[] =
    "radixmesh VERB --help lists the options of a verb.\n\n"
    "TOKENS are 1,2,3 or @FILE or - for stdin. Those two hold text: numbers with commas or blanks\n"
    "between them, or a JSON array; with --binary unsigned 32-bit little-endian. Only whole pages\n"
    "count. No verb but drain, member remove and gc --run changes anything.\n\n";

// What is given, before it is checked.
struct Raw {
  std::string tokens, name_space, holder;
  bool binary = false;
  double timeout_seconds = 5;
  std::uint64_t pings = kPingsDefault;
};

CLI::App* add_query(CLI::App& app, const char* verb, const char* text, Raw& raw) {
  CLI::App* query = app.add_subcommand(verb, text);
  query->add_option("TOKENS", raw.tokens, "1,2,3 or @FILE or -")->required();
  query->add_flag("--binary", raw.binary, "the file or stdin holds unsigned 32-bit little-endian");
  query->add_option("--namespace", raw.name_space,
                    "model=..,lora=..,salt=..,extra_key=.., each if there is one; NAME:hex=.. for "
                    "bytes; a backslash before a comma of the text");
  return query;
}

// status and nodes.
void add_overview(CLI::App& app, const char* verb, const char* text, CommandLine& line) {
  CLI::App* overview = app.add_subcommand(verb, text);
  overview->add_flag("--all", line.all, "every field");
  overview->add_flag("--check", line.check, "end with 3 where something is not well, see below");
  overview->add_option("--lag-max", line.lag_seconds_max, "seconds of lag that are still well")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
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

  add_overview(app, "status", "the node: whether it is well, what it holds and does", line);
  add_overview(app, "nodes", "the members of the mesh as this node sees them", line);
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
  CLI::App* member = app.add_subcommand("member", "remove ADDR: one that is gone for good");
  member->require_subcommand(0, 1);
  member->add_subcommand("remove", "all nodes forget a member that had joined and is dead")
      ->add_option("ADDR", line.member, "its host:port, as nodes shows it")
      ->required();
  app.add_subcommand("drain", "the node leaves the mesh, and its sidecar ends");
  CLI::App* diff = app.add_subcommand("diff", "whether two sidecars have the same picture");
  diff->add_option("A", line.socket_a, "path of a sidecar's socket")->required();
  diff->add_option("B", line.socket_b, "path of another one's")->required();
  diff->add_flag("--entries", line.entries,
                 "compare every entry, even where the digests are equal");
}

// The names of the options of `app`, each with its dashes.
void add_option_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
}

// What stands on the command line and belongs to nothing.
std::string unexpected(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(true);
  const std::string extra = extras.empty() ? "" : extras.front();
  const auto verbs = app.get_subcommands();
  std::vector<std::string> names;
  if (extra.starts_with('-')) {
    add_option_names(app, names);
    for (const CLI::App* verb : verbs) add_option_names(*verb, names);
    return "no option " + extra + did_you_mean(extra.substr(0, extra.find('=')), names);
  }
  if (!verbs.empty()) return verbs.front()->get_name() + " takes no \"" + extra + "\"";
  for (const CLI::App* verb : app.get_subcommands(nullptr)) names.push_back(verb->get_name());
  return "no verb " + extra + did_you_mean(extra, names);
}

void parse(CLI::App& app, int argc, const char* const* argv) {
  constexpr char kMore[] = " (radixmesh --help says more)";
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    throw CommandLineText{app.help()};
  } catch (const CLI::CallForVersion& version) {
    throw CommandLineText{std::string(version.what()) + "\n"};
  } catch (const CLI::ExtrasError&) {
    throw UsageError(unexpected(app) + kMore);
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what() + std::string(kMore));
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
  if (line.verb == "member" && line.member.empty()) {
    throw UsageError("what about the member? radixmesh member remove ADDR");
  }
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
  if (!raw.tokens.empty()) line.tokens = read_tokens(raw.tokens, raw.binary);
  return line;
}

}  // namespace radixmesh::cli
