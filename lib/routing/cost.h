// The routing policy `cost`: the pair of nodes at which the request has its first token soonest,
// and delays others least. All terms are seconds, so that they can be added, shown and checked.
//
//   at a prefill node p                        at a decode node d
//   wait      queued tokens / rate             transfer  tokens that d lacks / transfer rate
//   compute   tokens to be computed / rate     step      KV that its requests read / decode rate
//   pull      until what is read from another node has come, beyond the wait
//   delay     affinity x (1 + others' share) x crowd x (compute + time of the links)
//   balance   3 x (busy - mean busy) x compute
//
//   at both     room       tokens that it lacks and has no room for / tokens freed in a second
//               duplicate  tokens that it lacks and another of its role has / rate x fullness
//
//   cost(p, d) = wait + pull + compute + delay + balance at p  +  (transfer unless p is d) + step
//   at d
//                + room + duplicate at p and, unless p is d, at d
//
// `delay` is what the computation costs others. A second of work that is added to a queue is waited
// for by all who come until the queue has run empty. While what is in it now is worked off about as
// many come as wait in it; their work comes on top, and so on: all in all it takes 1 / (1 - busy)
// times as long, busy being the share of their time that the nodes have lately been given work for;
// at most twice, as that does not go on for ever. So it is `crowd`, how many prompts wait at a
// prefill node behind the one that is computed, by (1 - busy), times `compute`: the longer the
// queues and the fuller the fleet, the dearer is what must be computed, and a request is not moved
// away from what is cached to gain less than the fleet loses. Such moves made the queues longer
// from which they fled. Where nobody waits, only who comes during the computation waits for the
// rest of it, and what is computed a second time is there for the next: then `crowd` is a fifth of
// the share of the nodes that compute.
//
// What is read from another node takes the links' time, and those that are to read after it wait as
// long: it counts as what is computed does. Where links are slow requests are not sent after KV
// that is soon computed.
//
// Where other routers send most of the requests it counts up to twice: they decide at the same
// moment, and what looks idle, and worth to be moved to, has been given work already.
//
// Of those that wait it is the mean over the prefill nodes, none counting for more than the median.
// Work that is added goes where there is room, so it is the common queue that counts, and not that
// of a node at which a hot prefix waits while others are idle: from there it is to spread.
//
// `balance`: who computes a prompt computes what follows it, a conversation's next turns, as they
// find their beginning there. So where a prompt is placed decides not over its own work only, and
// the queue of the moment, which is mostly empty, tells nothing of what is to come; how much work
// the node was given lately does. It counts for what must be computed: nobody leaves what is
// cached, but who must be computed anyway, with all that follows, goes to who has been idle. With
// nodes of unlike speeds it keeps the fast ones from getting all that begins. About 3 s of work
// follow one second; between 2 and 6 nothing changes much. It takes back at most what `compute`
// costs.
//
// `room`: until so much of what requests hold is given back. Where nothing is ever given back the
// node comes last.
//
// `duplicate`: the copy, computed or read, takes room. Fullness is 3 f^2 / (1 - f), where requests
// have the share f of a node's KV: what goes for it is missed the sooner the less else there is,
// and by all turns that were still to find it. At nodes whose engine cannot free single slots it
// stays for good: there it is 3, and the copy is made only where those that have it are busy for
// several times as long.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/routing/candidate.h"
#include "lib/routing/pulling.h"

namespace radixmesh {

struct CostWeights {
  double transfer_rate = 100'000;   // tokens/s from a prefill node to a decode node
  double decode_rate = 10'000'000;  // tokens/s of KV that a decode step reads
  double affinity = 1;              // see `delay`
  double duplicate = 3;             // see `duplicate`: where a copy stays for good
  std::uint32_t decode_only_tokens = 0;
};

// Seconds. Those of the other role are 0.
struct CostTerms {
  double wait = 0, pull = 0, compute = 0, delay = 0, balance = 0, room = 0, transfer = 0, step = 0,
         duplicate = 0;
  double as_prefill() const { return wait + pull + compute + delay + balance + room + duplicate; }
  double as_decode() const { return transfer + step + room + duplicate; }
  double as_both() const { return as_prefill() + step; }
};

// One for each candidate. `others_share`: of the routers that are others, see `delay`. `pulls`:
// what each would read, empty: none does. O(candidates).
std::vector<CostTerms> cost_terms(const std::vector<RouteCandidate>& candidates,
                                  std::uint32_t tokens, const CostWeights& weights,
                                  double others_share = 0,
                                  const std::vector<std::optional<Pull>>& pulls = {});

}  // namespace radixmesh
