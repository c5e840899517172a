// A sidecar's answer as JSON, one to one. The texts for people are made from it as well, so that
// what is printed in one form and what is printed in the other never tell different things.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "ipc/client.h"

namespace radixmesh::cli {

// Keeps the order of the sidecar's fields.
using Json = nlohmann::ordered_json;

// Binary becomes an array of integers from 0 to 255. Throws std::runtime_error on a value that is
// nested deeper than any answer is.
Json to_json(const ipc::Answer& answer);
// The client has parsed these two already; this is what it was sent.
Json to_json(const ipc::MatchResult& match);
Json to_json(const ipc::RouteResult& route);

// On one line. Text that is not UTF-8, which JSON cannot hold, gets U+FFFD in place of bad bytes.
std::string one_line(const Json& value);

// The field `name` of a map; null where `map` is no map or has no such field, for an answer that
// lacks something is shown without it.
const Json& field(const Json& map, const char* name);

}  // namespace radixmesh::cli
