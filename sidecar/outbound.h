// The connections that we made: who sends a message over one that does not come to an end is cut.
// libzmq would keep all of it, and show none of it before its last part; and it tells the number of
// a connection only together with a message, so they are looked for among this process's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/time.h"

namespace radixmesh {

class Outbound {
 public:
  // Of one connection: what came and is no whole message yet.
  explicit Outbound(std::size_t unfinished_bytes_max)
      : unfinished_bytes_max_(unfinished_bytes_max) {}

  // A message came over it.
  void heard(TimePoint now, int descriptor);
  void cut(int descriptor);
  // Cuts those of which more is unfinished than may be, that were as far at a look before, and not
  // heard since: in between, what is whole has been read, at once where `nothing_waits` to be read
  // now, and otherwise within limits::connections_looked_at_every. `is_inbound`: those that others
  // made. True: one is suspect, and the next look should come soon. O(open descriptors).
  bool look_after(TimePoint now, bool nothing_waits, const std::function<bool(int)>& is_inbound);

  std::uint64_t cuts() const { return cuts_; }

 private:
  struct Connection {
    Connection() = default;
    explicit Connection(std::string both, TimePoint look = TimePoint::min())
        : ends(std::move(both)), last_look(look) {}

    std::string ends;
    TimePoint last_look = TimePoint::min(), last_heard = TimePoint::min();
    std::uint64_t bytes_until_heard = 0;     // that had come by then
    std::optional<TimePoint> suspect_since;  // a look, after which it was not heard
  };
  // Null where the number is that of no connection.
  Connection* find(int descriptor);
  bool is_over(int descriptor, Connection& connection) const;

  std::size_t unfinished_bytes_max_;
  std::map<int, Connection> connections_;
  std::uint64_t cuts_ = 0;
};

}  // namespace radixmesh
