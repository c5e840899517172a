#include "cli/verbs.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <vector>

#include "cli/diff.h"
#include "cli/json.h"
#include "cli/members.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/stop.h"
#include "cli/units.h"
#include "ipc/client.h"
#include "lib/base/limits.h"

namespace radixmesh::cli {
namespace {

constexpr char kClientName[] = "radixmesh-cli 0.1.0";

void print_answer(const CommandLine& line, const Json& answer, const std::string& text) {
  print(line.json ? one_line(answer) + "\n" : text);
}

std::vector<std::string> joined(std::vector<std::string> first, std::vector<std::string> second) {
  std::ranges::move(second, std::back_inserter(first));
  return first;
}

// What is wrong is shown in any case; whether it is an exit code is asked for.
ExitCode conclude(const CommandLine& line, const Json& answer, const std::string& text,
                  const std::vector<std::string>& troubles) {
  print_unless_gone(line.json ? one_line(answer) + "\n" : text);
  return line.check && !troubles.empty() ? kExitNotWell : kExitOk;
}

// What the node says of itself stands in its status.
Json without(const Json& nodes, const Json& addr) {
  if (!nodes.is_array()) return nodes;
  Json others = Json::array();
  for (const Json& node : nodes) {
    if (field(node, "addr") != addr) others.push_back(node);
  }
  return others;
}

ExitCode run_status(const CommandLine& line, ipc::Client& client) {
  const Json status = to_json(client.status());
  const bool alone = !line.check && (line.json || line.all);
  const Json nodes = alone ? Json() : to_json(client.nodes());
  const Json others = without(nodes, field(status, "addr"));
  const auto troubles = joined(own_troubles(status), member_troubles(others, line.lag_seconds_max));
  return conclude(line, status,
                  line.all ? status_details_text(status) : status_text(status, nodes, troubles),
                  troubles);
}

ExitCode run_nodes(const CommandLine& line, ipc::Client& client) {
  const Json nodes = to_json(client.nodes());
  const auto troubles = member_troubles(nodes, line.lag_seconds_max);
  const std::string text = line.all ? nodes_details_text(nodes) : nodes_text(nodes);
  return conclude(line, nodes, text + (line.check ? troubles_text(troubles) : ""), troubles);
}

void run_match(const CommandLine& line, ipc::Client& client) {
  const Json match = to_json(client.match_prefix(line.tokens, line.name_space, false));
  print_answer(line, match, match_text(match, line.tokens.size()));
}

void run_route(const CommandLine& line, ipc::Client& client) {
  const Json route = to_json(client.route(line.tokens, line.name_space, false));
  print_answer(line, route, route_text(route, line.tokens.size()));
}

void run_explain(const CommandLine& line, ipc::Client& client) {
  const Json explanation = to_json(client.explain(line.tokens, line.name_space));
  print_answer(line, explanation, explain_text(explanation));
}

// Appends the rows of `page` to those of `tree`; how many there were.
std::size_t join_pages(Json& tree, Json page) {
  for (const char* name : {"edges", "entries"}) {
    if (!field(page, name).is_array()) continue;
    const std::size_t rows = page[name].size();
    if (tree.is_null()) {
      tree = std::move(page);
    } else {
      for (Json& row : page[name]) tree[name].push_back(std::move(row));
    }
    return rows;
  }
  if (tree.is_null()) tree = std::move(page);
  return 0;
}

// More rows than the sidecar gives at a time are put together from several answers.
void run_tree(const CommandLine& line, ipc::Client& client) {
  Json tree;
  std::uint64_t rows = 0;
  while (true) {
    const std::uint64_t left = line.limit == 0 ? limits::ipc_tree_rows_max : line.limit - rows;
    const std::uint64_t ask = std::min<std::uint64_t>(left, limits::ipc_tree_rows_max);
    const std::size_t got = join_pages(tree, to_json(client.tree(rows, ask, line.holder)));
    rows += got;
    if (got < ask || rows == line.limit) break;
  }
  print_answer(line, tree, tree_text(tree));
}

void run_tail(const CommandLine& line, ipc::Client& client) {
  const Stop stop;
  client.subscribe({"op", "membership"});
  for (std::uint64_t seen = 0; line.count == 0 || seen < line.count; ++seen) {
    // Asked for here as well, because a busy mesh never lets the client wait.
    if (stop.requested()) return;
    const auto event = client.next_event(stop.descriptor());
    if (!event) return;
    const Json notification = to_json(*event);
    if (!notification.is_array() || notification.size() != 3) {
      throw ipc::ConnectionError("no notification: " + one_line(notification));
    }
    const Json& method = notification[1];
    const Json& params = notification[2];
    print_answer(line, {{"method", method}, {"params", params}}, event_text(method, params));
  }
}

void run_gc(const CommandLine& line, ipc::Client& client) {
  const Json answer = to_json(client.gc(line.run));
  print_answer(line, answer, gc_text(answer, line.run));
}

void run_member_remove(const CommandLine& line, ipc::Client& client) {
  const auto wait = client.member_remove(line.member);
  const std::string when =
      wait.count() == 0 ? ""
                        : " in " + cell(std::chrono::ceil<std::chrono::seconds>(wait).count()) +
                              " s, when the lease lapses of what it refers to here";
  print_answer(line, {{"addr", line.member}, {"wait_ms", wait.count()}},
               printable(line.member) + " is forgotten" + when + "\n");
}

std::string microseconds_text(double micros) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f us", micros);
  return text;
}

void print_pings(const CommandLine& line, const Json& addr, std::vector<double> round_trips) {
  Json answer = {{"addr", addr}, {"round_trips_us", round_trips}};
  std::ranges::sort(round_trips);
  if (round_trips.empty()) return;
  const double median = round_trips[round_trips.size() / 2];
  answer.update({{"min_us", round_trips.front()}, {"median_us", median}});
  answer["max_us"] = round_trips.back();
  print_answer(line, answer,
               count_text(round_trips.size()) + " round trips to " + plain_cell(addr) + ": min " +
                   microseconds_text(round_trips.front()) + ", median " +
                   microseconds_text(median) + ", max " + microseconds_text(round_trips.back()) +
                   "\n");
}

void run_ping(const CommandLine& line, ipc::Client& client) {
  using Clock = std::chrono::steady_clock;
  // Not measured: the first answer waits until the sidecar has taken the connection.
  const Json addr = field(to_json(client.hello(kClientName)), "addr");
  std::vector<double> round_trips;
  try {
    for (std::uint64_t i = 0; i < line.count; ++i) {
      const auto begin = Clock::now();
      client.hello(kClientName);
      const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
      round_trips.push_back(std::round(took.count() * 10) / 10);
      if (!line.json)
        print(std::to_string(i + 1) + ": " + microseconds_text(round_trips.back()) + "\n");
    }
  } catch (const std::exception&) {
    print_pings(line, addr, round_trips);
    throw;
  }
  print_pings(line, addr, round_trips);
}

}  // namespace

ExitCode run_verb(const CommandLine& line) {
  if (line.verb == "diff") return run_diff(line);
  ipc::Client client(line.socket, line.timeout);
  if (line.verb == "status") return run_status(line, client);
  if (line.verb == "nodes") return run_nodes(line, client);
  if (line.verb == "match") {
    run_match(line, client);
  } else if (line.verb == "route") {
    run_route(line, client);
  } else if (line.verb == "explain") {
    run_explain(line, client);
  } else if (line.verb == "tree") {
    run_tree(line, client);
  } else if (line.verb == "tail") {
    run_tail(line, client);
  } else if (line.verb == "gc") {
    run_gc(line, client);
  } else if (line.verb == "member") {
    run_member_remove(line, client);
  } else if (line.verb == "drain") {
    client.drain();
    print_answer(line, Json::object(), "draining\n");
  } else if (line.verb == "ping") {
    run_ping(line, client);
  }
  return kExitOk;
}

}  // namespace radixmesh::cli
