// The methods of ipc/PROTOCOL.md that are about where a prompt should run.
#include "lib/base/limits.h"
#include "sidecar/engine_service.h"

namespace radixmesh {
namespace {

tl::unexpected<Refusal> fix_request(std::string message) {
  return tl::unexpected(Refusal{RefusalCode::fix_request, std::move(message)});
}

}  // namespace

EngineService::Outcome EngineService::route(Call& call) {
  const auto tokens = call.params.tokens();
  const CacheNamespace name = call.params.name_space();
  const bool book = call.params.optional_boolean("book").value_or(false);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  const auto routed = replica_.route(steady_now(), name, tokens, book);
  if (!routed) return tl::unexpected(routed.error());
  ipc::pack_route(call.result, *routed);
  return {};
}

EngineService::Outcome EngineService::redirect(Call& call) {
  const auto tokens = call.params.tokens();
  const CacheNamespace name = call.params.name_space();
  const auto visited = call.params.optional_texts("visited", limits::members_max);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  const auto redirected = replica_.redirect(steady_now(), name, tokens, visited);
  if (!redirected) return tl::unexpected(redirected.error());
  ipc::pack_redirect(call.result, *redirected);
  return {};
}

EngineService::Outcome EngineService::explain(Call& call) {
  const auto tokens = call.params.tokens();
  const CacheNamespace name = call.params.name_space();
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  ipc::pack_explain(call.result, replica_.explain(steady_now(), name, tokens));
  return {};
}

EngineService::Outcome EngineService::prefill_done(Call& call) {
  const std::uint64_t booking = call.params.u64("booking");
  const auto hit_tokens = call.params.optional_u64("hit_tokens");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (hit_tokens.value_or(0) > limits::request_tokens_max) {
    return fix_request("hit_tokens must be at most " + std::to_string(limits::request_tokens_max));
  }
  std::optional<std::uint32_t> hits;
  if (hit_tokens) hits = static_cast<std::uint32_t>(*hit_tokens);
  replica_.prefill_done(steady_now(), booking, hits);
  call.result.pack_map(0);
  return {};
}

EngineService::Outcome EngineService::finish(Call& call) {
  const std::uint64_t booking = call.params.u64("booking");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  replica_.finish_booking(steady_now(), booking);
  call.result.pack_map(0);
  return {};
}

EngineService::Outcome EngineService::finish_warm_up(Call& call) {
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  replica_.finish_warm_up();
  call.result.pack_map(0);
  return {};
}

EngineService::Outcome EngineService::report_load(Call& call) {
  Load load;
  const std::uint64_t running = call.params.u64("running");
  const std::uint64_t waiting = call.params.u64("waiting");
  load.queued_tokens = call.params.optional_u64("queued_tokens");
  load.kv_used = call.params.u64("kv_used");
  load.kv_total = call.params.u64("kv_total");
  load.prefill_rate = call.params.optional_u64("prefill_rate");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (running > limits::reported_requests_max || waiting > limits::reported_requests_max) {
    return fix_request("running and waiting must be at most " +
                       std::to_string(limits::reported_requests_max));
  }
  if (load.kv_used > load.kv_total) return fix_request("kv_used must not be above kv_total");
  if (load.prefill_rate && (*load.prefill_rate == 0 || *load.prefill_rate > limits::count_max)) {
    return fix_request("prefill_rate must be from 1 to " + std::to_string(limits::count_max));
  }
  load.running = static_cast<std::uint32_t>(running);
  load.waiting = static_cast<std::uint32_t>(waiting);
  replica_.report_load(steady_now(), load);
  call.result.pack_map(0);
  return {};
}

}  // namespace radixmesh
