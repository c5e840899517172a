#include "cli/namespace_argument.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string join(const Json& texts) {
  if (!texts.is_array()) return plain_cell(texts);
  std::string out;
  for (const Json& each : texts) out += (out.empty() ? "" : " ") + plain_cell(each);
  return out.empty() ? "-" : out;
}

// What this node holds, by what may become of it.
std::string tokens_text(const Json& gc) {
  Table table({{"tokens", Align::right}, {"what becomes of them"}});
  const std::pair<const char*, const char*> rows[] = {
      {"duplicate_tokens", "can go"},
      {"above_tokens", "stay: duplicates, but something below them stays"},
      {"hot_tokens", "stay: used too often for so few better copies"},
      {"scarce_tokens", "stay: too few better copies"},
      {"locked_tokens", "stay: locked by the engine, a reader or another node's round"}};
  for (const auto& [name, what] : rows) table.add({cell(field(gc, name)), what});
  const Json& counts = field(gc, "counts");
  table.add({cell(field(counts, "retiring_tokens")), "on their way out: readers are asked"});
  table.add({cell(field(counts, "unacknowledged_tokens")), "gone, but the engine has not said so"});
  return table.text(2);
}

std::string duplicates_text(const Json& gc) {
  const Json& rows = field(gc, "duplicates");
  if (!rows.is_array() || rows.empty()) return "";
  Table table(
      {{"tokens", Align::right}, {"after", Align::right}, {"kept at"}, {"namespace"}, {"head"}});
  for (const Json& row : rows) {
    const Json& tokens = field(row, "tokens");
    table.add({cell(tokens), cell(field(row, "begin")), join(field(row, "kept")),
               namespace_text(field(row, "namespace")),
               head_text(field(row, "head"),
                         tokens.is_number_unsigned() ? tokens.get<std::uint64_t>() : 0)});
  }
  return "\nthe first " + count_text(rows.size()) + " of " + cell(field(gc, "duplicates_total")) +
         " that can go\n" + table.text(2);
}

std::string readers_text(const Json& counts) {
  const Json& readers = field(counts, "readers");
  if (!readers.is_object() || readers.empty()) return "";
  Table table({{"reader"},
               {"registered s", Align::right},
               {"silent s", Align::right},
               {"pages", Align::right}});
  for (const auto& [addr, reader] : readers.items()) {
    table.add({printable(addr), cell(field(reader, "registered_seconds")),
               cell(field(reader, "silent_seconds")), cell(field(reader, "pages"))});
  }
  return "\n" + table.text(2);
}

}  // namespace

std::string gc_text(const Json& gc, bool runs) {
  if (!gc.is_object()) return plain_cell(gc) + "\n";
  std::string out =
      "mode " + plain_cell(field(gc, "mode")) + ", every " + cell(field(gc, "period_seconds")) +
      " s; keeps " + cell(field(gc, "keep_copies")) + " better copies, " +
      cell(field(gc, "hot_copies")) + " of what was used " + cell(field(gc, "hot_uses")) +
      " times in a period; a silent reader: " + plain_cell(field(gc, "silent_reader")) + "\n";
  const Json& obstacle = field(gc, "not_collecting");
  if (!obstacle.is_null()) out += "nothing is collected: " + plain_cell(obstacle) + "\n";
  out += tokens_text(gc) + duplicates_text(gc) + readers_text(field(gc, "counts"));
  if (field(gc, "round_running") == true) {
    out += "\na round is under way; it waits for " + join(field(gc, "waits_for")) + "\n";
  } else if (runs) {
    out += "\nthe round is over\n";
  }
  return out;
}

}  // namespace radixmesh::cli
