// Real sidecar processes on loopback: engines (role unified, ranks from 0), then routers.
//
// Ports are chosen by the system and stay reserved until each sidecar has bound its own; sockets
// lie in a new folder below $TMPDIR.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "ipc/client.h"
#include "tests/bench/yardstick.h"

namespace radixmesh::bench {

struct SidecarsOptions {
  std::string binary = "build/sidecar/radixmesh-sidecar";
  std::uint32_t nodes = 5, routers = 1, page_size = 16;
  std::string topology = "mesh";
};

// Until `condition` is true, asking again each millisecond; throws after raw_link.h's kPatience.
void wait_until(const std::string& what, const std::function<bool()>& condition);

// User and system time of all threads of a process, up to now.
double cpu_seconds_of(pid_t pid);

// Binds this process, and all that it starts from now on, to some of the cores that it was started
// on, so that figures of machines with more compare. Returns how many there are.
int use_cores(int first, int count);

class Sidecars {
 public:
  // Starts them and waits until each is ready and sees all others alive.
  explicit Sidecars(const SidecarsOptions& options);
  // SIGTERM to all, SIGKILL to those that are still there after 10 s.
  ~Sidecars();
  Sidecars(const Sidecars&) = delete;

  std::size_t size() const { return members_.size(); }
  std::size_t engines() const { return engines_; }
  const std::string& addr(std::size_t i) const { return members_[i].addr; }
  const std::string& socket(std::size_t i) const { return members_[i].socket; }
  pid_t pid(std::size_t i) const { return members_[i].pid; }
  double cpu_seconds(std::size_t i) const { return cpu_seconds_of(pid(i)); }

 private:
  struct Member {
    std::string addr, socket;
    int reserved = -1;  // a socket bound to the port of addr
    pid_t pid = -1;
  };
  void reserve_addresses();
  void start(const SidecarsOptions& options, Member& member);
  static bool has_joined(Member& member);
  void stop();

  std::string folder_;
  std::size_t engines_;
  std::vector<Member> members_;
};

}  // namespace radixmesh::bench
