#include "sidecar/config/option_list.h"

#include <limits>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

constexpr std::int64_t kCountMax = 1'000'000'000;
// A TOML file has no larger numbers.
constexpr std::int64_t kWholeMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kCopiesMax = 1000, kUsesMax = 60'000;
constexpr double kSecondsMax = 1e6, kRateMax = 1e12, kAffinityMax = 1000;
constexpr std::size_t kPathBytesMax = 4096;

constexpr Seconds kTimer{0.01, kSecondsMax};
constexpr Seconds kSecondsOrOff{0, kSecondsMax};
constexpr Number kRate{1, kRateMax};
constexpr std::uint64_t kPullRateMax = 1'000'000'000'000;

template <class T>
OneOf<T> one_of(std::string_view (*name_of)(T), std::initializer_list<T> values) {
  OneOf<T> kind;
  for (const T value : values) kind.values.emplace_back(name_of(value), value);
  return kind;
}

OneOf<std::string> one_of(std::initializer_list<const char*> names) {
  OneOf<std::string> kind;
  for (const char* name : names) kind.values.emplace_back(name, name);
  return kind;
}

void list_members(OptionTable& table, ReplicaSettings& settings, Given& given) {
  const std::string order = ", in rank order, the same everywhere";
  table.group("Members");
  table.add("prefill-cache-nodes", given.prefill, Addresses{}, "prefill nodes" + order);
  table.add("decode-cache-nodes", given.decode, Addresses{}, "decode nodes" + order);
  table.add("unified-cache-nodes", given.unified, Addresses{}, "nodes that do both" + order);
  table.add("router-cache-nodes", given.router, Addresses{}, "routers" + order);
  table.add("join", settings.join, Addresses{},
            "instead of lists: any members to ask to be let in, or names that stand for several");
  table.add("join-wait", settings.timers.join_wait, Seconds{0, kSecondsMax},
            "seconds before a node that finds nobody to ask begins a mesh, at the earliest");
  table.add("role", given.role,
            one_of(role_name, {Role::prefill, Role::decode, Role::unified, Role::router}),
            "this node's role: needed with --join, else only checked against the lists");
  table.add(
      "rank", given.rank, Whole{-1, limits::given_rank_max},
      "this node's rank: asked for with --join, else only checked against the lists; -1: any");
  table.add("cluster", settings.cluster, Text{"NAME", limits::cluster_bytes_max},
            "the cluster's name; nodes of another one are refused");
}

void list_addresses(OptionTable& table, Options& options) {
  table.group("Addresses");
  table
      .add("local-cache-addr", options.replica.self, Address{},
           "this node's address, one of the lists or one that joins; its control socket is bound "
           "there")
      .must_be_given();
  table.add(
      "publish-addr", options.publish_addr, Address{{.port_zero = true}},
      "where ops are published; by default, and with port 0, a port of the system's choice on "
      "the same host");
  table.add("bulk-addr", options.bulk_addr, Address{{.port_zero = true}},
            "where repair and snapshots are served; by default a port of the system's choice as "
            "well. Behind a firewall give both, and open all three");
  const Address bound{{.port_zero = true, .port_missing = true, .wildcard = true}};
  table.add("bind", options.bind, bound,
            "HOST or HOST:PORT to bind instead of --local-cache-addr, where that is what others "
            "reach and not what is here: a mapped port, a proxy. May be 0.0.0.0 or [::]");
  table.add("publish-bind", options.publish_bind, bound,
            "the same for --publish-addr; by default the host of --bind");
  table.add("bulk-bind", options.bulk_bind, bound,
            "the same for --bulk-addr; by default the host of --bind");
  table
      .add("ipc", options.ipc_path, Text{"PATH", kPathBytesMax},
           "path of the Unix socket for the engine")
      .must_be_given();
}

void list_mesh(OptionTable& table, ReplicaSettings& settings) {
  Timers& timers = settings.timers;
  table.group("The mesh and its timing");
  table.add("page-size", settings.page_size, Whole{1, limits::page_tokens_max},
            "tokens per page; the same everywhere");
  table.add(
      "topology", settings.topology,
      one_of(topology_name,
             {Topology::mesh, Topology::ring, Topology::groups, Topology::automatic}),
      "who gets ops from whom; auto: mesh up to 64 members, groups above. The same everywhere");
  table.add("heartbeat", timers.heartbeat, kTimer,
            "seconds between heartbeats to the neighbours in rank order");
  table.add("tick", timers.tick, kTimer, "seconds between tokens around the whole ring");
  table.add("suspect-after", timers.suspect_after, kTimer,
            "seconds of silence after which a member is out of all answers, at least two "
            "heartbeats. At a half of it the member is asked directly, at two thirds through three "
            "others; it is dead after 4 x heartbeat x max(1, log10 members) more where two others "
            "confirm it, after up to six times that where none does. All of it takes longer on a "
            "node that was itself not run for a while");
  table.add("ready-needs", settings.ready_needs,
            one_of(ready_needs_name, {ReadyNeeds::all, ReadyNeeds::majority, ReadyNeeds::self}),
            "how many of the other listed members a node must have met before it is ready: all, "
            "more than half, or none (self), which also keeps one ready that hears nobody");
  table.add("forget-after", timers.forget_after, kTimer,
            "seconds after which the entries of one that is dead or left are dropped");
}

void list_routing(OptionTable& table, RoutingSettings& routing) {
  table.group("Routing");
  table.add("policy", routing.policy,
            one_of(policy_name, {RoutingPolicy::cost, RoutingPolicy::prefix_first}),
            "how `route` chooses: cost, the pair of nodes where the first token comes soonest and "
            "others are delayed least; or prefix_first, the deepest match of each role");
  table.add(
      "prefill-rate", routing.prefill_rate, kRate,
      "prompt tokens a second that a node computes, as long as no engine reported it and none "
      "was seen working. The default: a model of 70 billion parameters on four H100");
  table.add("transfer-rate", routing.weights.transfer_rate, kRate,
            "tokens a second whose KV goes from a prefill to a decode node: the link's bytes a "
            "second by the KV's bytes a token (50 GB/s by 320 KiB would be 150,000)");
  table.add(
      "pull-rate", routing.pull_rate, Whole{0, kPullRateMax},
      "tokens a second whose KV this node's engine reads from another engine's memory, and "
      "gives out of its own, while neither computes for it; `route` then names a source where "
      "that is faster than to compute. 0: the engine cannot");
  table.add("decode-rate", routing.weights.decode_rate, kRate,
            "tokens a second whose KV a decode step reads: the memory's bytes a second by the KV's "
            "bytes a token (3.35 TB/s by 320 KiB)");
  table.add("affinity", routing.weights.affinity, Number{0, kAffinityMax},
            "how much a computation counts for delaying others: this times the prompts that wait "
            "at a prefill node; 0: only its own time counts");
  table.add("decode-only-tokens", routing.weights.decode_only_tokens, Whole{0, kCountMax},
            "where fewer tokens than this are not cached at the decode node, it computes them "
            "itself; 0: never");
  table.add(
      "redirect-cost", routing.redirect_cost, Number{0, kSecondsMax},
      "seconds that sending a request on takes; `redirect` says stay where moving gains less");
  table.add("redirect-hops", routing.redirect_hops_max, Whole{0, kCountMax},
            "how often a request is sent on at most");
  table.add("warm-up-requests", routing.warm_up_requests, Whole{0, kCountMax},
            "so many are routed by the hash of their first pages before anything else counts; "
            "0: none");
  table.add("warm-up-seconds", routing.warm_up, kSecondsOrOff,
            "... or for so many seconds; 0: not at all");
  table.add("booking-seconds", routing.booking_expires, Seconds{1, kSecondsMax},
            "seconds after which a booking that nobody finished is dropped");
  table.add("speculation-seconds", routing.speculation, kSecondsOrOff,
            "a booked prompt counts as held by its nodes until its booking ends and for once to "
            "twice so many seconds after; 0: not at all");
}

void list_cache(OptionTable& table, Options& options) {
  table.group("The cache");
  table.add("max-radix-cache-size", options.replica.max_radix_cache_size, Whole{0, kWholeMax},
            "tokens that this node holds at most; 0: no bound");
  table.add("keep-remote-slots", options.replica.keep_remote_slots, YesOrNo{},
            "whether others' slots are kept beside their prefixes (costs memory)");
  table.add("client-lease", options.client_lease, kSecondsOrOff,
            "seconds after which a client that asks nothing loses its leases; 0: never");
}

void list_collection(OptionTable& table, GcSettings& gc) {
  table.group("Collecting duplicates");
  table.add("gc", gc.mode,
            one_of(gc_mode_name, {GcMode::off, GcMode::local_ref, GcMode::global_ref}),
            "how this node collects its duplicates: off; local-ref, where readers keep their "
            "references to themselves and agree to what retires; or global-ref, where they tell "
            "them to the owner");
  table.add("gc-period", gc.period, Seconds{0.1, kSecondsMax},
            "seconds between rounds of collection");
  table.add("keep-copies", gc.keep_copies, Whole{1, kCopiesMax},
            "a copy goes only if so many nodes of the same role and a lower rank have one");
  table.add("hot-copies", gc.hot_copies, Whole{0, kCopiesMax},
            "... and so many, if it is hot; 0: as many as --keep-copies");
  table.add("hot-uses", gc.hot_uses, Whole{1, kUsesMax},
            "a copy is hot that was used by acquire and insert so often in one period");
  table.add("gc-silent-reader", gc.expires_silent, OneOf<bool>{{{"block", false}, {"lease", true}}},
            "a node that refers to pages here and is silent: block, it is waited for; or lease, "
            "only for as long as its lease stands");
  table.add(
      "gc-lease", gc.lease, Seconds{2, 3600},
      "seconds that a reader's references stand without being renewed; a node that restarts frees "
      "nothing for as long, or, as others tell it, for what it was before");
}

void list_program(OptionTable& table, Options& options, Given& given) {
  table.group("Log and configuration");
  table.add(
      "log-level", options.log_level, one_of({"debug", "info", "warn", "error", "off"}),
      "what is logged: this and what is worse. debug adds a line a second: how many frames of "
      "each type came and went");
  table.add("log-format", options.log_format, one_of({"text", "json"}), "text is key=value");
  table
      .add("config", given.config_path, Text{"PATH", kPathBytesMax},
           "a TOML file with lines such as page-size = 16")
      .not_in_file();
  table.add("check-config", options.check_config, Switch{}, "check the configuration, then end");
  table.add("print-config", options.print_config, Switch{},
            "print the configuration in force as such a file, with where each value comes from, "
            "then end");
}

}  // namespace

void list_options(OptionTable& table, Options& options, Given& given) {
  options.replica.topology = Topology::automatic;
  list_members(table, options.replica, given);
  list_addresses(table, options);
  list_mesh(table, options.replica);
  list_routing(table, options.replica.routing);
  list_cache(table, options);
  list_collection(table, options.replica.gc);
  list_program(table, options, given);
}

}  // namespace radixmesh
