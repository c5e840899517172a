// The methods of ipc/PROTOCOL.md that are about collecting duplicates, and what the engine is told.
#include "lib/base/limits.h"
#include "sidecar/engine_service.h"

namespace radixmesh {

EngineService::Outcome EngineService::gc(Call& call) {
  const bool run = call.params.optional_boolean("run").value_or(false);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  const auto view = replica_.gc(steady_now(), run);
  if (!view) return tl::unexpected(view.error());
  ipc::pack_gc(call.result, *view);
  return {};
}

EngineService::Outcome EngineService::gc_ack(Call& call) {
  const std::uint64_t number = call.params.u64("number");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  replica_.acknowledge_free(number);
  call.result.pack_map(0);
  return {};
}

void EngineService::tell(const GcFree& event, std::optional<ipc::ClientId> only) {
  const auto kind = event.advice ? ipc::EventKind::gc_advice : ipc::EventKind::gc_free;
  std::string params;
  Buffer buffer{params};
  Packer packer(buffer);
  packer.pack_map(4);
  pack_text(packer, "number");
  packer.pack_uint64(event.number);
  pack_text(packer, "slots");
  ipc::pack_slots(packer, event.slots);
  pack_text(packer, "advice");
  event.advice ? packer.pack_true() : packer.pack_false();
  pack_text(packer, "state");
  packer.pack_array(2);
  packer.pack_uint64(event.epoch.value);
  packer.pack_uint64(event.seq.value);
  server_->notify(kind, "gc_free", params, only);
}

}  // namespace radixmesh
