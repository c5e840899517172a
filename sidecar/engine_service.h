// What the methods of ipc/PROTOCOL.md do: reads their parameters, asks the replica, packs the
// answer.
#pragma once

#include <functional>
#include <map>

#include "ipc/server.h"
#include "lib/replica.h"
#include "sidecar/clock.h"

namespace radixmesh {

class EngineService final : public ipc::Service {
 public:
  explicit EngineService(Replica& replica) : replica_(replica) {}

  // The server exists only after its service; to be called once, before the first request.
  void attach(ipc::Server& server) { server_ = &server; }
  // Numbers of the shell that `status` shows beside the replica's.
  std::function<std::vector<std::pair<std::string_view, std::uint64_t>>()> more_numbers;

  tl::expected<void, Refusal> call(ipc::ClientId client, std::string_view method,
                                   ipc::Params& params, ipc::Packer& result,
                                   bool& answer_later) override;
  void closed(ipc::ClientId client) override;

  // Tells subscribers.
  void tell(const OpApplied& event);
  void tell(const MembershipChanged& event);

 private:
  using Outcome = tl::expected<void, Refusal>;
  struct Call {
    ipc::ClientId client;
    ipc::Params& params;
    ipc::Packer& result;
    bool& answer_later;
  };
  using Method = Outcome (EngineService::*)(Call&);
  static const std::map<std::string_view, Method>& methods();

  Outcome hello(Call& call);
  Outcome insert(Call& call);
  Outcome match_prefix(Call& call);
  Outcome acquire(Call& call);
  Outcome release(Call& call);
  Outcome evict(Call& call);
  Outcome remove(Call& call);
  Outcome reset(Call& call);
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
  Outcome drain(Call& call);

  Replica& replica_;
  ipc::Server* server_ = nullptr;
  std::map<ipc::ClientId, std::map<std::uint64_t, LockedPath>> leases_;
  std::uint64_t next_lease_ = 1;
};

}  // namespace radixmesh
