// The answers about where a prompt should run, as MessagePack.
#include "ipc/pack_fields.h"
#include "ipc/packing.h"
#include "lib/base/role.h"

namespace radixmesh::ipc {
namespace {

void pack_target(Packer& packer, const std::optional<TargetView>& target) {
  if (!target) {
    packer.pack_nil();
    return;
  }
  packer.pack_map(3);
  pair(packer, "addr", std::string_view(target->addr));
  pair(packer, "rank", std::uint64_t{target->rank.value});
  pair(packer, "depth", std::uint64_t{target->depth});
}

void pack_source(Packer& packer, const std::optional<SourceView>& source) {
  key(packer, "source");
  if (!source) {
    packer.pack_nil();
    return;
  }
  packer.pack_map(3);
  pair(packer, "addr", std::string_view(source->addr));
  pair(packer, "depth", std::uint64_t{source->depth});
  pair(packer, "tokens", std::uint64_t{source->tokens});
}

void pack_terms(Packer& packer, const CostTerms& terms) {
  packer.pack_map(8);
  pair(packer, "wait_s", terms.wait);
  pair(packer, "pull_s", terms.pull);
  pair(packer, "compute_s", terms.compute);
  pair(packer, "delay_s", terms.delay);
  pair(packer, "room_s", terms.room);
  pair(packer, "duplicate_s", terms.duplicate);
  pair(packer, "transfer_s", terms.transfer);
  pair(packer, "step_s", terms.step);
}

// What it costs to take this one, as what it may be taken for.
void pack_cost(Packer& packer, std::string_view name, bool serves, double cost) {
  key(packer, name);
  serves ? packer.pack_double(cost) : packer.pack_nil();
}

void pack_candidate(Packer& packer, const CandidateView& row) {
  const bool may_be = row.excluded.empty();
  packer.pack_map(20 + kWorkFields);
  pair(packer, "addr", std::string_view(row.addr));
  pair(packer, "rank", std::uint64_t{row.rank.value});
  pair(packer, "role", role_name(row.role));
  key(packer, "excluded");
  may_be ? void(packer.pack_nil()) : pack_text(packer, row.excluded);
  pair(packer, "depth", std::uint64_t{row.depth});
  pair(packer, "indexed_depth", std::uint64_t{row.indexed_depth});
  key(packer, "load");
  pack_load(packer, row.load);
  pack_work(packer, row.work);
  pair(packer, "requests", std::uint64_t{row.requests});
  pair(packer, "queued_tokens", row.queued_tokens);
  pair(packer, "decode_tokens", row.decode_tokens);
  pair(packer, "busy", row.busy);
  key(packer, "kv_free");
  row.kv_free ? packer.pack_double(*row.kv_free) : packer.pack_nil();
  pair(packer, "pull_in_tokens", row.pull_in_tokens);
  pair(packer, "pull_out_tokens", row.pull_out_tokens);
  pack_source(packer, row.source);
  key(packer, "terms");
  pack_terms(packer, row.terms);
  pack_cost(packer, "prefill_cost_s", may_be && serves_prefill(row.role), row.terms.as_prefill());
  pack_cost(packer, "decode_cost_s", may_be && serves_decode(row.role), row.terms.as_decode());
  pair(packer, "is_prefill", row.is_prefill);
  pair(packer, "is_decode", row.is_decode);
}

}  // namespace

void pack_work(Packer& packer, const WorkView& work) {
  pair(packer, "prefill_rate", work.prefill_rate);
  pair(packer, "rate_source", work.rate_source);
  pair(packer, "pull_rate", work.pull_rate);
  key(packer, "booked");
  packer.pack_map(6);
  pair(packer, "requests", std::uint64_t{work.booked.requests});
  pair(packer, "prefills", std::uint64_t{work.booked.prefills});
  pair(packer, "prefill_tokens", work.booked.prefill_tokens);
  pair(packer, "decode_tokens", work.booked.decode_tokens);
  pair(packer, "pull_in_tokens", work.booked.pull_in_tokens);
  pair(packer, "pull_out_tokens", work.booked.pull_out_tokens);
  key(packer, "hits");
  packer.pack_map(3);
  pair(packer, "reports", work.hits.reports);
  pair(packer, "predicted_tokens", work.hits.predicted_tokens);
  pair(packer, "actual_tokens", work.hits.actual_tokens);
}

void pack_route(Packer& packer, const RouteView& route) {
  packer.pack_map(5);
  key(packer, "prefill");
  pack_target(packer, route.prefill);
  key(packer, "decode");
  pack_target(packer, route.decode);
  pack_source(packer, route.source);
  pair(packer, "reason", route.reason);
  key(packer, "booking");
  route.booking ? packer.pack_uint64(*route.booking) : packer.pack_nil();
}

void pack_redirect(Packer& packer, const RedirectView& redirect) {
  packer.pack_map(3);
  key(packer, "target");
  pack_target(packer, redirect.target);
  pack_source(packer, redirect.source);
  pair(packer, "reason", redirect.reason);
}

void pack_explain(Packer& packer, const ExplainView& explain) {
  packer.pack_map(8);
  pair(packer, "tokens", std::uint64_t{explain.tokens});
  pair(packer, "policy", explain.policy);
  pair(packer, "reason", explain.reason);
  pair(packer, "near_equals", std::uint64_t{explain.near_equals});
  key(packer, "prefill");
  pack_target(packer, explain.prefill);
  key(packer, "decode");
  pack_target(packer, explain.decode);
  pack_source(packer, explain.source);
  key(packer, "candidates");
  packer.pack_array(static_cast<std::uint32_t>(explain.candidates.size()));
  for (const CandidateView& row : explain.candidates) pack_candidate(packer, row);
}

void pack_routing(Packer& packer, const RoutingView& routing) {
  packer.pack_map(5);
  key(packer, "routed");
  packer.pack_map(static_cast<std::uint32_t>(routing.routed.size()));
  for (const auto& [reason, count] : routing.routed) pair(packer, reason, count);
  pair(packer, "bookings", routing.bookings);
  pair(packer, "bookings_expired", routing.bookings_expired);
  pair(packer, "speculative_chunks", routing.speculative_chunks);
  pair(packer, "warming_up", routing.warming_up);
}

}  // namespace radixmesh::ipc
