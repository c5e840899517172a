// What the rows of `nodes` say, taken together: how many are in which state, and what is not well.
#pragma once

#include <string>
#include <vector>

#include "cli/json.h"

namespace radixmesh::cli {

// One word for what a member is: its `state`, but `refused` where one of the two refuses the other,
// and `unready` where it is alive and says that it is not ready.
std::string condition_of(const Json& node);

// "4 alive, 1 dead, 1 refused".
std::string conditions_text(const Json& nodes);
// "6 members".
std::string number_of_members(std::size_t count);

// "12 ops of 2 members, for up to 3.2 s"; empty where nothing is missing here.
std::string missing_text(const Json& nodes);

// "3 members are dead: ranks 3, 7-8" and so on, one for each kind: who is dead, suspect, unseen,
// refused or not ready; of whom something has been missing here, or who has been behind others, for
// longer than `lag_seconds_max`.
std::vector<std::string> member_troubles(const Json& nodes, double lag_seconds_max);

// The same of the node itself: that it is not ready, or isolated.
std::vector<std::string> own_troubles(const Json& status);

// "not ready: " and why, as far as it is told; for a node's status and for a row of `nodes`.
std::string why_not_ready(const Json& node);

}  // namespace radixmesh::cli
