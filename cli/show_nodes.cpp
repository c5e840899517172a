#include <algorithm>

#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string heard_text(const Json& millis) {
  return millis.is_number_unsigned() ? milliseconds_text(millis.get<std::uint64_t>()) + " ago"
                                     : plain_cell(millis);
}

std::string load_text(const Json& load) {
  if (!load.is_object()) return plain_cell(load);
  std::string out;
  for (const auto& [name, value] : load.items()) {
    out += (out.empty() ? "" : ", ") + printable(name) + " " + cell(value);
  }
  return out;
}

std::string seconds_text(const Json& seconds) {
  return seconds.is_number() ? milliseconds_text(static_cast<std::uint64_t>(
                                   std::max(0.0, seconds.get<double>()) * 1000))
                             : plain_cell(seconds);
}

// "12 ops, 3 s", or a dash where nothing is missing.
std::string lag_text(const Json& node) {
  const Json& ops = field(node, "lag_ops");
  if (!ops.is_number_unsigned() || ops == 0) return "-";
  return count_text(ops.get<std::uint64_t>()) + " ops, " + seconds_text(field(node, "lag_seconds"));
}

std::string repair_text(const Json& repair) {
  if (!repair.is_object()) return "-";
  return plain_cell(field(repair, "how")) + " " + seconds_text(field(repair, "seconds_ago")) +
         " ago";
}

}  // namespace

std::string nodes_text(const Json& nodes) {
  if (!nodes.is_array()) return plain_cell(nodes) + "\n";
  Table table({{"rank", Align::right},
               {"addr"},
               {"role"},
               {"state"},
               {"applied", Align::right},
               {"head", Align::right},
               {"lag", Align::right},
               {"repaired"},
               {"last_heard"},
               {"epoch"},
               {"load"}});
  std::string refusals;
  for (const Json& node : nodes) {
    table.add({plain_cell(field(node, "rank")), plain_cell(field(node, "addr")),
               plain_cell(field(node, "role")), plain_cell(field(node, "state")),
               cell(field(node, "applied")), cell(field(node, "head")), lag_text(node),
               repair_text(field(node, "last_repair")), heard_text(field(node, "last_heard_ms")),
               epoch_cell(field(node, "epoch")), load_text(field(node, "load"))});
    if (const Json& refusal = field(node, "refusal"); !refusal.is_null()) {
      refusals += plain_cell(field(node, "addr")) + " is refused: " + plain_cell(refusal) + "\n";
    }
  }
  return table.text() + refusals;
}

}  // namespace radixmesh::cli
