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

  // `seeds`: "host:port", whom a node asks that joins.
  Links(Transport& transport, std::vector<std::string> seeds, Report report)
      : transport_(transport), seeds_(std::move(seeds)), report_(std::move(report)) {}

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
  void look_whether_up(TimePoint now);
  void tell_seeds(const std::string& host, const std::vector<std::string>& numbers, bool is_known);
  void act(TimePoint now);

  Transport& transport_;
  std::vector<std::string> seeds_;
  Report report_;
  Resolver resolver_;
  Dialer dialer_;
  std::map<LinkKey, std::string> endpoints_;  // where each is connected to
  std::map<LinkKey, LinkTrouble> told_;
  TimePoint next_look_ = TimePoint::min();
};

}  // namespace radixmesh
