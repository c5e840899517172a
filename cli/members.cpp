#include "cli/members.h"

#include <algorithm>
#include <functional>
#include <map>

#include "cli/units.h"

namespace radixmesh::cli {
namespace {

// Those that are well first, then the worst.
constexpr const char* kConditions[] = {"alive",  "left",    "dead",   "suspect",
                                       "unseen", "refused", "unready"};

double seconds_of(const Json& value) { return value.is_number() ? value.get<double>() : 0; }

std::uint64_t count_of(const Json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

// "rank 3", "ranks 3, 7-8", and by address who has none.
std::string named(const std::vector<const Json*>& members) {
  std::vector<std::uint64_t> ranks;
  std::string addresses;
  for (const Json* member : members) {
    const Json& rank = field(*member, "rank");
    if (is_rank(rank)) {
      ranks.push_back(rank.get<std::uint64_t>());
    } else {
      addresses += (addresses.empty() ? "" : ", ") + plain_cell(field(*member, "addr"));
    }
  }
  std::ranges::sort(ranks);
  std::string out;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    out +=
        (out.empty() ? (ranks.size() == 1 ? "rank " : "ranks ") : ", ") + std::to_string(ranks[i]);
    if (end - i > 1) out += "-" + std::to_string(ranks[end - 1]);
    i = end;
  }
  return out + (out.empty() || addresses.empty() ? "" : ", ") + addresses;
}

using Test = std::function<bool(const Json&)>;

// `one` and `many` are what is said of one member, and of several.
void add_trouble(std::vector<std::string>& out, const Json& nodes, const std::string& one,
                 const std::string& many, const Test& test) {
  std::vector<const Json*> members;
  for (const Json& node : nodes) {
    if (test(node)) members.push_back(&node);
  }
  if (members.empty()) return;
  out.push_back(number_of_members(members.size()) + " " + (members.size() == 1 ? one : many) +
                ": " + named(members));
}

}  // namespace

std::string condition_of(const Json& node) {
  if (!field(node, "refusal").is_null()) return "refused";
  const Json& state = field(node, "state");
  if (state == "alive" && field(node, "ready") == false) return "unready";
  return plain_cell(state);
}

std::string number_of_members(std::size_t count) {
  return count_text(count) + (count == 1 ? " member" : " members");
}

std::string conditions_text(const Json& nodes) {
  std::map<std::string, std::size_t> counts;
  for (const Json& node : nodes) ++counts[condition_of(node)];
  std::string out;
  const auto add = [&](const std::string& condition) {
    const auto found = counts.find(condition);
    if (found == counts.end()) return;
    out += (out.empty() ? "" : ", ") + count_text(found->second) + " " + condition;
    counts.erase(found);
  };
  for (const char* condition : kConditions) add(condition);
  while (!counts.empty()) add(std::string(counts.begin()->first));
  return out;
}

std::string missing_text(const Json& nodes) {
  std::uint64_t ops = 0;
  std::size_t members = 0;
  double longest = 0;
  for (const Json& node : nodes) {
    const std::uint64_t missing = count_of(field(node, "lag_ops"));
    if (missing == 0) continue;
    ops += missing;
    ++members;
    longest = std::max(longest, seconds_of(field(node, "lag_seconds")));
  }
  if (members == 0) return "";
  return count_text(ops) + (ops == 1 ? " op of " : " ops of ") + number_of_members(members) +
         ", for " + (members == 1 ? "" : "up to ") + seconds_text(longest);
}

std::vector<std::string> member_troubles(const Json& nodes, double lag_seconds_max) {
  std::vector<std::string> out;
  const std::pair<const char*, const char*> conditions[] = {{"dead", "dead"},
                                                            {"suspect", "suspect"},
                                                            {"unseen", "unseen"},
                                                            {"refused", "refused"},
                                                            {"unready", "not ready"}};
  for (const auto& [condition, what] : conditions) {
    add_trouble(out, nodes, std::string("is ") + what, std::string("are ") + what,
                [&](const Json& node) { return condition_of(node) == condition; });
  }
  const std::string longer = " for more than " + seconds_text(lag_seconds_max);
  // Who is gone lags as well, and that is not what is wrong with it.
  const auto lags = [&](const Json& node, const char* ops, const char* seconds) {
    const std::string condition = condition_of(node);
    return (condition == "alive" || condition == "unready") && count_of(field(node, ops)) > 0 &&
           seconds_of(field(node, seconds)) > lag_seconds_max;
  };
  add_trouble(out, nodes, "has ops that have been missing here" + longer,
              "have ops that have been missing here" + longer,
              [&](const Json& node) { return lags(node, "lag_ops", "lag_seconds"); });
  add_trouble(out, nodes, "has been behind the others" + longer,
              "have been behind the others" + longer,
              [&](const Json& node) { return lags(node, "behind_ops", "behind_seconds"); });
  return out;
}

std::vector<std::string> own_troubles(const Json& status) {
  std::vector<std::string> out;
  if (field(status, "ready") == false) out.push_back("this node is " + why_not_ready(status));
  if (field(status, "isolated") == true) {
    out.push_back("this node is isolated: so many seem gone that it accuses nobody");
  }
  return out;
}

std::string why_not_ready(const Json& node) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? ": " : "; ") + text; };
  const Json& why = field(node, "why_not_ready");
  if (why.is_string()) add(plain_cell(why));
  if (const Json& caught_up = field(node, "caught_up"); caught_up == false) add("not caught up");
  const Json& sees = field(node, "sees");
  if (sees.is_array() && sees.size() == 2 && sees[0] != sees[1]) {
    add("sees " + plain_cell(sees[0]) + " of " + plain_cell(sees[1]) + " members");
  }
  return "not ready" + out;
}

}  // namespace radixmesh::cli
