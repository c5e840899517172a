// The answers about one sequence of tokens: match and route.
#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string of_tokens(const Json& depth, std::size_t tokens) {
  return cell(depth) + " of " + count_text(tokens) + " tokens";
}

}  // namespace

std::string match_text(const Json& match, std::size_t tokens) {
  Table fields({{}, {}});
  fields.add({"length", of_tokens(field(match, "length"), tokens)});
  fields.add({"local_length", of_tokens(field(match, "local_length"), tokens)});
  fields.add({"local_slots", runs_text(field(match, "local_slots"))});
  std::string out = fields.text();

  Table depths({{"addr"}, {"tokens", Align::right}});
  for (const auto& [addr, depth] : field(match, "depths").items()) {
    depths.add({printable(addr), cell(depth)});
  }
  out += "\ndepths\n" + (depths.empty() ? "  none\n" : depths.text(2));

  Table segments({{"tokens"}, {"addr"}, {"slots"}});
  for (const Json& segment : field(match, "segments")) {
    if (!segment.is_array() || segment.size() != 4) continue;
    segments.add({interval_text(segment[0], segment[1]), plain_cell(segment[2]),
                  segment[3].is_null() ? "not kept here" : runs_text(segment[3])});
  }
  return out + "\nsegments\n" + (segments.empty() ? "  none\n" : segments.text(2));
}

std::string source_text(const Json& answer) {
  const Json& source = field(answer, "source");
  if (!source.is_object()) return "";
  return "source: " + plain_cell(field(source, "addr")) + ", to read " +
         cell(field(source, "tokens")) + " of the " + cell(field(source, "depth")) +
         " tokens that it has\n";
}

std::string route_text(const Json& route, std::size_t tokens) {
  Table table({{""}, {"addr"}, {"rank", Align::right}, {"depth"}});
  for (const char* part : {"prefill", "decode"}) {
    const Json& target = field(route, part);
    table.add({part, target.is_null() ? "none" : plain_cell(field(target, "addr")),
               plain_cell(field(target, "rank")),
               target.is_null() ? "-" : of_tokens(field(target, "depth"), tokens)});
  }
  return table.text() + source_text(route) + "reason: " + plain_cell(field(route, "reason")) + "\n";
}

}  // namespace radixmesh::cli
