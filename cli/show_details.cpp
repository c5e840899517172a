// Answers with every field, whatever it is: `status --all` and `nodes --all`.
#include <algorithm>
#include <set>

#include "cli/members.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string value_text(const std::string& name, const Json& value) {
  if (name == "epoch") return epoch_cell(value);
  if (name == "rank") return rank_cell(value);
  if (name.find("bytes") != std::string::npos && value.is_number_unsigned()) {
    return exact_bytes_text(value.get<std::uint64_t>());
  }
  return cell(value);
}

bool is_map_of_maps(const Json& value) {
  if (!value.is_object() || value.empty()) return false;
  for (const Json& item : value) {
    if (!item.is_object()) return false;
  }
  return true;
}

std::string fields_text(const Json& fields, std::size_t indent) {
  Table table({{}, {}});
  for (const auto& [name, value] : fields.items()) {
    if (value.is_object() && indent == 0) continue;  // has a section of its own
    table.add({printable(name), value_text(name, value)});
  }
  return table.text(indent);
}

// A line for each, and a column for each field that one of them has.
std::string rows_text(const Json& rows) {
  std::vector<std::string> names;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  std::vector<Table::Column> columns = {{"addr"}};
  for (const std::string& name : names) columns.push_back({printable(name), Align::right});
  Table table(std::move(columns));
  for (const auto& [key, row] : rows.items()) {
    std::vector<std::string> cells = {printable(key)};
    for (const std::string& name : names) cells.push_back(cell(field(row, name.c_str())));
    table.add(std::move(cells));
  }
  return table.text(2);
}

// What the node has of each member: the two maps of the answer side by side.
std::string vector_text(const Json& vector, const Json& digests) {
  Table table({{"addr"}, {"seq", Align::right}, {"digest"}, {"epoch"}});
  std::set<std::string> addresses;
  for (const auto& [addr, entry] : vector.items()) addresses.insert(addr);
  for (const auto& [addr, digest] : digests.items()) addresses.insert(addr);
  for (const std::string& addr : addresses) {
    const Json& entry = field(vector, addr.c_str());
    const bool whole = entry.is_array() && entry.size() == 2;
    table.add({printable(addr), whole ? cell(entry[1]) : plain_cell(entry),
               plain_cell(field(digests, addr.c_str())), whole ? plain_cell(entry[0]) : "-"});
  }
  return table.text(2);
}

std::string section_text(const Json& value) {
  if (value.empty()) return "  none\n";
  return is_map_of_maps(value) ? rows_text(value) : fields_text(value, 2);
}

}  // namespace

std::string status_details_text(const Json& status) {
  if (!status.is_object() || status.empty()) return plain_cell(status) + "\n";
  std::string out = fields_text(status, 0);
  const Json &vector = field(status, "version_vector"), &digests = field(status, "digests");
  if (vector.is_object() || digests.is_object()) {
    out += "\nversion_vector and digests\n" + vector_text(vector, digests);
  }
  for (const auto& [name, value] : status.items()) {
    if (!value.is_object() || name == "version_vector" || name == "digests") continue;
    out += "\n" + printable(name) + "\n" + section_text(value);
  }
  return out;
}

std::string nodes_details_text(const Json& nodes) {
  if (!nodes.is_array()) return plain_cell(nodes) + "\n";
  std::string out = number_of_members(nodes.size()) + ": " + conditions_text(nodes) + "\n";
  for (const Json& node : nodes) {
    if (!node.is_object()) continue;
    out += "\n" + plain_cell(field(node, "addr")) + "\n";
    Json rest = node;
    rest.erase("addr");
    out += fields_text(rest, 2);
  }
  return out;
}

}  // namespace radixmesh::cli
