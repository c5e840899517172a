// Runs scenario files: stories of a simulated mesh, one verb or expectation a line.
//
//   nodes p0 d0 r0            who belongs to the mesh, in rank order; the first letter is the role
//
//   set topology ring         a setting of all (topology, page_size, log_bytes), before any start
//
//   set r0 page_size 16       ... or of one node; `set r0 protocol 1 2`: the versions it speaks
//
//   set forget_after 5s       a timer (forget_after, former_kept)
//
//   start p0 r0               a new life; the node knows nothing yet
//
//   crash p0
//
//   join p2 via r0            a node in nobody's lists; `join p2 rank 3 via r0` asks for one
//
//   drain p0                  it leaves in order, and ends
//
//   engine p0 gpu7            p0's engine says who it is
//
//   pause p0 10s              the process is stopped
//
//   slow p0 50ms              all that p0 sends or gets takes so much longer
//
//   partition p0 p1 | d0 r0   nothing goes between the two sides
//
//   insert p0 abcd slots 10   token i of the key lies in slot 10 + i
//
//   evict p0 2                at least two tokens
//
//   remove p0 ab              and what is below it
//
//   reset p0
//
//   cut p0 r0                 what p0 sends to r0 is lost
//
//   faults loss 0.3           or duplication, reordering: a chance per message
//
//   heal                      no cut, no fault
//
//   run 2s                    or 50ms
//
//   expect WHAT: RESULT       see Scenario::actual(); `all` stands for each node that runs
//
//   # a comment
#pragma once

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/sim/named_mesh.h"

namespace radixmesh {

class Scenario {
 public:
  // Runs the whole text; `file` is how failures name it. Returns "file:line: expected ..., got
  // ...", or what was wrong with a line, for each that failed; stops at a line that it does not
  // understand.
  std::vector<std::string> run(const std::string& file, std::istream& text);

 private:
  using Words = std::vector<std::string>;

  void perform(const Words& words);
  void set(const Words& words);
  bool perform_on_membership(const Words& words);
  void set_fault(const std::string& name, double chance);
  void expect(const std::string& line);
  std::string show_ring(const std::string& node);
  // What is so, in the words in which it would be expected:
  //   p0 match abcd     depths: "p0=4 r0=2", or "nothing"
  //   p0 segments abcd  who is named for which tokens, with slots: "p0[0,4)=10+4 d0[4,5)=?"
  //   p0 local abcd     tokens that p0 has itself
  //   p0 seq d0         the last op of d0 that p0 has applied
  //   p0 state d0       alive, suspect, dead, left; "unknown" if p0 has not heard of it
  //   p0 rank d0        its rank
  //   p0 lag d0         ops of it that p0 knows of and lacks
  //   p0 ring           "verified", "open at d0", or "not verified"
  //   p0 runs           yes, no
  //   p0 refusal d0     why one refused the other
  //   p0 counter NAME   a number, or 0
  //   p0 ready          yes, no
  //   agree             yes, if all vectors and digests are equal
  std::string actual(const std::string& node, const Words& what);
  sim::NamedMesh& mesh();

  std::string where_;  // file:line
  std::vector<std::string> failures_;
  std::vector<std::string> names_;
  ReplicaSettings common_;
  std::map<std::string, std::uint32_t> page_size_of_;
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> protocol_of_;
  std::map<std::string, NodeRank> rank_of_;
  std::optional<sim::NamedMesh> mesh_;
};

}  // namespace radixmesh
