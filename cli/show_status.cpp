#include <set>

#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string value_text(const std::string& name, const Json& value) {
  if (name == "epoch") return epoch_cell(value);
  if (name == "rank") return plain_cell(value);
  if (name.find("bytes") != std::string::npos && value.is_number_unsigned()) {
    return bytes_text(value.get<std::uint64_t>());
  }
  return cell(value);
}

std::string fields_text(const Json& fields, std::size_t indent) {
  Table table({{}, {}});
  for (const auto& [name, value] : fields.items()) {
    if (value.is_object() && indent == 0) continue;  // has a section of its own
    table.add({printable(name), value_text(name, value)});
  }
  return table.text(indent);
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
               plain_cell(field(digests, addr.c_str())), whole ? epoch_cell(entry[0]) : "-"});
  }
  return table.text(2);
}

}  // namespace

std::string status_text(const Json& status) {
  if (!status.is_object() || status.empty()) return plain_cell(status) + "\n";
  std::string out = fields_text(status, 0);
  const Json &vector = field(status, "version_vector"), &digests = field(status, "digests");
  if (vector.is_object() || digests.is_object()) {
    out += "\nversion_vector and digests\n" + vector_text(vector, digests);
  }
  for (const auto& [name, value] : status.items()) {
    if (!value.is_object() || name == "version_vector" || name == "digests") continue;
    out += "\n" + printable(name) + "\n" + (value.empty() ? "  none\n" : fields_text(value, 2));
  }
  return out;
}

}  // namespace radixmesh::cli
