// Answers as text for people. An answer that lacks a field, or has another shape than PROTOCOL.md
// says, is shown as far as it goes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/json.h"

namespace radixmesh::cli {

// In short. `nodes` is null where it was not asked for; `troubles` are those of members.h.
std::string status_text(const Json& status, const Json& nodes,
                        const std::vector<std::string>& troubles);
std::string nodes_text(const Json& nodes);
// With every field.
std::string status_details_text(const Json& status);
std::string nodes_details_text(const Json& nodes);
// A line for each, more where it is long.
std::string troubles_text(const std::vector<std::string>& troubles);

// `tokens`: how many were asked for.
std::string match_text(const Json& match, std::size_t tokens);
std::string route_text(const Json& route, std::size_t tokens);
// A line about what the chosen node should read from another; empty where that is nothing.
std::string source_text(const Json& answer);
std::string explain_text(const Json& explanation);
std::string tree_text(const Json& tree);
// `runs`: a round was asked for.
std::string gc_text(const Json& gc, bool runs);
// One line; `params` of the notification `method`.
std::string event_text(const Json& method, const Json& params);
// The report of compare.h.
std::string diff_text(const Json& report);

// One entry of `tree` with `holder`, in a sentence.
std::string entry_text(const Json& entry);

}  // namespace radixmesh::cli
