// What the methods of ipc/PROTOCOL.md do: reads their parameters, asks the replica, packs the
// answer.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "ipc/server.h"
#include "lib/replica.h"
#include "sidecar/clock.h"

namespace radixmesh {

class EngineService final : public ipc::Service {
 public:
  // `client_lease`: a client that is silent for so long loses its leases; 0: it keeps them.
  EngineService(Replica& replica, Duration client_lease)
      : replica_(replica), client_lease_(client_lease) {}

  // The server exists only after its service; to be called once, before the first request.
  void attach(ipc::Server& server) { server_ = &server; }
  // Numbers of the shell that `status` shows beside the replica's.
  std::function<std::vector<std::pair<std::string_view, std::uint64_t>>()> more_numbers;

  tl::expected<void, Refusal> call(ipc::ClientId client, std::string_view method,
                                   ipc::Params& params, Packer& result,
                                   bool& answer_later) override;
  bool may_go_on(ipc::ClientId client) override;
  void closed(ipc::ClientId client) override;
  // To be called at the end of every turn, when what was owed has been told: ends leases of silent
  // clients, and tells those that came anew what their engine has not acknowledged.
  void look_after(TimePoint now);
  // Whether the next turn should follow at once.
  bool has_work() const { return !left_behind_.empty(); }

  // Tells subscribers.
  void tell(const OpApplied& event);
  void tell(const MembershipChanged& event);
  void tell(const GcFree& event, std::optional<ipc::ClientId> only = {});

 private:
  using Outcome = tl::expected<void, Refusal>;
  struct Call {
    ipc::ClientId client;
    ipc::Params& params;
    Packer& result;
    bool& answer_later;
  };
  using Method = Outcome (EngineService::*)(Call&);
  static const std::map<std::string_view, Method>& methods();

  Outcome hello(Call& call);
  Outcome insert(Call& call);
  Outcome match_prefix(Call& call);
  Outcome acquire(Call& call);
  Outcome release(Call& call);
  Outcome validate(Call& call);
  Outcome evict(Call& call);
  Outcome remove(Call& call);
  Outcome reset(Call& call);
  // gc_service.cpp
  Outcome gc(Call& call);
  Outcome gc_ack(Call& call);

  // routing_service.cpp
  Outcome route(Call& call);
  Outcome redirect(Call& call);
  Outcome explain(Call& call);
  Outcome prefill_done(Call& call);
  Outcome finish(Call& call);
  Outcome finish_warm_up(Call& call);
  Outcome report_load(Call& call);

  // engine_service.cpp
  Outcome status(Call& call);
  Outcome nodes(Call& call);
  Outcome tree(Call& call);
  Outcome subscribe(Call& call);
  Outcome member_remove(Call& call);
  Outcome drain(Call& call);

  struct Lease {
    LockedPath path;
    ReferenceId reference = 0;
  };
  // What a client holds, and what it waits for.
  struct ClientState {
    std::map<std::uint64_t, Lease> leases;
    TimePoint heard;
    std::optional<Acquired::Wait> wait;
    TimePoint wait_until;
    bool wants_frees = false;  // it subscribed to them a moment ago
  };
  void leave_behind(ClientState& client);
  void release_left_behind(TimePoint now);
  void engine_frees_changed();

  Replica& replica_;
  Duration client_lease_;
  ipc::Server* server_ = nullptr;
  std::map<ipc::ClientId, ClientState> clients_;
  std::uint64_t next_lease_ = 1;
  // Leases whose client is gone or has lost them: released some at a time.
  std::vector<Lease> left_behind_;
  std::size_t leases_ = 0;               // all that are not released
  std::optional<ipc::ClientId> resets_;  // whose reset is under way
  bool reset_unwanted_ = false;          // ... and it is gone
};

}  // namespace radixmesh
