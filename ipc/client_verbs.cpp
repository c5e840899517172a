// The verbs of the client: how each packs its parameters and reads its answer.
#include <utility>

#include "ipc/client.h"
#include "ipc/packing.h"
#include "ipc/reading.h"

namespace radixmesh::ipc {
namespace {

void pack_query(Packer& packer, std::span<const TokenId> tokens, const CacheNamespace& name) {
  pack_text(packer, "tokens");
  pack_tokens(packer, tokens);
  pack_text(packer, "namespace");
  pack_namespace(packer, name);
}

SlotRuns freed_of(const Answer& answer) { return Reader(answer.get()).field("freed").slots(); }

std::vector<Segment> segments_of(const Reader& answer) {
  std::vector<Segment> segments;
  for (std::uint32_t i = 0; i < answer.size(); ++i) {
    const Reader each = answer.at(i);
    Segment segment{each.at(0).u32(), each.at(1).u32(), each.at(2).text(), {}};
    if (!each.at(3).is_nil()) segment.slots = each.at(3).slots();
    segments.push_back(std::move(segment));
  }
  return segments;
}

MatchResult match_of(const Reader& answer) {
  MatchResult match;
  match.length = answer.field("length").u32();
  match.local_length = answer.field("local_length").u32();
  match.local_slots = answer.field("local_slots").slots();
  answer.field("depths").for_each_pair(
      [&](const std::string& addr, const Reader& tokens) { match.depths[addr] = tokens.u32(); });
  match.segments = segments_of(answer.field("segments"));
  return match;
}

std::optional<RouteTarget> target_of(const Reader& answer) {
  if (answer.is_nil()) return std::nullopt;
  return RouteTarget{answer.field("addr").text(), answer.field("rank").u32(),
                     answer.field("depth").u32()};
}

std::optional<RouteSource> source_of(const Reader& answer) {
  const auto source = answer.optional_field("source");
  if (!source || source->is_nil()) return std::nullopt;
  return RouteSource{source->field("addr").text(), source->field("depth").u32(),
                     source->field("tokens").u32()};
}

}  // namespace

Lease::Lease(Client* client, std::uint64_t id, MatchResult match, std::vector<Segment> segments)
    : match(std::move(match)), segments(std::move(segments)), client_(client), id_(id) {}
Lease::Lease(Lease&& other) noexcept
    : match(std::move(other.match)),
      segments(std::move(other.segments)),
      client_(std::exchange(other.client_, nullptr)),
      id_(other.id_) {}
Lease& Lease::operator=(Lease&& other) noexcept {
  std::swap(match, other.match);
  std::swap(segments, other.segments);
  std::swap(client_, other.client_);
  std::swap(id_, other.id_);
  return *this;
}
Lease::~Lease() {
  try {
    release();
  } catch (const std::exception&) {
    // The connection is gone, and with it the lease.
  }
}
void Lease::release() {
  if (Client* client = std::exchange(client_, nullptr)) client->release(id_);
}

bool Lease::is_valid() { return client_ != nullptr && client_->is_valid(id_); }

Inserted Client::insert(std::span<const TokenId> tokens, const SlotRuns& slots,
                        const CacheNamespace& name) {
  const Answer answer = call("insert", 3, [&](Packer& packer) {
    pack_query(packer, tokens, name);
    pack_text(packer, "slots");
    pack_slots(packer, slots);
  });
  const Reader result(answer.get());
  return {result.field("prefix_len").u32(), result.field("stored").u32(),
          result.field("freed").slots()};
}

MatchResult Client::match_prefix(std::span<const TokenId> tokens, const CacheNamespace& name,
                                 bool touch) {
  const Answer answer = call("match_prefix", 3, [&](Packer& packer) {
    pack_query(packer, tokens, name);
    pack_text(packer, "touch");
    touch ? packer.pack_true() : packer.pack_false();
  });
  return match_of(Reader(answer.get()));
}

Lease Client::acquire(std::span<const TokenId> tokens, const CacheNamespace& name, bool remote,
                      std::string_view source) {
  const bool names_one = remote && !source.empty();  // older sidecars do not know of it
  const Answer answer = call("acquire", names_one ? 4 : 3, [&](Packer& packer) {
    pack_query(packer, tokens, name);
    pack_text(packer, "remote");
    remote ? packer.pack_true() : packer.pack_false();
    if (!names_one) return;
    pack_text(packer, "source");
    pack_text(packer, source);
  });
  const Reader result(answer.get());
  return Lease(this, result.field("lease").u64(), match_of(result.field("match")),
               segments_of(result.field("segments")));
}

bool Client::is_valid(std::uint64_t lease) {
  const Answer answer = call("validate", 1, [&](Packer& packer) {
    pack_text(packer, "lease");
    packer.pack_uint64(lease);
  });
  return Reader(answer.get()).field("valid").boolean();
}

Evicted Client::evict(std::uint64_t num_tokens) {
  const Answer answer = call("evict", 1, [&](Packer& packer) {
    pack_text(packer, "num_tokens");
    packer.pack_uint64(num_tokens);
  });
  return {freed_of(answer), Reader(answer.get()).field("retiring").u64()};
}

Answer Client::gc(bool run) {
  return call("gc", 1, [&](Packer& packer) {
    pack_text(packer, "run");
    run ? packer.pack_true() : packer.pack_false();
  });
}

void Client::acknowledge_free(std::uint64_t number) {
  call("gc_ack", 1, [&](Packer& packer) {
    pack_text(packer, "number");
    packer.pack_uint64(number);
  });
}

SlotRuns Client::remove(std::span<const TokenId> tokens, const CacheNamespace& name) {
  return freed_of(call("delete", 2, [&](Packer& packer) { pack_query(packer, tokens, name); }));
}

SlotRuns Client::reset() {
  return freed_of(call("reset", 0, [](Packer&) {}));
}

RouteResult Client::route(std::span<const TokenId> tokens, const CacheNamespace& name, bool book) {
  const Answer answer = call("route", 3, [&](Packer& packer) {
    pack_query(packer, tokens, name);
    pack_text(packer, "book");
    book ? packer.pack_true() : packer.pack_false();
  });
  const Reader result(answer.get());
  const Reader booking = result.field("booking");
  return {target_of(result.field("prefill")), target_of(result.field("decode")), source_of(result),
          result.field("reason").text(),
          booking.is_nil() ? std::nullopt : std::optional(booking.u64())};
}

void Client::prefill_done(std::uint64_t booking, std::optional<std::uint64_t> hit_tokens) {
  call("prefill_done", 2, [&](Packer& packer) {
    pack_text(packer, "booking");
    packer.pack_uint64(booking);
    pack_text(packer, "hit_tokens");
    hit_tokens ? packer.pack_uint64(*hit_tokens) : packer.pack_nil();
  });
}

void Client::finish(std::uint64_t booking) {
  call("finish", 1, [&](Packer& packer) {
    pack_text(packer, "booking");
    packer.pack_uint64(booking);
  });
}

void Client::finish_warm_up() {
  call("finish_warm_up", 0, [](Packer&) {});
}

RedirectResult Client::redirect(std::span<const TokenId> tokens, const CacheNamespace& name,
                                const std::vector<std::string>& visited) {
  const Answer answer = call("redirect", 3, [&](Packer& packer) {
    pack_query(packer, tokens, name);
    pack_text(packer, "visited");
    packer.pack_array(static_cast<std::uint32_t>(visited.size()));
    for (const std::string& addr : visited) pack_text(packer, addr);
  });
  const Reader result(answer.get());
  return {target_of(result.field("target")), source_of(result), result.field("reason").text()};
}

Answer Client::explain(std::span<const TokenId> tokens, const CacheNamespace& name) {
  return call("explain", 2, [&](Packer& packer) { pack_query(packer, tokens, name); });
}

void Client::report_load(std::uint32_t running, std::uint32_t waiting, std::uint64_t kv_used,
                         std::uint64_t kv_total, std::optional<std::uint64_t> queued_tokens,
                         std::optional<std::uint64_t> prefill_rate) {
  call("report_load", 6, [&](Packer& packer) {
    pack_text(packer, "prefill_rate");
    prefill_rate ? packer.pack_uint64(*prefill_rate) : packer.pack_nil();
    pack_text(packer, "running");
    packer.pack_uint32(running);
    pack_text(packer, "waiting");
    packer.pack_uint32(waiting);
    pack_text(packer, "queued_tokens");
    queued_tokens ? packer.pack_uint64(*queued_tokens) : packer.pack_nil();
    pack_text(packer, "kv_used");
    packer.pack_uint64(kv_used);
    pack_text(packer, "kv_total");
    packer.pack_uint64(kv_total);
  });
}

Client::Milliseconds Client::member_remove(std::string_view addr) {
  const Answer answer = call("member_remove", 1, [&](Packer& packer) {
    pack_text(packer, "addr");
    pack_text(packer, addr);
  });
  return Milliseconds(Reader(answer.get()).field("wait_ms").u64());
}

void Client::drain() {
  call("drain", 0, [](Packer&) {});
}

Answer Client::hello(std::string_view client_name, std::string_view engine_token,
                     KnownState known) {
  const bool knows = known.epoch > 0;
  return call("hello", 2 + (engine_token.empty() ? 0 : 1) + (knows ? 1 : 0), [&](Packer& packer) {
    if (knows) {
      pack_text(packer, "state");
      packer.pack_array(2);
      packer.pack_uint64(known.epoch);
      packer.pack_uint64(known.seq);
    }
    if (!engine_token.empty()) {
      pack_text(packer, "engine_token");
      packer.pack_bin(static_cast<std::uint32_t>(engine_token.size()));
      packer.pack_bin_body(engine_token.data(), static_cast<std::uint32_t>(engine_token.size()));
    }
    pack_text(packer, "client");
    pack_text(packer, client_name);
    pack_text(packer, "protocol");
    packer.pack_array(2);
    packer.pack_uint8(1);
    packer.pack_uint8(1);
  });
}
Answer Client::status() {
  return call("status", 0, [](Packer&) {});
}
Answer Client::nodes() {
  return call("nodes", 0, [](Packer&) {});
}

Answer Client::tree(std::uint64_t skip, std::uint64_t limit,
                    const std::optional<std::string>& holder) {
  return call("tree", 3, [&](Packer& packer) {
    pack_text(packer, "skip");
    packer.pack_uint64(skip);
    pack_text(packer, "limit");
    packer.pack_uint64(limit);
    pack_text(packer, "holder");
    holder ? pack_text(packer, *holder) : void(packer.pack_nil());
  });
}

void Client::subscribe(const std::vector<std::string>& events) {
  call("subscribe", 1, [&](Packer& packer) {
    pack_text(packer, "events");
    packer.pack_array(static_cast<std::uint32_t>(events.size()));
    for (const std::string& event : events) pack_text(packer, event);
  });
}

}  // namespace radixmesh::ipc
