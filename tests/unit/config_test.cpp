// What Kubernetes sets, where the name is also an option's; and addresses that are only bound.
#include <doctest/doctest.h>

#include "sidecar/config/check_address.h"
#include "sidecar/config/environment.h"

namespace radixmesh {
namespace {

// An option whose variable is RADIXMESH_HTTP_PORT, as a service radixmesh-http has it too.
struct Http {
  std::string port;
  OptionTable table;

  Http() { table.add("http-port", port, Text{"PORT", 100}, "where HTTP is served"); }
  // What the option is in such an environment; "-": not set.
  std::string port_of(const Variables& variables) {
    const Environment read = read_environment(variables, table);
    ignored = read.ignored;
    return read.written.empty() ? "-" : read.written.front().parts.front();
  }
  std::size_t ignored = 0;
};

TEST_CASE("a service whose variable is also an option's sets no option") {
  Http http;
  const std::string url = "tcp://10.0.0.1:80";
  CHECK(http.port_of({{"RADIXMESH_HTTP_PORT", "80"}}) == "80");
  CHECK(http.port_of({{"RADIXMESH_HTTP_PORT", url}}) == url);  // no service: somebody wrote it
  CHECK(http.ignored == 0);
  const std::pair<std::string, std::string> host = {"RADIXMESH_HTTP_SERVICE_HOST", "10.0.0.1"};
  CHECK(http.port_of({host, {"RADIXMESH_HTTP_PORT", url}}) == "-");
  CHECK(http.ignored == 2);
  // Who gives the container a variable of that name overrides what Kubernetes would set.
  CHECK(http.port_of({host, {"RADIXMESH_HTTP_PORT", "80"}}) == "80");
  CHECK(http.ignored == 1);
  // Another service's host is no reason.
  CHECK(http.port_of({{"RADIXMESH_SERVICE_HOST", "10.0.0.1"}, {"RADIXMESH_HTTP_PORT", url}}) ==
        url);
}

TEST_CASE("what is only bound may be any address, or a port of the system's choice") {
  for (const char* addr : {"0.0.0.0:5001", "[::]:5001", "*:5001"}) {
    CAPTURE(std::string(addr));
    CHECK(check_address(addr));
    CHECK(check_address(addr, {.port_zero = true}));
    CHECK_FALSE(check_address(addr, {.wildcard = true}));
  }
  CHECK(check_address("*:0", {.wildcard = true}));
  CHECK_FALSE(check_address("*:0", {.port_zero = true, .wildcard = true}));
  CHECK(check_address("10.0.0.1:0", {.wildcard = true}));
  CHECK_FALSE(check_address("10.0.0.1:0", {.port_zero = true}));
}

TEST_CASE("all spellings of an address have one text in common") {
  CHECK(same_address("P0.Example.:5001") == "p0.example:5001");
  CHECK(same_address("[2001:DB8:0::1]:5001") == same_address("[2001:db8::1]:5001"));
  CHECK(same_address("[fe80::1%eth0]:1") != same_address("[fe80::1%eth1]:1"));
  CHECK(same_address("p0:1") != same_address("p0:2"));
}

}  // namespace
}  // namespace radixmesh
