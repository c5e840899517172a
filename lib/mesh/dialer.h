// Which numeric address each link of a node is to be connected to. A member is told by `host:port`;
// what a name stands for is looked up elsewhere, off the loop, and comes back as an answer. Sockets
// are only ever given numbers.
//
//   want ──► number? ──yes──────────────────────────► connect ──► up ──► down ┐
//              │ no                                    ▲  │                   │
//              └──► look up ──► all that it stands for ┘  │ not up in time    │
//                      ▲                                  ▼                   │
//                      └────── after the last ◄──── the next address ◄────────┘
//
// A link that is up is left alone. One that is not goes through all addresses, IPv4 and IPv6, a
// little while each; after a round of them, and when the connection broke, its name is asked again,
// with pauses that grow. Pure: time and answers in, acts out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/ids.h"
#include "lib/base/link.h"
#include "lib/base/time.h"

namespace radixmesh {

class Dialer {
 public:
  struct LookUp {
    std::string host;
  };
  // At most one connection a link: an earlier one was ended by an act before.
  struct Connect {
    LinkKey link;
    std::string endpoint;  // a number and a port
  };
  struct Disconnect {
    LinkKey link;
    std::string endpoint;
  };
  using Act = std::variant<LookUp, Connect, Disconnect>;

  // Connects the link to `addr` ("host:port") from now on, or ends it.
  void want(TimePoint now, LinkKey link, const std::string& addr);
  void drop(LinkKey link);
  // Where it is connected, something is wrong: the name is asked again and the next address tried.
  void redial(TimePoint now, LinkKey link);

  // All names are asked again, whatever came of them.
  void ask_again(TimePoint now);

  // What `host` stands for: numbers, IPv6 in brackets. None: it is not known, or nobody answered.
  void answered(TimePoint now, const std::string& host, const std::vector<std::string>& numbers);
  void set_up(TimePoint now, LinkKey link, bool up);
  // The act could not be carried out: there was no descriptor, for one. It is tried again.
  void could_not_connect(TimePoint now, LinkKey link);

  // Moves on with links that did not come up; to be called by next_due() at the latest.
  void step(TimePoint now);
  TimePoint next_due() const { return acts_.empty() ? due_ : TimePoint::min(); }
  // What is to be done since the last call, in order.
  std::vector<Act> take_acts() { return std::exchange(acts_, {}); }

  LinkTrouble trouble(LinkKey link) const;
  // All links, for those who look whether they are up.
  std::vector<LinkKey> links() const;
  bool is_up(LinkKey link) const;

 private:
  struct Link {
    std::string host, port;
    std::vector<std::string> numbers;
    std::size_t at = 0;             // of these, the one that is tried
    std::optional<std::string> to;  // where it is connected to, or tries to be
    TimePoint since{};              // ... since then
    bool up = false;
    bool doubted = false;        // somebody else answers there: what its name stands for decides
    TimePoint move_on = kNever;  // where it is not up by then
  };
  struct Name {
    std::vector<std::string> numbers;  // of the last answer that had any
    bool asked = false, failed = false;
    std::uint32_t failures = 0;  // in a row, for the pauses
    TimePoint ask_at = kNever;
    std::set<LinkKey> links;
  };

  void connect(TimePoint now, LinkKey key, Link& link);
  void disconnect(LinkKey key, Link& link);
  void next_address(TimePoint now, LinkKey key, Link& link);
  void ask_soon(TimePoint now, const std::string& host);
  void look_by(TimePoint due) { due_ = std::min(due_, due); }

  std::map<LinkKey, Link> links_;
  std::map<std::string, Name> names_;
  std::vector<Act> acts_;
  TimePoint due_ = kNever;
};

}  // namespace radixmesh
