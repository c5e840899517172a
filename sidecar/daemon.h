// The shell around the core: one thread, one poll loop. Each turn reads the clock, drains the
// sockets up to a bound, steps the replica, performs its effects in order.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <vector>

#include "ipc/server.h"
#include "lib/replica.h"
#include "sidecar/engine_service.h"
#include "sidecar/frame_counts.h"
#include "sidecar/links.h"
#include "sidecar/log.h"
#include "sidecar/options.h"
#include "sidecar/transport.h"
#include "sidecar/turn_clock.h"

namespace radixmesh {

class Daemon {
 public:
  // Binds everything; throws BindError or ipc::SocketError. `reread` reads the options once more,
  // for SIGHUP; it throws OptionError.
  Daemon(const Options& options, std::function<Options()> reread);
  ~Daemon();

  // Runs until the node has left: on SIGTERM, SIGINT or the verb `drain`. A second signal ends it
  // at once.
  void run();

 private:
  void wait();
  void turn();
  void read_signals(TimePoint now);
  void reload(TimePoint now);
  void look_after(TimePoint now);
  void perform_all();
  void perform(Effect& effect);
  std::vector<std::pair<std::string_view, std::uint64_t>> numbers() const;

  Log log_;
  std::function<Options()> reread_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<Links> links_;
  std::unique_ptr<EngineService> service_;
  std::unique_ptr<ipc::Server> server_;
  std::vector<pollfd> items_;
  std::vector<ipc::Server::PollItem> ipc_items_;
  TurnClock turns_;
  FrameCounts frames_;  // counted only where the log shows them
  TimePoint next_look_after_ = TimePoint::min();
  int signals_ = -1;
  bool left_ = false;
};

}  // namespace radixmesh
