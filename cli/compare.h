// Whether two sidecars have the same picture, and if not, where it first differs.
//
// Two replicas agree on a node where they have applied its ops up to the same (epoch, seq) and hold
// the same entries of it. The digest says the latter in 8 bytes; where it differs, the entries are
// paged through on both sides, in order of seq, up to the first that differs.
#pragma once

#include <string>

#include "cli/json.h"
#include "ipc/client.h"

namespace radixmesh::cli {

// One of the two: its socket, and what `status` answered.
struct Side {
  std::string socket;
  ipc::Client* client = nullptr;  // borrowed
  Json status;
};

// Where the answers cannot be compared, as they lack what must be compared.
struct CannotCompare : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// {"verdict", "a", "b", "differs", "nodes"}. `verdict` is "equal", "different", or "moved": nothing
// differs for sure, but an op came while its node was compared. `a` and `b` are {socket, addr,
// cluster, page_size}; `differs` lists those of the last two that differ. `nodes` has
//
//   {addr, verdict, a, b, [ops], [digests], [first_difference]}
//
// with `a` and `b` [epoch, seq], or null where the side does not know the node. Its verdict:
//   "equal"
//   "a_behind", "b_behind"   by `ops`, or by a whole life, if its epoch is the older one
//   "a_unknown", "b_unknown" the side has no such member
//   "digests_differ"         at the same (epoch, seq); `digests` has both, and `first_difference`
//   is
//                            {a, b}, entries of `tree`, null where that side has none; or it is
//                            null, if the entries are equal or their pages cannot be compared
//   "entries_differ"         the same with equal digests; found only if all `entries` are compared
//   "moved"
//
// Throws what the client throws, and CannotCompare.
Json compare(Side a, Side b, bool entries);

}  // namespace radixmesh::cli
