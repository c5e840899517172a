// What somebody wrote of one option, and where.
#pragma once

#include <string>
#include <vector>

namespace radixmesh {

// In the order in which they win: what comes later is heard over what comes before.
enum class Source { standard, variable, file, flag };

struct Written {
  std::string name = {};                // the option's
  std::vector<std::string> parts = {};  // the items of a list; of all others one
  Source source = Source::standard;
  std::string file = {};  // as it was named; and the line of the key, then of each part
  unsigned line = 0;
  std::vector<unsigned> lines = {};
};

}  // namespace radixmesh
