// Whom a joining node asks: a DNS name with several addresses counts as several seeds.
#pragma once

#include <string>
#include <vector>

namespace radixmesh {

// Each "host:port" with the host replaced by every address that its name has now, each once; a name
// that is not known yet stays, to be looked up with each attempt to connect. May wait for the
// resolver.
std::vector<std::string> resolve_seeds(const std::vector<std::string>& seeds);

}  // namespace radixmesh
