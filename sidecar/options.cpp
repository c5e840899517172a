#include "sidecar/options.h"

#include <algorithm>
#include <array>
#include <map>

#include "lib/base/host.h"
#include "lib/base/limits.h"
#include "lib/replica.h"
#include "sidecar/config/check_address.h"
#include "sidecar/config/command_line.h"
#include "sidecar/config/environment.h"
#include "sidecar/config/option_list.h"
#include "sidecar/config/option_table.h"
#include "sidecar/config/show_options.h"
#include "sidecar/config/toml_file.h"

namespace radixmesh {
namespace {

constexpr char kVersionText[] = "radixmesh-sidecar 0.1.0\n";

// What comes later wins; each is checked, also where it does not count.
void take_all(OptionTable& table, const std::vector<Written>& written) {
  for (const Written& each : written) table.take(each);
}

// Each address once, in whatever spelling.
class OnceOnly {
 public:
  explicit OnceOnly(const OptionTable& table) : table_(table) {}

  void add(const std::string& option, const std::vector<std::string>& addresses) {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const std::string& addr = addresses[i];
      const auto [before, fresh] = spelt_.emplace(same_address(addr), addr);
      if (fresh) continue;
      const std::string as =
          addr == before->second ? "" : " (once as " + in_quotes(before->second) + ")";
      throw OptionError(table_.where(option, i) + ": " + in_quotes(addr) +
                        " stands in the lists twice" + as);
    }
  }
  // How the lists spell an address; nothing where it is in none.
  std::optional<std::string> spelling(const std::string& addr) const {
    const auto found = spelt_.find(same_address(addr));
    return found == spelt_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  const OptionTable& table_;
  std::map<std::string, std::string> spelt_;  // by what all spellings have in common
};

struct MemberList {
  const char* option;
  const std::vector<std::string>* addresses;
  Role role;
};
// In the order of their members' ranks.
std::array<MemberList, 4> lists_of(const Given& given) {
  return {{{"prefill-cache-nodes", &given.prefill, Role::prefill},
           {"decode-cache-nodes", &given.decode, Role::decode},
           {"unified-cache-nodes", &given.unified, Role::unified},
           {"router-cache-nodes", &given.router, Role::router}}};
}

void set_members(const OptionTable& table, const Given& given, ReplicaSettings& settings) {
  OnceOnly once(table);
  for (const auto& [option, addresses, role] : lists_of(given)) {
    once.add(option, *addresses);
    for (const std::string& addr : *addresses) settings.members.push_back({addr, role});
  }
  if (settings.members.size() > limits::members_max) {
    throw OptionError("--prefill-cache-nodes and the other lists name " +
                      std::to_string(settings.members.size()) + " members, more than " +
                      std::to_string(limits::members_max));
  }
  if (!settings.join.empty()) return;
  if (settings.members.empty()) {
    throw OptionError(
        "there is no member: --prefill-cache-nodes and the other lists name all, or "
        "--join some to ask");
  }
  const auto spelling = once.spelling(settings.self);
  if (spelling == settings.self) return;
  throw OptionError(
      table.where("local-cache-addr") + ": " + in_quotes(settings.self) +
      (spelling ? " is " + in_quotes(*spelling) + " in the lists: it must be spelt the same way"
                : " stands in none of the lists"));
}

void check_joining(const OptionTable& table, const Given& given, ReplicaSettings& settings) {
  if (settings.join.empty()) return;
  OnceOnly(table).add("join", settings.join);
  for (const auto& [list, addresses, role] : lists_of(given)) {
    if (addresses->empty()) continue;
    throw OptionError(table.where("join") + ": who joins learns the lists, but " +
                      table.where(list) + " gives one");
  }
  if (!given.role) throw OptionError("--role: must be given with --join");
  settings.role = *given.role;
  if (given.rank >= 0) settings.rank = NodeRank{static_cast<std::uint32_t>(given.rank)};
}

// Where the lists say it already, role and rank may only confirm it.
void check_self(const OptionTable& table, const Given& given, const ReplicaSettings& settings) {
  const auto self = std::ranges::find(settings.members, settings.self, &MemberSettings::addr);
  if (self == settings.members.end()) return;
  if (given.role && *given.role != self->role) {
    throw OptionError(table.where("role") + ": " + std::string(role_name(*given.role)) +
                      " is not the role of " + settings.self + " in the lists, " +
                      std::string(role_name(self->role)));
  }
  const auto rank = self - settings.members.begin();
  if (given.rank >= 0 && given.rank != rank) {
    throw OptionError(table.where("rank") + ": " + std::to_string(given.rank) +
                      " is not the rank of " + settings.self + " in the lists, " +
                      std::to_string(rank));
  }
}

void check_relations(const OptionTable& table, ReplicaSettings& settings) {
  Timers& timers = settings.timers;
  if (timers.suspect_after < 2 * timers.heartbeat) {
    throw OptionError(table.where("suspect-after") + ": must be at least two heartbeats, which " +
                      table.where("heartbeat") + " sets");
  }
  timers.deaf_after = timers.suspect_after;
  const GcSettings& gc = settings.gc;
  if (gc.hot_copies > 0 && gc.hot_copies < gc.keep_copies) {
    throw OptionError(table.where("hot-copies") + ": must not be below --keep-copies, " +
                      std::to_string(gc.keep_copies));
  }
}

// The host of "host" or "host:port".
std::string bound_host(const std::string& bound) {
  return has_port(bound) ? std::string(host_of(bound)) : bound;
}

}  // namespace

NodeAddresses Options::addresses() const {
  const std::string any_port = std::string(host_of(replica.self)) + ":0";
  const auto other = [&](const char* option, const std::string& addr, const std::string& bound) {
    return Listening{option, addr.empty() ? any_port : addr,
                     bound.empty() ? bound_host(bind) : bound};
  };
  return {{"--local-cache-addr", replica.self, bind},
          other("--publish-addr", publish_addr, publish_bind),
          other("--bulk-addr", bulk_addr, bulk_bind)};
}

Options parse_options(int argc, const char* const* argv, const char* const* environment) {
  Options options;
  Given given;
  OptionTable table;
  list_options(table, options, given);
  const CommandLine line = read_command_line(argc, argv, table);
  if (line.help) throw OptionText{show_help(table)};
  if (line.version) throw OptionText{kVersionText};
  const Environment variables = read_environment(own_variables(environment), table);
  take_all(table, variables.written);
  // The file comes between, but which one it is may be said by a flag.
  const auto config = std::ranges::find(line.written, "config", &Written::name);
  if (config != line.written.end()) table.take(*config);
  if (!given.config_path.empty()) take_all(table, read_toml_file(given.config_path, table));
  take_all(table, line.written);

  table.check_needed();
  set_members(table, given, options.replica);
  check_joining(table, given, options.replica);
  check_self(table, given, options.replica);
  check_relations(table, options.replica);
  options.replica.epoch = Epoch{1};  // set by the shell; only so that the rest can be checked
  if (const auto broken = check(options.replica)) throw OptionError(*broken);
  if (options.print_config) throw OptionText{show_config(table, variables)};
  options.ignored_variables = show_ignored(variables);
  return options;
}

}  // namespace radixmesh
