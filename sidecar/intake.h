// How much came over a connection that is no whole message yet: who sends a message of parts
// without end fills libzmq, which keeps all of it and shows none before its last part.
//
//   read of the connection  -  whole messages that were heard  =  unfinished, or whole and waiting
//
// Which of the two it is can be told when nothing waits to be read at any socket; while something
// always does, from how often the sockets were read without a word of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace radixmesh {

// What a look at all connections goes by.
class Attention {
 public:
  virtual ~Attention() = default;
  // How often all sockets have been read, some of each.
  virtual std::uint64_t turns() const = 0;
  // Whether no whole message waits now.
  virtual bool nothing_waits() = 0;
};

class Intake {
 public:
  // A whole message of so many bytes, as they were sent.
  void heard(std::size_t bytes) {
    heard_bytes_ += bytes;
    suspect_since_.reset();
  }
  // Whether it is amid a message that is longer than any may be, `unfinished_bytes_max`.
  bool is_endless(int descriptor, std::size_t unfinished_bytes_max, Attention& attention);

 private:
  std::uint64_t heard_bytes_ = 0;
  std::optional<std::uint64_t> suspect_since_;  // a turn, and nothing was heard since
};

}  // namespace radixmesh
