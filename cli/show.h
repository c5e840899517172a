// Answers as text for people. An answer that lacks a field, or has another shape than PROTOCOL.md
// says, is shown as far as it goes.
#pragma once

#include <cstddef>
#include <string>

#include "cli/json.h"

namespace radixmesh::cli {

std::string status_text(const Json& status);
std::string nodes_text(const Json& nodes);
// `tokens`: how many were asked for.
std::string match_text(const Json& match, std::size_t tokens);
std::string route_text(const Json& route, std::size_t tokens);
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
