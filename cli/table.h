// Columns under each other, two blanks between them, nothing cut off.
//
//   addr            rank  role
//   127.0.0.1:7001     0  prefill
#pragma once

#include <string>
#include <vector>

namespace radixmesh::cli {

class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string name;
    Align align = Align::left;
  };

  // Columns without any name have no line of names.
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // Each line begins with `indent` blanks and ends without any.
  std::string text(std::size_t indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace radixmesh::cli
