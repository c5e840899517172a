#include "cli/namespace_argument.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::uint64_t length_of(const Json& row) {
  const Json &begin = field(row, "begin"), &end = field(row, "end");
  if (!begin.is_number_unsigned() || !end.is_number_unsigned() || end < begin) return 0;
  return end.get<std::uint64_t>() - begin.get<std::uint64_t>();
}

// Those whose pages are on their way out stand behind the others, in brackets.
std::string holders_text(const Json& row) {
  const Json &holders = field(row, "holders"), &retiring = field(row, "retiring");
  if (!holders.is_array()) return plain_cell(holders);
  std::string out;
  for (const Json& addr : holders) out += (out.empty() ? "" : " ") + plain_cell(addr);
  if (retiring.is_array()) {
    for (const Json& addr : retiring) out += (out.empty() ? "(" : " (") + plain_cell(addr) + ")";
  }
  return out.empty() ? "none" : out;
}

std::string edges_text(const Json& edges) {
  Table table(
      {{"tokens"}, {"holders"}, {"lock_ref", Align::right}, {"hash"}, {"namespace"}, {"head"}});
  for (const Json& row : edges) {
    table.add({interval_text(field(row, "begin"), field(row, "end")), holders_text(row),
               plain_cell(field(row, "lock_ref")), plain_cell(field(row, "hash")),
               namespace_text(field(row, "namespace")),
               head_text(field(row, "head"), length_of(row))});
  }
  return table.text();
}

std::string entries_text(const Json& entries) {
  Table table({{"seq", Align::right}, {"tokens"}, {"hash"}, {"namespace"}, {"head"}});
  for (const Json& row : entries) {
    table.add({cell(field(row, "seq")), interval_text(field(row, "begin"), field(row, "end")),
               plain_cell(field(row, "hash")), namespace_text(field(row, "namespace")),
               head_text(field(row, "head"), length_of(row))});
  }
  return table.text();
}

}  // namespace

std::string tree_text(const Json& tree) {
  const Json &edges = field(tree, "edges"), &entries = field(tree, "entries");
  const bool of_holder = entries.is_array();
  const Json& rows = of_holder ? entries : edges;
  if (!rows.is_array()) return plain_cell(tree) + "\n";
  std::string out = of_holder ? entries_text(rows) : edges_text(rows);
  if (rows.empty()) out.clear();
  const Json& total = field(tree, "total");
  out += (rows.empty() ? "" : "\n") + count_text(rows.size()) + " of " + cell(total) +
         (of_holder ? " entries" : " edges") + ", tree_tokens " + cell(field(tree, "tree_tokens"));
  if (total.is_number_unsigned() && rows.size() < total.get<std::uint64_t>()) {
    out += " (--limit 0 shows all)";
  }
  return out + "\n";
}

std::string entry_text(const Json& entry) {
  if (entry.is_null()) return "nothing";
  return "seq " + cell(field(entry, "seq")) + ", a prefix of " + cell(field(entry, "end")) +
         " tokens, from " + cell(field(entry, "begin")) + " on " +
         head_text(field(entry, "head"), length_of(entry)) + ", namespace " +
         namespace_text(field(entry, "namespace")) + ", hash " + plain_cell(field(entry, "hash"));
}

}  // namespace radixmesh::cli
