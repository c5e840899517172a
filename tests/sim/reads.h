// Engines that read what other nodes hold: they acquire, read the slots after a while, ask whether
// what they read may be used, and release. Nothing that may be used was read from a slot that held
// something else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checker.h"

namespace radixmesh::sim {

class Reads {
 public:
  // `longest`: until the bytes are there, and again until it is asked whether they are good.
  Reads(Network& network, Checker& checker, Duration longest)
      : network_(network), checker_(checker), longest_(longest) {}

  // The node's engine wants these tokens.
  void begin(std::size_t node, const std::vector<TokenId>& key);
  // What is due: references that were waited for, reads, questions whether they are good.
  void look_after();
  // The node's process ended, and with it all that its engine referred to.
  void died(std::size_t node);
  bool idle() const { return waiting_.empty() && reads_.empty(); }

  // Of reads of other nodes' slots.
  std::uint64_t accepted = 0, refused = 0;

 private:
  struct Waiting {
    std::size_t node;
    std::vector<TokenId> key;
    Acquired::Wait wait;
    TimePoint until;
  };
  struct Read {
    std::size_t node;
    std::vector<TokenId> key;
    Acquired acquired;
    TimePoint read_at, asked_at;
    std::vector<std::uint64_t> born;  // of the engine behind each segment
    bool is_read = false;
    bool lost = false;     // an engine died: nothing came
    bool wrong = false;    // something else came
    bool lied_to = false;  // of slots that may never have been
  };
  void acquire(std::size_t node, std::vector<TokenId> key, bool remote, TimePoint until);
  void read(Read& read);
  void ask(const Read& read);
  Duration up_to(Duration most);
  std::size_t node_at(const std::string& addr) const;

  Network& network_;
  Checker& checker_;
  Duration longest_;
  std::vector<Waiting> waiting_;
  std::vector<Read> reads_;
};

}  // namespace radixmesh::sim
