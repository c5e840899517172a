// The project's own routing core, as the sidecar runs it: lib/routing/router.h with its bookings
// and their chunks, told to the other routers.
#pragma once

#include "lib/routing/router.h"
#include "tests/routing/policy.h"

namespace radixmesh::routing {

class CorePolicy final : public Policy {
 public:
  CorePolicy(const FleetView& fleet, std::uint64_t seed, const RoutingSettings& settings);

  std::optional<Choice> route(double now_s, const Query& query) override;
  void prefill_done(double now_s, std::uint64_t ticket) override;
  void finish(double now_s, std::uint64_t ticket) override;
  void hear_load(double now_s, std::size_t node, const Load& load) override;
  void node_died(double now_s, std::size_t node) override;
  // The sidecar lives on, and nobody ends what was booked with it.
  void gateway_crashed() override {}
  bool tells() const override { return true; }
  bool has_news() const override;
  RouterNews take_news() override;
  void hear_news(double now_s, std::size_t router, const RouterNews& news) override;

 private:
  std::size_t choose(double, const Query&) override { return 0; }

  Router router_;
  std::vector<TokenId> tokens_;
  std::uint64_t told_ = 0, beat_ = 0;
};

}  // namespace radixmesh::routing
