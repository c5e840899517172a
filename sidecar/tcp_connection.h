// What the kernel knows of a TCP connection, by its descriptor. libzmq owns the connection: the
// number may be another one's at any moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace radixmesh {

// Both ends, as bytes: no other connection has the same at the time. Empty where it is none, or has
// ended.
std::string ends_of(int descriptor);

// All that came over it since it was opened; nothing where it is no TCP connection.
std::optional<std::uint64_t> bytes_received(int descriptor);

// Of them, what nobody has read yet.
std::uint64_t bytes_waiting(int descriptor);

// Resets the connection, and libzmq sees that and closes it; false where the number is not that of
// the connection with these ends. After shutdown() libzmq reads on for as long as more comes; it is
// for systems that cannot reset.
bool reset(int descriptor, const std::string& ends);

}  // namespace radixmesh
