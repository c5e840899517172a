// Every candidate for a request, what it has of it, how busy it is, and what it would cost.
#include <cstdio>
#include <string>
#include <vector>

#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"

namespace radixmesh::cli {
namespace {

using Align = Table::Align;

std::string number_text(const Json& value, double scale, const char* format) {
  if (!value.is_number()) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, value.get<double>() * scale);
  return text;
}
std::string millis(const Json& seconds) { return number_text(seconds, 1000, "%.1f"); }
std::string whole(const Json& value) { return number_text(value, 1, "%.0f"); }

std::string chosen_text(const Json& row) {
  const bool prefill = field(row, "is_prefill") == true, decode = field(row, "is_decode") == true;
  if (prefill && decode) return "both";
  return prefill ? "prefill" : decode ? "decode" : "";
}

// "512 (+256)": by the index, and what is booked there.
std::string depth_text(const Json& row) {
  const Json &depth = field(row, "depth"), &indexed = field(row, "indexed_depth");
  if (!depth.is_number_unsigned() || !indexed.is_number_unsigned() || depth == indexed) {
    return cell(depth);
  }
  return cell(indexed) + " (+" +
         count_text(depth.get<std::uint64_t>() - indexed.get<std::uint64_t>()) + ")";
}

std::string lot_text(const Json& explanation) {
  const Json& near = field(explanation, "near_equals");
  if (!near.is_number_unsigned() || near == 0) return "";
  return "; drawn by lot, " + cell(near) + " others are about as good";
}

// What a candidate would read from another, "4096 from 10.0.0.2:7000".
std::string source_cell(const Json& row) {
  const Json& source = field(row, "source");
  if (!source.is_object()) return "";
  return cell(field(source, "tokens")) + " from " + plain_cell(field(source, "addr"));
}

bool anybody_reads(const Json& candidates) {
  for (const Json& row : candidates) {
    if (field(row, "source").is_object()) return true;
  }
  return false;
}

std::string candidates_text(const Json& explanation) {
  const Json& candidates = field(explanation, "candidates");
  const bool reads = anybody_reads(candidates);
  std::vector<Table::Column> columns = {{"chosen"},
                                        {"rank", Align::right},
                                        {"addr"},
                                        {"role"},
                                        {"depth", Align::right},
                                        {"requests", Align::right},
                                        {"queued", Align::right},
                                        {"tokens/s", Align::right},
                                        {"rate"}};
  std::vector<std::string> terms = {"wait", "pull",      "compute",  "delay",
                                    "room", "duplicate", "transfer", "step"};
  if (!reads) std::erase(terms, "pull");
  for (const std::string& term : terms) columns.push_back({term, Align::right});
  columns.push_back({"as prefill", Align::right});
  columns.push_back({"as decode", Align::right});
  if (reads) columns.push_back({"reads"});
  Table table(columns);
  for (const Json& row : candidates) {
    if (!field(row, "excluded").is_null()) continue;
    std::vector<std::string> cells = {chosen_text(row),
                                      plain_cell(field(row, "rank")),
                                      plain_cell(field(row, "addr")),
                                      plain_cell(field(row, "role")),
                                      depth_text(row),
                                      cell(field(row, "requests")),
                                      whole(field(row, "queued_tokens")),
                                      whole(field(row, "prefill_rate")),
                                      plain_cell(field(row, "rate_source"))};
    for (const std::string& term : terms) {
      cells.push_back(millis(field(field(row, "terms"), (term + "_s").c_str())));
    }
    cells.push_back(millis(field(row, "prefill_cost_s")));
    cells.push_back(millis(field(row, "decode_cost_s")));
    if (reads) cells.push_back(source_cell(row));
    table.add(std::move(cells));
  }
  return table.empty() ? "nobody may be chosen\n" : table.text() + "times are in milliseconds\n";
}

}  // namespace

std::string explain_text(const Json& explanation) {
  std::string out = "policy " + plain_cell(field(explanation, "policy")) + ", " +
                    cell(field(explanation, "tokens")) +
                    " tokens; reason: " + plain_cell(field(explanation, "reason")) +
                    lot_text(explanation) + "\n" + source_text(explanation) + "\n" +
                    candidates_text(explanation);
  for (const Json& row : field(explanation, "candidates")) {
    const Json& why = field(row, "excluded");
    if (why.is_null()) continue;
    out += plain_cell(field(row, "addr")) + " is left out: " + plain_cell(why) + "\n";
  }
  return out;
}

}  // namespace radixmesh::cli
