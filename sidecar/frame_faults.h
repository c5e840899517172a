// Faults between the sockets and the core, as the network's own would be: in the tests' build of
// the sidecar a frame that came in may be lost, come twice, or come after the next one. In every
// other build each passes as it came, and nothing of this is left.
#pragma once

#ifdef RADIXMESH_FRAME_FAULTS
#include <functional>

#include "lib/replica_io.h"
#endif

namespace radixmesh {

#ifdef RADIXMESH_FRAME_FAULTS
// The test defines it. What `sink` is given is valid during its call.
void pass_frames(const Input& input, const std::function<void(const Input&)>& sink);
#else
template <class Input, class Sink>
void pass_frames(const Input& input, Sink&& sink) {
  sink(input);
}
#endif

}  // namespace radixmesh
