// One hash of all that the replicas of a run owe: when, who, what kind, every byte of it, in order.
// A change that keeps it has changed nothing that anybody outside can see.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/time.h"
#include "lib/replica_io.h"

namespace radixmesh::sim {

class EffectDigest {
 public:
  EffectDigest();

  void add(TimePoint now, std::size_t node, const std::vector<Effect>& effects);
  // With its length, so that two texts are not one.
  void add(std::string_view text);
  void add(std::uint64_t number);
  // 32 digits.
  std::string hex() const;

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace radixmesh::sim
