// Keeps the connections to other nodes as the core wants them: asks for what their names stand for,
// has the transport connect, and sees what came of it.
//
//   core's effects ─► Links ─► Dialer ─► look up ──► Resolver
//                       ▲        ▲  └──► connect ─► Transport
//                       │        └────── answers ────┘ │
//                       └── is it up? ─────────────────┘
#pragma once

#include <functional>
#include <map>
#include <string>

#include "lib/mesh/dialer.h"
#include "lib/replica_io.h"
#include "sidecar/resolver.h"
#include "sidecar/transport.h"

namespace radixmesh {

class Links {
 public:
  // What a step finds is told to `report`: links whose trouble is another than before, and what
  // seeds stand for.
  using Report = std::function<void(const Input&)>;
  // A connection that is missing for long at a member that answers, as behind a firewall that lets
  // one port in and not another; or one of which that was told, and is no longer so.
  struct Lasting {
    std::string node, addr;  // of the member; where the connection should go to
    LinkKind kind = LinkKind::bulk;
    LinkTrouble trouble = LinkTrouble::none;
  };
  using Complain = std::function<void(const Lasting&)>;

  // `seeds`: "host:port", whom a node asks that joins.
  Links(Transport& transport, std::vector<std::string> seeds, Report report, Complain complain)
      : transport_(transport),
        seeds_(std::move(seeds)),
        report_(std::move(report)),
        complain_(std::move(complain)) {}

  void add_peer(TimePoint now, NodeId peer, const std::string& addr);
  void set_bulk_addr(TimePoint now, NodeId peer, const std::string& addr);
  void subscribe(TimePoint now, const SubscribeTo& link);
  void unsubscribe(NodeId peer);
  void drop_peer(NodeId peer);
  void redial(TimePoint now, NodeId peer);

  // Readable when names were answered.
  int descriptor() const { return resolver_.descriptor(); }
  // Asks for all that the seeds stand for.
  void find_seeds();
  // All names are asked anew.
  void ask_again(TimePoint now);
  // Carries out what is due.
  void step(TimePoint now);
  TimePoint next_due() const { return std::min(dialer_.next_due(), next_look_); }

 private:
  struct Missing {
    TimePoint since{};
    bool told = false;
  };
  void look_whether_up(TimePoint now);
  void complain_of(TimePoint now, LinkKey link, LinkTrouble trouble);
  void want(TimePoint now, LinkKey link, const std::string& addr);
  void forget(LinkKey link);
  void tell_seeds(const std::string& host, const std::vector<std::string>& numbers);
  void act(TimePoint now);

  Transport& transport_;
  std::vector<std::string> seeds_;
  Report report_;
  Complain complain_;
  Resolver resolver_;
  Dialer dialer_;
  std::map<LinkKey, std::string> endpoints_;  // where each is connected to
  std::map<LinkKey, LinkTrouble> told_;
  std::map<LinkKey, std::string> addrs_;  // as the member names each
  std::map<LinkKey, Missing> missing_;
  TimePoint next_look_ = TimePoint::min();
};

}  // namespace radixmesh
