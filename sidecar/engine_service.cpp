#include "sidecar/engine_service.h"

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

constexpr std::uint32_t kIpcProtocol = 1;

tl::unexpected<Refusal> refuse(RefusalCode code, std::string message) {
  return tl::unexpected(Refusal{code, std::move(message)});
}

void pack_number(Packer& packer, std::string_view name, std::uint64_t value) {
  pack_text(packer, name);
  packer.pack_uint64(value);
}

void pack_freed(Packer& packer, const SlotRuns& freed) {
  packer.pack_map(1);
  pack_text(packer, "freed");
  ipc::pack_slots(packer, freed);
}

void pack_event(Packer& packer, std::string_view name, std::string_view value) {
  pack_text(packer, name);
  pack_text(packer, value);
}

std::string_view op_name(MessageType type) {
  switch (type) {
    case MessageType::insert:
      return "INSERT";
    case MessageType::remove:
      return "DELETE";
    case MessageType::gc_query:
      return "GC_QUERY";
    case MessageType::gc_abort:
      return "GC_ABORT";
    default:
      return "RESET";
  }
}

// For an owner's answer to the registration of a reference.
constexpr Duration kReferenceWaitMax = std::chrono::seconds(2);

}  // namespace

const std::map<std::string_view, EngineService::Method>& EngineService::methods() {
  static const std::map<std::string_view, Method> table = {
      {"hello", &EngineService::hello},
      {"insert", &EngineService::insert},
      {"match_prefix", &EngineService::match_prefix},
      {"acquire", &EngineService::acquire},
      {"release", &EngineService::release},
      {"validate", &EngineService::validate},
      {"gc", &EngineService::gc},
      {"gc_ack", &EngineService::gc_ack},
      {"evict", &EngineService::evict},
      {"delete", &EngineService::remove},
      {"reset", &EngineService::reset},
      {"route", &EngineService::route},
      {"redirect", &EngineService::redirect},
      {"explain", &EngineService::explain},
      {"prefill_done", &EngineService::prefill_done},
      {"finish", &EngineService::finish},
      {"finish_warm_up", &EngineService::finish_warm_up},
      {"report_load", &EngineService::report_load},
      {"status", &EngineService::status},
      {"nodes", &EngineService::nodes},
      {"tree", &EngineService::tree},
      {"subscribe", &EngineService::subscribe},
      {"member_remove", &EngineService::member_remove},
      {"drain", &EngineService::drain},
  };
  return table;
}

tl::expected<void, Refusal> EngineService::call(ipc::ClientId client, std::string_view method,
                                                ipc::Params& params, Packer& result,
                                                bool& answer_later) {
  const auto found = methods().find(method);
  if (found == methods().end()) {
    return refuse(RefusalCode::upgrade, "unknown method: " + std::string(method.substr(0, 64)));
  }
  clients_[client].heard = steady_now();
  Call call{client, params, result, answer_later};
  return (this->*found->second)(call);
}

bool EngineService::may_go_on(ipc::ClientId client) {
  const auto& wait = clients_[client].wait;
  if (!wait) {
    const bool others = resets_ && *resets_ != client;
    return !replica_.recovering() && !replica_.is_resetting() && !others && left_behind_.empty();
  }
  const TimePoint now = steady_now();
  return now >= clients_[client].wait_until || !replica_.waits(now, *wait);
}

// However many a client held, no turn releases more than a bounded number.
void EngineService::leave_behind(ClientState& client) {
  for (const auto& [id, lease] : client.leases) left_behind_.push_back(lease);
  client.leases.clear();
}

void EngineService::release_left_behind(TimePoint now) {
  for (std::size_t i = 0; i < limits::released_leases_per_turn_max && has_work(); ++i) {
    const Lease lease = left_behind_.back();
    left_behind_.pop_back();
    --leases_;
    replica_.release(now, lease.path, lease.reference);
  }
  if (left_behind_.empty()) std::vector<Lease>().swap(left_behind_);
}

void EngineService::closed(ipc::ClientId client) {
  const auto found = clients_.find(client);
  if (found != clients_.end()) {
    leave_behind(found->second);
    reset_unwanted_ = reset_unwanted_ || resets_ == client;
    clients_.erase(found);
  }
  engine_frees_changed();
}

void EngineService::engine_frees_changed() {
  replica_.set_engine_frees(steady_now(), server_->wanted(ipc::EventKind::gc_free),
                            server_->wanted(ipc::EventKind::gc_advice));
}

void EngineService::look_after(TimePoint now) {
  release_left_behind(now);
  if (reset_unwanted_ && !replica_.is_resetting()) {
    (void)replica_.finish_reset();
    reset_unwanted_ = false;
    resets_.reset();
  }
  std::vector<ipc::ClientId> came;
  for (auto& [id, client] : clients_) {
    if (std::exchange(client.wants_frees, false)) came.push_back(id);
    if (client_lease_ > Duration{0} && now - client.heard >= client_lease_) {
      leave_behind(client);
    }
  }
  // Whoever does not read is cut while it is told, and gone from the clients.
  for (ipc::ClientId id : came) {
    server_->subscribe(id, ipc::EventKind::gc_free);
    for (const GcFree& each : replica_.unacknowledged()) tell(each, id);
  }
  if (!came.empty()) engine_frees_changed();
}

EngineService::Outcome EngineService::hello(Call& call) {
  const auto protocol = call.params.optional_u64s("protocol", 2);
  call.params.optional_text("client", 256);
  const auto token = call.params.optional_binary("engine_token", limits::engine_token_bytes_max);
  const auto state = call.params.optional_u64s("state", 2);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (protocol && ((*protocol)[0] > kIpcProtocol || (*protocol)[1] < kIpcProtocol)) {
    return refuse(RefusalCode::upgrade, "the protocol spoken here is 1");
  }
  if (state && !token) return refuse(RefusalCode::fix_request, "state needs an engine_token");
  if (token) {
    const std::string& before = replica_.self().engine_token;
    if (before != *token && replica_.recovering()) {
      // First what the one before had is here as a whole, so that all of it can go.
      call.answer_later = true;
      return {};
    }
    if (!before.empty() && before != *token) {
      // Another engine: what clients of the earlier one locked is gone with it.
      for (auto& [id, client] : clients_) leave_behind(client);
      if (has_work()) {
        call.answer_later = true;
        return {};
      }
    }
    KnownState known;
    if (state) known = {Epoch{(*state)[0]}, Seq{(*state)[1]}};
    replica_.attach_engine(steady_now(), *token, known);
    if (replica_.recovering()) {
      call.answer_later = true;
      return {};
    }
  }
  Packer& out = call.result;
  const Member& self = replica_.self();
  const StatusView status = replica_.status();
  out.pack_map(10);
  pack_number(out, "protocol", kIpcProtocol);
  pack_event(out, "addr", self.addr);
  pack_number(out, "rank", self.rank.value);
  pack_event(out, "role", role_name(self.role));
  pack_event(out, "cluster", status.cluster);
  pack_number(out, "page_size", status.page_size);
  pack_number(out, "epoch", self.epoch.value);
  pack_number(out, "local_tokens", status.local_tokens);
  const Duration wait = replica_.free_wait(steady_now());
  pack_number(out, "free_wait_ms", static_cast<std::uint64_t>((wait.count() + 999) / 1000));
  pack_text(out, "limits");
  out.pack_map(8);
  pack_number(out, "frame_bytes_max", limits::ipc_frame_bytes_max);
  pack_number(out, "tokens_max", limits::request_tokens_max);
  pack_number(out, "runs_max", limits::ipc_runs_max);
  pack_number(out, "answer_runs_max", limits::answer_runs_max);
  pack_number(out, "evicted_runs_max", limits::evicted_runs_max);
  pack_number(out, "clients_max", limits::ipc_clients_max);
  pack_number(out, "output_bytes_max", limits::ipc_output_bytes_max);
  pack_number(out, "leases_max", limits::ipc_leases_max);
  return {};
}

EngineService::Outcome EngineService::insert(Call& call) {
  const auto tokens = call.params.tokens();
  const SlotRuns slots = call.params.slots();
  const CacheNamespace name = call.params.name_space();
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (replica_.is_resetting()) {
    call.answer_later = true;
    return {};
  }
  const auto result = replica_.insert(steady_now(), name, tokens, slots);
  if (!result) return tl::unexpected(result.error());
  call.result.pack_map(3);
  pack_number(call.result, "prefix_len", result->prefix_len);
  pack_number(call.result, "stored", result->stored);
  pack_text(call.result, "freed");
  ipc::pack_slots(call.result, result->freed);
  return {};
}

EngineService::Outcome EngineService::match_prefix(Call& call) {
  const auto tokens = call.params.tokens();
  const CacheNamespace name = call.params.name_space();
  const bool touch = call.params.optional_boolean("touch").value_or(true);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  ipc::pack_match(call.result, replica_.match_prefix(name, tokens, touch));
  return {};
}

EngineService::Outcome EngineService::acquire(Call& call) {
  const auto tokens = call.params.tokens();
  const CacheNamespace name = call.params.name_space();
  const auto source = call.params.optional_text("source", limits::address_bytes_max);
  const bool remote = call.params.optional_boolean("remote").value_or(source.has_value());
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  ClientState& client = clients_[call.client];
  if (client.leases.size() >= limits::ipc_leases_max) {
    return refuse(RefusalCode::send_less,
                  "more than " + std::to_string(limits::ipc_leases_max) + " leases");
  }
  if (leases_ >= limits::ipc_leases_all_max) {
    return refuse(RefusalCode::retry_later,
                  "all clients together hold " + std::to_string(leases_) + " leases");
  }
  const TimePoint now = steady_now();
  // Who has waited long enough takes what is here.
  const bool gives_up = client.wait && now >= client.wait_until;
  const auto acquired =
      replica_.acquire(now, name, tokens, remote && !gives_up, source.value_or(""));
  if (!acquired) {
    client.wait.reset();
    return tl::unexpected(acquired.error());
  }
  if (acquired->wait) {
    if (!client.wait) client.wait_until = now + kReferenceWaitMax;
    client.wait = acquired->wait;
    call.answer_later = true;
    return {};
  }
  client.wait.reset();
  const std::uint64_t id = next_lease_++;
  client.leases[id] = {acquired->path, acquired->reference};
  ++leases_;
  call.result.pack_map(3);
  pack_number(call.result, "lease", id);
  pack_text(call.result, "match");
  ipc::pack_match(call.result, acquired->match);
  pack_text(call.result, "segments");
  ipc::pack_segments(call.result, acquired->segments);
  return {};
}

EngineService::Outcome EngineService::release(Call& call) {
  const std::uint64_t id = call.params.u64("lease");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  auto& leases = clients_[call.client].leases;
  const auto found = leases.find(id);
  if (found == leases.end()) {
    return refuse(RefusalCode::fix_request, "this connection holds no lease " + std::to_string(id));
  }
  replica_.release(steady_now(), found->second.path, found->second.reference);
  leases.erase(found);
  --leases_;
  call.result.pack_map(0);
  return {};
}

// A lease that is no more is not valid; to ask is no error, as it may have ended by itself.
EngineService::Outcome EngineService::validate(Call& call) {
  const std::uint64_t id = call.params.u64("lease");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  const auto& leases = clients_[call.client].leases;
  const auto found = leases.find(id);
  const bool valid =
      found != leases.end() && replica_.is_valid(steady_now(), found->second.reference);
  call.result.pack_map(1);
  pack_text(call.result, "valid");
  valid ? call.result.pack_true() : call.result.pack_false();
  return {};
}

EngineService::Outcome EngineService::evict(Call& call) {
  const std::uint64_t num_tokens = call.params.u64("num_tokens");
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  const auto evicted = replica_.evict(steady_now(), num_tokens);
  if (!evicted) return tl::unexpected(evicted.error());
  call.result.pack_map(2);
  pack_text(call.result, "freed");
  ipc::pack_slots(call.result, evicted->freed);
  pack_number(call.result, "retiring", evicted->retiring);
  return {};
}

EngineService::Outcome EngineService::remove(Call& call) {
  const auto tokens = call.params.tokens();
  const CacheNamespace name = call.params.name_space();
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  const auto freed = replica_.remove(steady_now(), name, tokens);
  if (!freed) return tl::unexpected(freed.error());
  pack_freed(call.result, *freed);
  return {};
}

EngineService::Outcome EngineService::reset(Call& call) {
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (!resets_) {
    if (auto refusal = replica_.begin_reset(steady_now())) return tl::unexpected(*refusal);
    resets_ = call.client;
  }
  if (replica_.is_resetting() || *resets_ != call.client) {
    call.answer_later = true;
    return {};
  }
  resets_.reset();
  pack_freed(call.result, replica_.finish_reset());
  return {};
}

EngineService::Outcome EngineService::status(Call& call) {
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  auto numbers = more_numbers();
  std::uint64_t leases = 0;
  for (const auto& [id, client] : clients_) leases += client.leases.size();
  numbers.emplace_back("leases", leases);
  ipc::pack_status(call.result, replica_.status(), numbers);
  return {};
}

EngineService::Outcome EngineService::nodes(Call& call) {
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  ipc::pack_nodes(call.result, replica_.nodes(steady_now()));
  return {};
}

EngineService::Outcome EngineService::tree(Call& call) {
  const auto holder = call.params.optional_text("holder", limits::address_bytes_max);
  const std::uint64_t skip = call.params.optional_u64("skip").value_or(0);
  const std::uint64_t limit = call.params.optional_u64("limit").value_or(1000);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (limit > limits::ipc_tree_rows_max) {
    return refuse(RefusalCode::send_less,
                  "limit is at most " + std::to_string(limits::ipc_tree_rows_max));
  }
  if (!holder) {
    ipc::pack_tree(call.result, replica_.tree(skip, limit));
    return {};
  }
  const auto entries = replica_.entries(*holder, skip, limit);
  if (!entries) return tl::unexpected(entries.error());
  ipc::pack_entries(call.result, *entries);
  return {};
}

EngineService::Outcome EngineService::subscribe(Call& call) {
  static const std::map<std::string, ipc::EventKind, std::less<>> kinds = {
      {"op", ipc::EventKind::op},
      {"membership", ipc::EventKind::membership},
      {"gc_free", ipc::EventKind::gc_free},
      {"gc_advice", ipc::EventKind::gc_advice}};
  const std::vector<std::string> events = call.params.texts("events", 16);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (events.empty()) return refuse(RefusalCode::fix_request, "events names no event");
  for (const std::string& event : events) {
    if (!kinds.contains(event)) {
      return refuse(RefusalCode::fix_request, "unknown event: " + event.substr(0, 64));
    }
    const bool frees = event == "gc_free" || event == "gc_advice";
    if (frees && replica_.self().role == Role::router) {
      return refuse(RefusalCode::use_another_node, "a router holds nothing: nothing goes here");
    }
  }
  if (!server_->admit_subscriber(call.client)) {
    return refuse(RefusalCode::retry_later,
                  std::to_string(limits::ipc_subscribers_max) + " clients subscribe already");
  }
  for (const std::string& event : events) {
    if (event == "gc_free") {
      // At the end of this turn: what is told then to all others is among what it is told.
      clients_[call.client].wants_frees = true;
    } else {
      server_->subscribe(call.client, kinds.at(event));
    }
  }
  engine_frees_changed();
  call.result.pack_map(0);
  return {};
}

EngineService::Outcome EngineService::member_remove(Call& call) {
  const auto addr = call.params.optional_text("addr", limits::address_bytes_max);
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  if (!addr) return refuse(RefusalCode::fix_request, "`addr` is missing");
  const auto removed = replica_.member_remove(steady_now(), *addr);
  if (!removed) return tl::unexpected(removed.error());
  call.result.pack_map(2);
  pack_event(call.result, "addr", removed->addr);
  pack_number(call.result, "wait_ms",
              static_cast<std::uint64_t>((removed->waits.count() + 999) / 1000));
  return {};
}

EngineService::Outcome EngineService::drain(Call& call) {
  if (auto refusal = call.params.finish()) return tl::unexpected(*refusal);
  replica_.drain(steady_now());
  call.result.pack_map(0);
  return {};
}

void EngineService::tell(const OpApplied& event) {
  if (!server_->wanted(ipc::EventKind::op)) return;
  std::string params;
  Buffer buffer{params};
  Packer packer(buffer);
  packer.pack_map(5);
  pack_event(packer, "origin", event.origin);
  pack_number(packer, "epoch", event.epoch.value);
  pack_number(packer, "seq", event.seq.value);
  pack_event(packer, "type", op_name(event.type));
  pack_number(packer, "tokens", event.tokens);
  server_->notify(ipc::EventKind::op, "op", params);
}

void EngineService::tell(const MembershipChanged& event) {
  if (!server_->wanted(ipc::EventKind::membership)) return;
  std::string params;
  Buffer buffer{params};
  Packer packer(buffer);
  packer.pack_map(5);
  pack_event(packer, "addr", event.addr);
  pack_number(packer, "rank", event.rank.value);
  pack_event(packer, "role", role_name(event.role));
  pack_number(packer, "epoch", event.epoch.value);
  pack_event(packer, "state", state_name(event.state));
  server_->notify(ipc::EventKind::membership, "membership", params);
}

}  // namespace radixmesh
