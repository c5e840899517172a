// What may be unlike the plain fleet, by name: each a change of the run or of what it is asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/routing/simulation.h"

namespace radixmesh::routing {

struct StressCase {
  std::string name, what;
  void (*change)(RunSettings&);           // or null
  Workload (*change_workload)(Workload);  // or null
};

const std::vector<StressCase>& stress_cases();
// Throws std::runtime_error for a name that is none.
const StressCase& stress_case(std::string_view name);

}  // namespace radixmesh::routing
