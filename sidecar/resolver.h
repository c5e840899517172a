// Looks names up, off the loop: in the hosts file and in DNS, as resolv.conf says. Bounded in time
// and in number: a name server that is silent holds up nothing but the answers that it owes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace radixmesh {

class Resolver {
 public:
  struct Answer {
    std::string host;
    // All that it stands for, IPv4 and IPv6, as numbers; IPv6 in brackets. None: `error` says why.
    std::vector<std::string> numbers;
    std::string error;
    bool is_known = true;  // there is such a name or there is none, as a name server said
  };

  Resolver();
  // Waits for no name server.
  ~Resolver();
  Resolver(const Resolver&) = delete;

  // An answer will come, within limits::name_lookup_max once its turn has come. What is asked
  // already is asked once.
  void ask(const std::string& host);
  // Readable when there are answers.
  int descriptor() const;
  std::vector<Answer> take();

 private:
  class LookUp;
  struct Shared;
  class Worker;

  std::unique_ptr<Shared> shared_;
  std::thread thread_;
};

// One name, waited for: only before the loop begins. A number stands for itself.
Resolver::Answer resolve_and_wait(const std::string& host);

}  // namespace radixmesh
