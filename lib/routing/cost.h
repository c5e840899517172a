// The routing policy `cost`: the pair of nodes at which the request has its first token soonest,
// and delays others least. All terms are seconds, so that they can be added, shown and checked.
//
//   at a prefill node p                        at a decode node d
//   wait      queued tokens / rate             transfer  tokens that d lacks / transfer rate
//   compute   tokens to be computed / rate     step      KV that its requests read / decode rate
//   pull      until what is read from another node has come, beyond the wait
//   delay     affinity x (1 + others' share) x crowd x (compute + time of the links)
//
//   at both     room       tokens that it lacks and has no room for / tokens freed in a second
//               duplicate  tokens that it lacks and another of its role has / rate x fullness
//
//   cost(p, d) = wait + pull + compute + delay at p, transfer unless p is d, and step at d,
//                + room + duplicate at p and, unless p is d, at d
//
// `delay` is what the computation costs others: `crowd`, how many prompts wait for it, times what
// it takes. A second of work that is added to a queue is waited for by all who come until the queue
// has run empty. While what is in it now is worked off about as many come as wait in it; their work
// comes on top, and so on: all in all it takes 1 / (1 - busy) times as long, busy being the share
// of its time that the node has lately been given work for; at most three times, as that does not
// go on for ever. So the longer the queues and the fuller the node, the dearer is what must be
// computed, and a request is not moved away from what is cached to gain less than the fleet loses.
// Such moves made the queues longer from which they fled. With busy = b a crowd is
//
//   max(w (1 + s) / 2 + 2 b, own) / (1 - b)    w: of the prefill nodes, the mean; own: of this one
//
// `w` is how many wait behind the one that is computed, none counting for more than the median; and
// a fifth of this one: so of two that are done as soon the one that has more of it is taken. Work
// that is added goes where there is room, so it is the common queue that counts. But the shorter
// this node's own is, the fewer come while it is worked off: `s`, at most 1, is its wait by the
// mean one, none counting for more than the median. It is half way between the two: who has
// something cached elsewhere stays there, and what looks short may have been given more already.
// `2 b`: the queue of the moment, which is mostly empty, tells nothing of those that come while
// this one is computed; how much the node was given lately does. And who is computed somewhere
// brings its followers there, a conversation's next turns: they go to who has been idle. `own`:
// where a hot prefix, or too many long conversations, have met at one node while others are idle,
// all that is computed there is waited for by many more than elsewhere: from there it spreads.
//
// What is read from another node takes the links' time, and those that are to read after it wait as
// long: it counts as what is computed does. Where links are slow requests are not sent after KV
// that is soon computed.
//
// Where other routers send most of the requests it counts up to twice: they decide at the same
// moment, and what looks idle, and worth to be moved to, has been given work already.
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
#include "lib/routing/cost_terms.h"
#include "lib/routing/lots.h"
#include "lib/routing/pulling.h"

namespace radixmesh {

struct CostWeights {
  double transfer_rate = 100'000;   // tokens/s from a prefill node to a decode node
  double decode_rate = 10'000'000;  // tokens/s of KV that a decode step reads
  double affinity = 1;              // see `delay`
  double duplicate = 3;             // see `duplicate`: where a copy stays for good
  std::uint32_t decode_only_tokens = 0;
};

// One for each candidate. O(candidates).
std::vector<CostTerms> cost_terms(const std::vector<RouteCandidate>& candidates,
                                  std::uint32_t tokens, const CostWeights& weights, Lots lots = {});

}  // namespace radixmesh
