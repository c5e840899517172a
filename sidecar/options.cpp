#include "sidecar/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "lib/base/host.h"
#include "lib/base/limits.h"
#include "lib/replica.h"
#include "sidecar/exit_codes.h"

namespace radixmesh {
namespace {

using Addresses = std::vector<std::string>;

// What the command line gives, before it is checked as a whole.
struct Raw {
  Addresses prefill, decode, unified, router;
  std::string role, topology = "auto", policy = "cost", gc = "off", silent_reader = "block";
  double gc_period = 10, gc_lease = 10, client_lease = 0;
  double warm_up_seconds = 0, booking_seconds = 300, speculation_seconds = 5;
  Addresses join;
  double heartbeat = 0.5, tick = 10, suspect_after = 3, forget_after = 600;
  std::int64_t rank = -1;
};

void check_address(const std::string& option, const std::string& addr, int port_min = 1) {
  const std::size_t colon = addr.rfind(':');
  const std::string port = colon == std::string::npos ? "" : addr.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  if (colon == 0 || !digits || std::stoi(port) < port_min || std::stoi(port) > 65535) {
    throw OptionError(option + ": \"" + addr + "\" is not host:port with a port from " +
                      std::to_string(port_min) + " to 65535");
  }
}

void add_members(const std::string& option, Role role, const Addresses& addresses,
                 ReplicaSettings& settings) {
  for (const std::string& addr : addresses) {
    check_address(option, addr);
    settings.members.push_back({addr, role});
  }
}

std::string environment_of(const std::string& flag) {
  std::string name = "RADIXMESH_";
  for (char c : flag.substr(2)) name.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(c)));
  return name;
}

template <class T>
CLI::Option* add(CLI::App& app, const std::string& flag, T& value, const std::string& text) {
  return app.add_option(flag, value, text)->envname(environment_of(flag))->capture_default_str();
}

void describe_timers(CLI::App& app, Raw& raw) {
  const auto seconds = CLI::Range(0.01, 1e6);
  add(app, "--heartbeat", raw.heartbeat,
      "seconds between heartbeats to the neighbours in rank order")
      ->check(seconds);
  add(app, "--tick", raw.tick, "seconds between tokens around the whole ring")->check(seconds);
  add(app, "--suspect-after", raw.suspect_after,
      "seconds of silence after which a member is out of all answers. At a half of it the member "
      "is "
      "asked directly, at two thirds through three others; it is dead after 4 x heartbeat x "
      "max(1, log10 members) more where two others confirm it, after up to six times that where "
      "none does. All of it takes longer on a node that was itself not run for a while")
      ->check(seconds);
  add(app, "--forget-after", raw.forget_after,
      "seconds after which the entries of one that is dead or left are dropped")
      ->check(seconds);
}

void describe_routing(CLI::App& app, Raw& raw, RoutingSettings& routing) {
  const auto rate = CLI::Range(1.0, 1e12);
  const auto seconds = CLI::Range(0.0, 1e6);
  add(app, "--policy", raw.policy,
      "how `route` chooses: cost, the pair of nodes where the first token comes soonest and others "
      "are delayed least; or prefix_first, the deepest match of each role");
  add(app, "--prefill-rate", routing.prefill_rate,
      "prompt tokens a second that a node computes, as long as no engine reported it and none was "
      "seen working. The default: a model of 70 billion parameters on four H100")
      ->check(rate);
  add(app, "--transfer-rate", routing.weights.transfer_rate,
      "tokens a second whose KV goes from a prefill to a decode node: the link's bytes a second by "
      "the KV's bytes a token (50 GB/s by 320 KiB would be 150,000)")
      ->check(rate);
  add(app, "--decode-rate", routing.weights.decode_rate,
      "tokens a second whose KV a decode step reads: the memory's bytes a second by the KV's bytes "
      "a token (3.35 TB/s by 320 KiB)")
      ->check(rate);
  add(app, "--affinity", routing.weights.affinity,
      "how much a computation counts for delaying others and evicting what they use: this times "
      "the "
      "share of nodes that are computing; 0: only its own time counts")
      ->check(CLI::Range(0.0, 1000.0));
  add(app, "--decode-only-tokens", routing.weights.decode_only_tokens,
      "where fewer tokens than this are not cached at the decode node, it computes them itself (0: "
      "never)");
  add(app, "--redirect-cost", routing.redirect_cost,
      "seconds that sending a request on takes; `redirect` says stay where moving gains less")
      ->check(seconds);
  add(app, "--redirect-hops", routing.redirect_hops_max, "how often a request is sent on at most");
  add(app, "--warm-up-requests", routing.warm_up_requests,
      "so many are routed by the hash of their first pages before anything else counts (0: none)");
  add(app, "--warm-up-seconds", raw.warm_up_seconds, "... or for so long (0: not at all)")
      ->check(seconds);
  add(app, "--booking-seconds", raw.booking_seconds,
      "after so long a booking that nobody finished is dropped")
      ->check(CLI::Range(1.0, 1e6));
  add(app, "--speculation-seconds", raw.speculation_seconds,
      "a booked prompt counts as held by its nodes for once to twice this (0: not at all)")
      ->check(seconds);
}

void describe_collection(CLI::App& app, Raw& raw, GcSettings& gc) {
  const auto count = CLI::Range(1u, 1000u);
  add(app, "--gc", raw.gc,
      "how this node collects its duplicates: off; local-ref, where readers keep their references "
      "to themselves and agree to what retires; or global-ref, where they tell them to the owner");
  add(app, "--gc-period", raw.gc_period, "seconds between rounds of collection")
      ->check(CLI::Range(0.1, 1e6));
  add(app, "--keep-copies", gc.keep_copies,
      "a copy goes only if so many nodes of the same role and a lower rank have one")
      ->check(count);
  add(app, "--hot-copies", gc.hot_copies,
      "... and so many, if it is hot (0: as many as --keep-copies)")
      ->check(CLI::Range(0u, 1000u));
  add(app, "--hot-uses", gc.hot_uses,
      "a copy is hot that was used by acquire and insert so often in one period")
      ->check(CLI::Range(1u, 60000u));
  add(app, "--gc-silent-reader", raw.silent_reader,
      "a node that refers to pages here and is silent: block, it is waited for; or lease, only for "
      "as long as its lease stands");
  add(app, "--gc-lease", raw.gc_lease,
      "seconds that a reader's references stand without being renewed; a node that restarts frees "
      "nothing for as long, or, as others tell it, for what it was before")
      ->check(CLI::Range(2.0, 3600.0));
  add(app, "--client-lease", raw.client_lease,
      "seconds after which a client that asks nothing loses its leases (0: never)")
      ->check(CLI::Range(0.0, 1e6));
}

void describe(CLI::App& app, Raw& raw, Options& options) {
  ReplicaSettings& settings = options.replica;
  const auto list = [&](const std::string& flag, Addresses& value, const std::string& text) {
    add(app, flag, value, text + "; host:port with commas between")->delimiter(',');
  };
  const std::string order = ", in rank order, the same everywhere";
  list("--prefill-cache-nodes", raw.prefill, "prefill nodes" + order);
  list("--decode-cache-nodes", raw.decode, "decode nodes" + order);
  list("--unified-cache-nodes", raw.unified, "nodes that do both" + order);
  list("--router-cache-nodes", raw.router, "routers" + order);
  list("--join", raw.join,
       "instead of lists: any members to ask to be let in, or names that stand for several");
  add(app, "--local-cache-addr", settings.self,
      "this node's address, one of the lists or one that joins; its control socket is bound there")
      ->required();
  add(app, "--publish-addr", options.publish_addr,
      "where ops are published, host:port; by default a port of the system's choice on the same "
      "host");
  add(app, "--bulk-addr", options.bulk_addr,
      "where repair and snapshots are served, host:port; by default a port of the system's choice "
      "on "
      "the same host. Behind a firewall give both, and open all three");
  add(app, "--bind", options.bind,
      "host or host:port to bind instead of --local-cache-addr, where that is what others reach "
      "and "
      "not what is here: a mapped port, a proxy. May be a wildcard: 0.0.0.0 or [::]");
  add(app, "--publish-bind", options.publish_bind,
      "the same for --publish-addr; by default the host of --bind");
  add(app, "--bulk-bind", options.bulk_bind, "the same for --bulk-addr; by default as well");
  add(app, "--role", raw.role,
      "this node's role: needed with --join, else only checked against the lists");
  add(app, "--rank", raw.rank,
      "this node's rank: asked for with --join, else only checked against the lists (-1: any)");
  add(app, "--cluster", settings.cluster, "the cluster's name; nodes of another one are refused");
  add(app, "--ipc", options.ipc_path, "path of the Unix socket for the engine")->required();
  add(app, "--page-size", settings.page_size, "tokens per page; the same everywhere")
      ->check(CLI::Range(1u, limits::page_tokens_max));
  add(app, "--topology", raw.topology,
      "mesh, ring, groups, or auto: mesh up to 64 members, groups above; the same everywhere");
  describe_routing(app, raw, settings.routing);
  add(app, "--max-radix-cache-size", settings.max_radix_cache_size,
      "tokens that this node holds at most (0: no bound)")
      ->check(CLI::NonNegativeNumber);
  describe_collection(app, raw, settings.gc);
  add(app, "--keep-remote-slots", settings.keep_remote_slots,
      "whether others' slots are kept beside their prefixes (costs memory)");
  describe_timers(app, raw);
  add(app, "--log-level", options.log_level, "debug, info, warn, error or off")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}));
  add(app, "--log-format", options.log_format, "text (key=value) or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--check-config", options.check_config, "check the options, then end");
  app.set_config("--config", "", "a TOML file with lines such as page-size = 16");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", "radixmesh-sidecar 0.1.0");
  app.footer(std::string("Options that take a value, but for --config, are also variables: "
                         "--page-size is RADIXMESH_PAGE_SIZE. "
                         "Flags win over the file, the file over variables.\n\nExit codes: ") +
             kExitCodesText);
}

void check_joining(const Raw& raw, ReplicaSettings& settings) {
  for (const std::string& addr : raw.join) check_address("--join", addr);
  settings.join = raw.join;
  if (raw.join.empty()) return;
  if (raw.role.empty()) throw OptionError("--role: needed with --join");
  settings.role = *parse_role(raw.role);
  if (raw.rank >= 0) settings.rank = NodeRank{static_cast<std::uint32_t>(raw.rank)};
}

Duration seconds_of(double seconds) { return Duration{static_cast<std::int64_t>(seconds * 1e6)}; }

void set_timers(const Raw& raw, Timers& timers) {
  if (raw.suspect_after < 2 * raw.heartbeat) {
    throw OptionError("--suspect-after: must be at least two heartbeats");
  }
  timers.heartbeat = seconds_of(raw.heartbeat);
  timers.tick = seconds_of(raw.tick);
  timers.suspect_after = timers.deaf_after = seconds_of(raw.suspect_after);
  timers.forget_after = seconds_of(raw.forget_after);
}

void set_routing(const Raw& raw, RoutingSettings& routing) {
  const auto policy = parse_policy(raw.policy);
  if (!policy) throw OptionError("--policy: " + raw.policy + " is not cost or prefix_first");
  routing.policy = *policy;
  routing.warm_up = seconds_of(raw.warm_up_seconds);
  routing.booking_expires = seconds_of(raw.booking_seconds);
  routing.speculation = seconds_of(raw.speculation_seconds);
}

void set_collection(const Raw& raw, Options& options) {
  GcSettings& gc = options.replica.gc;
  const auto mode = parse_gc_mode(raw.gc);
  if (!mode) throw OptionError("--gc: " + raw.gc + " is not off, local-ref or global-ref");
  gc.mode = *mode;
  if (raw.silent_reader != "block" && raw.silent_reader != "lease") {
    throw OptionError("--gc-silent-reader: " + raw.silent_reader + " is not block or lease");
  }
  gc.expires_silent = raw.silent_reader == "lease";
  if (gc.hot_copies > 0 && gc.hot_copies < gc.keep_copies) {
    throw OptionError("--hot-copies: must not be below --keep-copies");
  }
  gc.period = seconds_of(raw.gc_period);
  gc.lease = seconds_of(raw.gc_lease);
  options.client_lease = seconds_of(raw.client_lease);
}

void check_self(const Raw& raw, const ReplicaSettings& settings) {
  const auto self = std::ranges::find(settings.members, settings.self, &MemberSettings::addr);
  if (self == settings.members.end()) return;  // Replica::check says it
  if (!raw.role.empty() && parse_role(raw.role) != self->role) {
    throw OptionError("--role: " + raw.role + " is not the role of " + settings.self +
                      " in the lists, " + std::string(role_name(self->role)));
  }
  const auto rank = self - settings.members.begin();
  if (raw.rank >= 0 && raw.rank != rank) {
    throw OptionError("--rank: " + std::to_string(raw.rank) + " is not the rank of " +
                      settings.self + " in the lists, " + std::to_string(rank));
  }
}

// The host of "host" or "host:port".
std::string bound_host(const std::string& bound) {
  const std::size_t colon = bound.rfind(':');
  const bool has_port = colon != std::string::npos && bound.find(']', colon) == std::string::npos;
  return has_port ? bound.substr(0, colon) : bound;
}

}  // namespace

Transport::Addresses Options::addresses() const {
  const std::string any_port = std::string(host_of(replica.self)) + ":0";
  const auto other = [&](const char* option, const std::string& addr, const std::string& bound) {
    return Listening{option, addr.empty() ? any_port : addr,
                     bound.empty() ? bound_host(bind) : bound};
  };
  return {{"--local-cache-addr", replica.self, bind},
          other("--publish-addr", publish_addr, publish_bind),
          other("--bulk-addr", bulk_addr, bulk_bind)};
}

Options parse_options(int argc, const char* const* argv) {
  Options options;
  Raw raw;
  CLI::App app{
      "The RadixMesh sidecar: keeps one replicated picture of which prefix is cached where"};
  describe(app, raw, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    throw OptionText{app.help()};
  } catch (const CLI::CallForVersion&) {
    throw OptionText{"radixmesh-sidecar 0.1.0\n"};
  } catch (const CLI::ParseError& error) {
    throw OptionError(error.what());
  }
  ReplicaSettings& settings = options.replica;
  check_address("--local-cache-addr", settings.self);
  if (!options.publish_addr.empty()) check_address("--publish-addr", options.publish_addr, 0);
  if (!options.bulk_addr.empty()) check_address("--bulk-addr", options.bulk_addr, 0);
  add_members("--prefill-cache-nodes", Role::prefill, raw.prefill, settings);
  add_members("--decode-cache-nodes", Role::decode, raw.decode, settings);
  add_members("--unified-cache-nodes", Role::unified, raw.unified, settings);
  add_members("--router-cache-nodes", Role::router, raw.router, settings);
  const auto topology = parse_topology(raw.topology);
  if (!topology)
    throw OptionError("--topology: " + raw.topology + " is not mesh, ring, groups or auto");
  settings.topology = *topology;
  set_routing(raw, settings.routing);
  set_collection(raw, options);
  if (!raw.role.empty() && !parse_role(raw.role)) {
    throw OptionError("--role: " + raw.role + " is not prefill, decode, unified or router");
  }
  if (raw.rank > limits::given_rank_max) {
    throw OptionError("--rank: at most " + std::to_string(limits::given_rank_max));
  }
  check_joining(raw, settings);
  set_timers(raw, settings.timers);
  settings.epoch = Epoch{1};  // set by the shell; only so that the rest can be checked
  if (const auto broken = Replica::check(settings)) throw OptionError(*broken);
  check_self(raw, settings);
  return options;
}

}  // namespace radixmesh
