// The members as a table of at most 80 columns, however many there are and whatever their names.
#include <algorithm>

#include "cli/members.h"
#include "cli/short_addresses.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/wrap.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

constexpr std::size_t kAddressWidthMin = 12;
// Of the members that have something to say of themselves; the table has them all.
constexpr std::size_t kNotesMax = 8;

bool any_has(const Json& nodes, const char* name) {
  return std::ranges::any_of(nodes,
                             [name](const Json& node) { return !field(node, name).is_null(); });
}

std::string short_count_cell(const Json& value) {
  return value.is_number_unsigned() ? short_count_text(value.get<std::uint64_t>())
                                    : plain_cell(value);
}

// "12 ops, 3.2 s"; "0" where it has all.
std::string behind_cell(const Json& node) {
  const Json& ops = field(node, "behind_ops");
  if (!ops.is_number_unsigned()) return plain_cell(ops);
  if (ops == 0) return "0";
  return short_count_text(ops.get<std::uint64_t>()) + (ops == 1 ? " op, " : " ops, ") +
         seconds_cell(field(node, "behind_seconds"));
}

std::string heard_cell(const Json& millis) {
  return millis.is_number_unsigned() ? milliseconds_text(millis.get<std::uint64_t>())
                                     : plain_cell(millis);
}

// The table with addresses of at most this width, and what was left out of them.
std::string table_text(const Json& nodes, std::size_t address_width, std::string& note) {
  const bool tokens = any_has(nodes, "tokens"), behind = any_has(nodes, "behind_ops");
  std::vector<Table::Column> columns = {{"rank", Align::right}, {"addr"}, {"role"}, {"state"}};
  if (tokens) columns.push_back({"tokens", Align::right});
  if (behind) columns.push_back({"behind", Align::right});
  columns.push_back({"heard", Align::right});
  std::vector<std::string> addresses;
  for (const Json& node : nodes) addresses.push_back(plain_cell(field(node, "addr")));
  const ShortAddresses shorter(addresses, address_width);
  note = shorter.note();

  Table table(std::move(columns));
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Json& node = nodes[i];
    std::vector<std::string> cells = {rank_cell(field(node, "rank")),
                                      shorter.shortened(addresses[i]),
                                      plain_cell(field(node, "role")), condition_of(node)};
    if (tokens) cells.push_back(short_count_cell(field(node, "tokens")));
    if (behind) cells.push_back(behind_cell(node));
    cells.push_back(heard_cell(field(node, "last_heard_ms")));
    table.add(std::move(cells));
  }
  return table.text();
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    widest = std::max(widest, width_of(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return widest;
}

// A line of each member of which `sentence` has something to say.
template <class Sentence>
std::string notes(const Json& nodes, Sentence sentence) {
  std::string out;
  std::size_t count = 0;
  for (const Json& node : nodes) {
    const std::string text = sentence(node);
    if (text.empty() || ++count > kNotesMax) continue;
    out += wrapped("", plain_cell(field(node, "addr")) + " is " + text, 2);
  }
  if (count > kNotesMax) out += "and " + count_text(count - kNotesMax) + " more (--all has them)\n";
  return out;
}

std::string summary_line(const Json& nodes) {
  const std::string conditions = conditions_text(nodes);
  return number_of_members(nodes.size()) + (conditions.empty() ? "" : ": ") + conditions + "\n";
}

}  // namespace

std::string nodes_text(const Json& nodes) {
  if (!nodes.is_array()) return plain_cell(nodes) + "\n";
  std::string note;
  std::string table = table_text(nodes, std::string::npos / 2, note);
  if (const std::size_t width = widest_line(table); width > kColumns) {
    std::size_t longest = 0;
    for (const Json& node : nodes) {
      longest = std::max(longest, width_of(plain_cell(field(node, "addr"))));
    }
    const std::size_t over = width - kColumns;
    const std::size_t left = longest > over ? longest - over : 0;
    table = table_text(nodes, std::max(kAddressWidthMin, left), note);
  }
  std::string out = summary_line(nodes) + (nodes.empty() ? "" : table);
  if (!note.empty()) out += wrapped("", note, 2);
  if (const std::string missing = missing_text(nodes); !missing.empty()) {
    out += "not here yet: " + missing + "\n";
  }
  out += notes(nodes, [](const Json& node) {
    const Json& refusal = field(node, "refusal");
    return refusal.is_null() ? "" : "refused: " + plain_cell(refusal);
  });
  out += notes(nodes, [](const Json& node) {
    return condition_of(node) == "unready" ? why_not_ready(node) : "";
  });
  return out;
}

std::string troubles_text(const std::vector<std::string>& troubles) {
  std::string out;
  for (const std::string& trouble : troubles) out += wrapped("! ", trouble, 4);
  return out;
}

}  // namespace radixmesh::cli
