// The numeric addresses of this machine, or of the namespace that the process runs in.
#pragma once

#include <set>
#include <string>

namespace radixmesh {

// As sockets take them: IPv6 in brackets. Empty where the system does not tell.
std::set<std::string> own_numbers();

}  // namespace radixmesh
