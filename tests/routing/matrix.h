// The matrix: the first policy against the best other one, in every cell of traces, fleets, loads
// and stress cases. All others run once in a cell, and those that are best there with all seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/routing/comparison.h"

namespace radixmesh::routing {

struct MatrixSettings {
  std::vector<std::string> traces;    // the cells are of these
  std::vector<std::string> policies;  // ours first
  std::vector<std::string> parts;     // only cells whose name has one of these in it; none: all
  std::uint32_t seeds = 3;
  std::string file;  // a line for each cell; what is there already is not run again
  double bound = 0;  // fails where a ratio is above it; 0: never
};

std::vector<Cell> matrix_cells(const MatrixSettings& settings);

// Prints a line for each cell and ends with the worst; whether all ratios are within the bound.
bool run_matrix(const MatrixSettings& settings, const Comparison& comparison);

}  // namespace radixmesh::routing
