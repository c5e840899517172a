// Every candidate for a request, what it has of it, how busy it is, and what it would cost.
#include <cstdio>

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

}  // namespace

std::string explain_text(const Json& explanation) {
  std::string out = "policy " + plain_cell(field(explanation, "policy")) + ", " +
                    cell(field(explanation, "tokens")) +
                    " tokens; reason: " + plain_cell(field(explanation, "reason")) +
                    lot_text(explanation) + "\n\n";
  Table table({{"chosen"},
               {"rank", Align::right},
               {"addr"},
               {"role"},
               {"depth", Align::right},
               {"requests", Align::right},
               {"queued", Align::right},
               {"tokens/s", Align::right},
               {"rate"},
               {"wait", Align::right},
               {"compute", Align::right},
               {"delay", Align::right},
               {"balance", Align::right},
               {"room", Align::right},
               {"duplicate", Align::right},
               {"transfer", Align::right},
               {"step", Align::right},
               {"as prefill", Align::right},
               {"as decode", Align::right}});
  std::string excluded;
  for (const Json& row : field(explanation, "candidates")) {
    if (const Json& why = field(row, "excluded"); !why.is_null()) {
      excluded += plain_cell(field(row, "addr")) + " is left out: " + plain_cell(why) + "\n";
      continue;
    }
    const Json& terms = field(row, "terms");
    table.add({chosen_text(row), plain_cell(field(row, "rank")), plain_cell(field(row, "addr")),
               plain_cell(field(row, "role")), depth_text(row), cell(field(row, "requests")),
               whole(field(row, "queued_tokens")), whole(field(row, "prefill_rate")),
               plain_cell(field(row, "rate_source")), millis(field(terms, "wait_s")),
               millis(field(terms, "compute_s")), millis(field(terms, "delay_s")),
               millis(field(terms, "balance_s")), millis(field(terms, "room_s")),
               millis(field(terms, "duplicate_s")), millis(field(terms, "transfer_s")),
               millis(field(terms, "step_s")), millis(field(row, "prefill_cost_s")),
               millis(field(row, "decode_cost_s"))});
  }
  if (table.empty()) return out + "nobody may be chosen\n" + excluded;
  return out + table.text() + "times are in milliseconds\n" + excluded;
}

}  // namespace radixmesh::cli
