// Which of the nodes' connections stand, where nodes are told by names: a resolver that is slow,
// silent or wrong for a while, numbers that change, and descriptors that run out. Each node
// connects through a Dialer, as the sidecar does.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "lib/mesh/dialer.h"
#include "lib/replica_io.h"

namespace radixmesh::sim {

// Chances are per question to the resolver, and of the last two per start and per connection.
struct NameFaults {
  double slow = 0;            // an answer takes seconds
  double silent = 0;          // none comes in time: then the name counts as unknown
  double failing = 0;         // the name is unknown at once
  double moves = 0;           // a node has another number from this start on
  double no_descriptors = 0;  // there is none to connect with
  bool has_dead = false;      // a name stands for several numbers, of which one works
  bool any() const { return slow + silent + failing + moves + no_descriptors > 0 || has_dead; }
};

class Dials {
 public:
  // What a node is to be told by now.
  struct Told {
    std::size_t node;
    std::variant<LinkReport, SeedsFound> what;
  };

  Dials(std::uint64_t seed, NameFaults faults) : faults(faults), random_(seed) {}

  NameFaults faults;

  void started(std::size_t node, const std::string& addr);
  void stopped(std::size_t node);

  void want(TimePoint now, std::size_t node, LinkKey link, const std::string& addr);
  void drop(std::size_t node, LinkKey link);
  void redial(TimePoint now, std::size_t node, LinkKey link);
  void find_seed(TimePoint now, std::size_t node, const std::string& seed);
  // Whether this node's connection stands.
  bool is_up(std::size_t node, LinkKey link) const {
    const auto found = nodes_.find(node);
    return found != nodes_.end() && found->second.dialer.is_up(link);
  }

  // To be called by then.
  TimePoint next_due() const { return next_look_; }
  std::vector<Told> step(TimePoint now);

 private:
  struct Node {
    std::string host, number;
    bool runs = false;
    std::uint64_t life = 0;
    Dialer dialer;
    std::map<LinkKey, std::string> endpoints;
    std::map<LinkKey, std::uint64_t> lives;  // of who is at the other end
    std::map<LinkKey, LinkTrouble> told;
  };
  struct Answer {
    std::size_t node;
    std::string host;
    std::string seed;  // or that of a seed
    bool known;
  };

  bool chance(double probability) {
    return std::uniform_real_distribution<>(0, 1)(random_) < probability;
  }
  void act(TimePoint now, std::size_t index);
  void look_up(TimePoint now, Answer question);
  void tell(TimePoint now, const Answer& answer, std::vector<Told>& told);
  void look_whether_up(TimePoint now, std::size_t index, std::vector<Told>& told);
  std::vector<std::string> numbers_of(const std::string& host);
  const Node* at(const std::string& endpoint) const;

  std::mt19937_64 random_;
  std::map<std::size_t, Node> nodes_;
  std::multimap<TimePoint, Answer> answers_;
  TimePoint next_look_{};
  std::uint64_t last_number_ = 0;
};

}  // namespace radixmesh::sim
