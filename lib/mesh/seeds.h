// Whom a node asks that wants to be let in: the addresses that the names of its `--join` stand for,
// and what came back from each. From that it follows whether there is a mesh to wait for, or
// whether this node is to begin one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/founder.h"
#include "lib/base/ids.h"
#include "lib/base/link.h"
#include "lib/base/time.h"

namespace radixmesh {

struct Seed {
  std::string addr;
  std::string name;        // of ReplicaSettings::join, of which it is an address
  bool connected = false;  // a question can be sent there
  bool here = false;       // on this machine: whoever listens there answers
  LinkTrouble trouble = LinkTrouble::none;
  TimePoint own_until = TimePoint::min();  // as long it is taken for this node itself

  // ---- what it answered ------------------------------------------------------------------------
  TimePoint answered = TimePoint::min();
  NodeId by{};          // under this name, which need not be that of the address
  std::string refusal;  // why it does not let this node in; empty where it did not say so
  std::optional<Founder> candidate;  // it is in no mesh yet; of the one that it would begin
  TimePoint candidate_since{};       // it says so
};

class Seeds {
 public:
  // An answer counts for `patience`. One with a lower address is waited for no longer than for
  // `lower_waits` to begin the mesh.
  Seeds(std::string cluster, NodeId self, std::vector<std::string> names, Duration patience,
        Duration lower_waits)
      : cluster_(std::move(cluster)),
        self_(self),
        names_(std::move(names)),
        patience_(patience),
        lower_waits_(lower_waits) {}

  // What one of the names stands for now, and which of that is `here`, on this machine. No address:
  // it does not resolve, as is known for certain or may be nothing but a silent name server; that
  // takes nobody away. Answers with those that ended.
  std::vector<NodeId> found(const std::string& name, const std::vector<std::string>& addresses,
                            const std::vector<std::string>& here, bool is_known);

  Seed* find(NodeId seed);
  std::map<NodeId, Seed>& all() { return seeds_; }

  // The address is this node's own, as what was sent there showed.
  void note_own(TimePoint now, NodeId seed);
  bool is_own(TimePoint now, NodeId id, const Seed& seed) const {
    return id == self_ || now < seed.own_until;
  }
  // It is in no mesh that it would let this node into.
  void declined(TimePoint now, NodeId seed, NodeId by, const Founder& candidate);
  // True where it is another reason than before.
  bool refused(TimePoint now, NodeId seed, NodeId by, const std::string& reason);
  void let_in(TimePoint now, NodeId seed, NodeId by);

  // Why the node that would be `own` founder waits still; empty where nobody else is there, or all
  // that are wait for it.
  std::string why_not_begin(TimePoint now, const Founder& own) const;

  // A name that stands for nothing; empty where each stands for something.
  std::string unresolved() const;

 private:
  Seed* note(TimePoint now, NodeId seed, NodeId by);
  bool answers(TimePoint now, const Seed& seed) const { return now - patience_ < seed.answered; }

  std::string cluster_;
  NodeId self_;
  std::vector<std::string> names_;
  Duration patience_, lower_waits_;
  std::map<NodeId, Seed> seeds_;
  std::map<std::string, bool> resolves_;  // the names that were looked up
};

}  // namespace radixmesh
