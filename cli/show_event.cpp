#include "cli/show.h"
#include "cli/units.h"

namespace radixmesh::cli {

std::string event_text(const Json& method, const Json& params) {
  if (method == "op") {
    return "op " + plain_cell(field(params, "origin")) + " " + plain_cell(field(params, "type")) +
           " tokens " + cell(field(params, "tokens")) + " seq " + cell(field(params, "seq")) +
           " epoch " + plain_cell(field(params, "epoch")) + "\n";
  }
  if (method == "membership") {
    return "membership " + plain_cell(field(params, "addr")) + " " +
           plain_cell(field(params, "state")) + " rank " + plain_cell(field(params, "rank")) +
           " role " + plain_cell(field(params, "role")) + " epoch " +
           plain_cell(field(params, "epoch")) + "\n";
  }
  return plain_cell(method) + " " + plain_cell(params) + "\n";
}

}  // namespace radixmesh::cli
