#include <algorithm>

#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string part(const Json& applied, std::size_t index) {
  if (!applied.is_array()) return "-";
  return index == 0 ? plain_cell(applied[0]) : cell(applied[1]);
}

std::string behind_text(const std::string& who, const Json& node) {
  const Json& ops = field(node, "ops");
  if (ops.is_null()) return who + " is behind: its epoch is an earlier life";
  return who + " is behind by " + cell(ops) + (ops == 1 ? " op" : " ops");
}

std::string verdict_text(const Json& node) {
  const std::string verdict = plain_cell(field(node, "verdict"));
  if (verdict == "a_behind") return behind_text("A", node);
  if (verdict == "b_behind") return behind_text("B", node);
  if (verdict == "a_unknown") return "A does not know it";
  if (verdict == "b_unknown") return "B does not know it";
  if (verdict == "moved") return "got ops while being compared: ask again";
  if (verdict == "entries_differ") return "entries differ, digests are equal";
  if (verdict != "digests_differ") return verdict;
  const Json& digests = node["digests"];
  return "digests differ: " + plain_cell(digests[0]) + ", " + plain_cell(digests[1]);
}

std::string difference_text(const Json& node, bool same_pages) {
  if (!node.contains("digests") && !node.contains("first_difference")) return "";
  std::string out = "\nfirst difference of " + plain_cell(node["addr"]) + "\n";
  const Json& difference = field(node, "first_difference");
  if (difference.is_null()) {
    // The digest itself is wrong, then.
    return out + (same_pages ? "  none: all entries are equal, only the digests differ\n"
                             : "  not sought: the page sizes differ\n");
  }
  return out + "  A: " + entry_text(difference["a"]) + "\n  B: " + entry_text(difference["b"]) +
         "\n";
}

}  // namespace

std::string diff_text(const Json& report) {
  Table sides({{""}, {"A"}, {"B"}, {""}});
  const Json& differs = report["differs"];
  for (const char* name : {"socket", "addr", "cluster", "page_size"}) {
    const bool differ = std::find(differs.begin(), differs.end(), name) != differs.end();
    sides.add({name, plain_cell(report["a"][name]), plain_cell(report["b"][name]),
               differ ? "differs" : ""});
  }
  Table table({{"addr"},
               {"epoch A", Align::right},
               {"epoch B", Align::right},
               {"seq A", Align::right},
               {"seq B", Align::right},
               {""}});
  const bool same_pages = report["a"]["page_size"] == report["b"]["page_size"];
  std::string differences;
  std::size_t equal = 0;
  for (const Json& node : report["nodes"]) {
    table.add({plain_cell(node["addr"]), part(node["a"], 0), part(node["b"], 0), part(node["a"], 1),
               part(node["b"], 1), verdict_text(node)});
    if (node["verdict"] == "equal") ++equal;
    if (node["verdict"] != "moved") differences += difference_text(node, same_pages);
  }
  return sides.text() + "\n" + table.text() + differences + "\n" + plain_cell(report["verdict"]) +
         ": " + count_text(equal) + " of " + count_text(report["nodes"].size()) +
         " nodes are equal\n";
}

}  // namespace radixmesh::cli
