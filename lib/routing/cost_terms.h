// What a choice costs, term by term; see cost.h for what each is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace radixmesh {

// What one node reads from another, instead of computing it.
struct Pull {
  std::size_t source = 0;    // index into the candidates
  std::uint32_t tokens = 0;  // the source's, from the reader's depth on
  double link_s = 0;         // of the links' time
  double there_s = 0;        // from now until they have come
};

// Seconds. Those of the other role are 0.
struct CostTerms {
  double wait = 0, pull = 0, compute = 0, delay = 0, room = 0, transfer = 0, step = 0,
         duplicate = 0;
  std::optional<Pull> reads;  // from another node, instead of computing it

  double as_prefill() const { return wait + pull + compute + delay + room + duplicate; }
  double as_decode() const { return transfer + step + room + duplicate; }
  double as_both() const { return as_prefill() + step; }
};

}  // namespace radixmesh
