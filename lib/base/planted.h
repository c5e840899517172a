// Faults planted on purpose: a test shows that the simulator catches each of them. In every build
// but that test's own they are constants, and nothing of them is left.
#pragma once

#include <cstdint>

namespace radixmesh {

enum class PlantedFault : std::uint8_t {
  none,
  no_gap_check,  // an op after a gap is applied at once
  apply_twice,   // an op that was applied is applied again
  forget_epoch,  // a new life inherits the entries of the old one
  mask_nothing,  // answers show dead members too
  skip_chunk,    // the first chunk of a snapshot is not carried out
  no_agreement,  // a page goes though a reader has not agreed
  no_position,   // a reader does not wait for what the owner's answer names
  no_check,      // what was read is used though the lease has lapsed
  early_expiry,  // an owner lets a reader expire before its lease has
  no_confirm,    // in global_ref a reference is used before the owner has confirmed it
};

#ifdef RADIXMESH_PLANTED_FAULTS
bool is_planted(PlantedFault fault);  // the test defines it
#else
constexpr bool is_planted(PlantedFault) { return false; }
#endif

}  // namespace radixmesh
