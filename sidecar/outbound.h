// The connections that we made: who sends a message over one that does not come to an end is cut.
// libzmq tells the number of a connection with a message that came over it, or to a monitor, which
// costs two sockets for each of ours; so they are searched for among this process's descriptors,
// when there may be new ones.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "lib/base/time.h"
#include "sidecar/intake.h"

struct __dirstream;

namespace radixmesh {

class Outbound {
 public:
  using IsInbound = std::function<bool(int)>;

  // Of one connection. Connections that are there already are somebody else's: who started this
  // process may have left it some.
  explicit Outbound(Intake::Bounds bounds);
  ~Outbound();
  Outbound(const Outbound&) = delete;

  // A whole message of so many bytes came over it.
  void heard(int descriptor, std::size_t bytes);
  // Where it is known, and still there to be cut.
  bool cut(int descriptor);
  // One came up: the next look searches.
  void came_up() { search_at_ = TimePoint::min(); }
  // Cuts those that do not come to an end. `is_inbound`: those that others made. O(connections),
  // and O(open descriptors) where it searches: after one came up or went, and every
  // limits::connections_searched_every. To be called every limits::connections_looked_at_every.
  void look_after(TimePoint now, const Intake::NothingWaits& nothing_waits,
                  const IsInbound& is_inbound);

  std::uint64_t cuts() const { return cuts_; }
  // Of them, those that were amid a message without end.
  std::uint64_t endless() const { return endless_; }

 private:
  struct Connection {
    std::string ends;
    Intake intake;
    bool is_cut = false;  // what of it is heard still says nothing of who has its number now
  };
  // Null where the number is that of no connection.
  Connection* find(int descriptor);
  // Whether it is there still; if it is another one by now, that one's account is begun.
  bool look_at(int descriptor, Connection& connection, const Intake::NothingWaits& nothing_waits);
  void search(const Intake::NothingWaits& nothing_waits, const IsInbound& is_inbound);
  template <class Visit>
  void for_each_descriptor(Visit&& visit);

  Intake::Bounds bounds_;
  // Kept open: where there are no descriptors left is no time to look away.
  __dirstream* descriptors_;
  std::map<int, Connection> connections_;
  std::map<int, std::string> inherited_;  // with their ends
  TimePoint search_at_ = TimePoint::min();
  std::uint64_t cuts_ = 0, endless_ = 0;
};

}  // namespace radixmesh
