// Kubernetes sets variables in every container for each service of its namespace, named after the
// service. For a service radixmesh-p0 with a port 5001:
//
//   RADIXMESH_P0_SERVICE_HOST=10.0.0.1       RADIXMESH_P0_PORT=tcp://10.0.0.1:5001
//   RADIXMESH_P0_SERVICE_PORT=5001           RADIXMESH_P0_PORT_5001_TCP=tcp://10.0.0.1:5001
//   RADIXMESH_P0_SERVICE_PORT_CONTROL=5001   RADIXMESH_P0_PORT_5001_TCP_PROTO=tcp, ..._PORT,
//   ..._ADDR
//
// Nobody wrote them, so they are neither options nor mistyped ones.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace radixmesh {

using Variables = std::map<std::string, std::string>;  // by name

// The beginning that the service gave to the variable's name ("RADIXMESH_P0"), where the variable
// has the name and the value of one of the above.
std::optional<std::string> service_of_variable(const std::string& name, const std::string& value);

// The same for one whose name is an option's as well: only where the service is there beyond doubt,
// by its ..._SERVICE_HOST, and the variable is not that itself.
std::optional<std::string> service_over_option(const std::string& name, const Variables& all);

}  // namespace radixmesh
