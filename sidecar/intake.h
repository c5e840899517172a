// How much came over a connection that is no whole message yet: who sends a message of parts
// without end fills libzmq, which keeps all of it and shows none before its last part.
//
//   read of the connection  -  whole messages that were heard  =  unfinished, or whole and waiting
//
// It is the former where nothing waits to be read at any socket, and where there is more than may
// wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace radixmesh {

class Intake {
 public:
  struct Bounds {
    std::size_t unfinished_bytes = 0;  // of one message on its way
    std::size_t waiting_bytes = 0;     // of whole messages of one connection
  };
  // Whether no whole message waits at any socket: asked after a connection was looked at.
  using NothingWaits = std::function<bool()>;

  Intake() = default;
  // Of a connection that was not watched from its beginning: what was read of it so far is heard.
  explicit Intake(std::uint64_t received) : heard_bytes_(received) {}

  // A whole message of so many bytes, as they were sent.
  void heard(std::size_t bytes) { heard_bytes_ += bytes; }
  // Whether it is amid a message that is longer than any may be. `received`: all that came over it
  // so far.
  bool is_endless(int descriptor, std::uint64_t received, Bounds bounds,
                  const NothingWaits& nothing_waits);

 private:
  std::uint64_t heard_bytes_ = 0;
};

}  // namespace radixmesh
