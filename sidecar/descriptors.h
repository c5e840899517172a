// How many descriptors this process has, and who may take how many of them.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>

#include "lib/base/limits.h"

namespace radixmesh {

// Every peer takes a few descriptors, and every client one: as many as the system allows.
inline void raise_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Connections that others may make to one bound socket: half of what the engine's clients leave, by
// three; the other half is for connections of our own.
inline std::size_t inbound_connections_max() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return limits::stranger_connections_max;
  const std::size_t kept = limits::ipc_clients_max + 64;
  const std::size_t all = limit.rlim_cur > kept ? limit.rlim_cur - kept : 0;
  return std::clamp<std::size_t>(all / 6, 16, limits::connections_max);
}

}  // namespace radixmesh
