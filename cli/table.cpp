#include "cli/table.h"

#include <algorithm>

#include "cli/wrap.h"
#include "lib/base/check.h"

namespace radixmesh::cli {
void Table::add(std::vector<std::string> cells) {
  CHECK_THAT(cells.size() == columns_.size(), cells.size(), columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t indent) const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  const bool named = std::ranges::any_of(names, [](const auto& name) { return !name.empty(); });

  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(names[i]);
    for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }

  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string blanks(widths[i] - width_of(cells[i]), ' ');
      line += columns_[i].align == Align::right ? blanks + cells[i] : cells[i] + blanks;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  if (named) add_line(names);
  for (const auto& row : rows_) add_line(row);
  return out;
}

}  // namespace radixmesh::cli
