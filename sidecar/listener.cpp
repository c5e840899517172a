#include "sidecar/listener.h"

#include <cerrno>

#include "lib/base/host.h"
#include "sidecar/resolver.h"

namespace radixmesh {
namespace {

// Where the system chooses a port at one address that is taken at another.
constexpr int kPortTries = 16;

struct BindPlace {
  std::string host, port;
};

BindPlace place_of(const Listening& where) {
  const BindPlace announced{std::string(host_of(where.announced)),
                            std::string(port_of(where.announced))};
  if (where.bound.empty()) return announced;
  if (!has_port(where.bound)) return {where.bound, announced.port};
  return {std::string(host_of(where.bound)), std::string(port_of(where.bound))};
}

std::string port_bound(zmq::socket_t& socket) {
  return std::string(port_of(socket.get(zmq::sockopt::last_endpoint)));
}

// Empty if it could, else why not.
std::string try_bind(zmq::socket_t& socket, const std::string& host, const std::string& port) {
  // An IPv6 socket that is bound to the wildcard takes IPv4 as well.
  const bool six = host.front() == '[' || host == "*";
  try {
    socket.set(zmq::sockopt::ipv6, six ? 1 : 0);
    socket.bind("tcp://" + host + ":" + (port == "0" ? "*" : port));
    return {};
  } catch (const zmq::error_t& error) {
    if (six && host == "*") return try_bind(socket, "0.0.0.0", port);  // a kernel without IPv6
    return error.num() == EADDRINUSE ? "the address is in use" : error.what();
  }
}

std::vector<std::string> numbers_of(const std::string& host, const std::string& option) {
  if (host == "*" || host == "[::]") return {"*"};
  const Resolver::Answer answer = resolve_and_wait(host);
  if (answer.numbers.empty()) {
    throw BindError(option + ": cannot bind " + host + ": the name does not resolve (" +
                    answer.error + ")");
  }
  return answer.numbers;
}

}  // namespace

Listened listen(zmq::socket_t& socket, const Listening& where) {
  const BindPlace place = place_of(where);
  const std::vector<std::string> numbers = numbers_of(place.host, where.option);
  std::string port = place.port, trouble;
  for (int i = 0; i < (place.port == "0" ? kPortTries : 1); ++i) {
    std::vector<std::string> bound;
    trouble.clear();
    bool in_use = false;
    port = place.port;
    for (const std::string& number : numbers) {
      const std::string failed = try_bind(socket, number, port);
      if (!failed.empty()) {
        trouble = failed;
        in_use = in_use || failed == "the address is in use";
        continue;
      }
      port = port_bound(socket);
      bound.push_back(socket.get(zmq::sockopt::last_endpoint));
    }
    // Some of what a name stands for may be another machine's, or of a family that is off here;
    // but a port that is somebody else's at one of them would be asked for in vain there.
    if (!bound.empty() && !in_use) {
      const std::string told(port_of(where.announced));
      return {std::string(host_of(where.announced)) + ":" + (told == "0" ? port : told), bound};
    }
    for (const std::string& endpoint : bound) socket.unbind(endpoint);
  }
  throw BindError(where.option + ": cannot bind " + place.host + ":" + place.port + ": " + trouble);
}

bool listen_again(zmq::socket_t& socket, const std::string& endpoint) {
  try {
    socket.set(zmq::sockopt::ipv6, endpoint.find('[') != std::string::npos ? 1 : 0);
    socket.bind(endpoint);
    return true;
  } catch (const zmq::error_t&) {
    return false;
  }
}

}  // namespace radixmesh
