#include "tests/sim/liar.h"

#include "lib/base/check.h"
#include "lib/base/limits.h"
#include "lib/base/node_id.h"
#include "lib/oplog/codec.h"

namespace radixmesh::sim {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;  // of an epoch
constexpr std::size_t kInvented = 100;        // members that are nowhere

}  // namespace

Liar::Liar(Network& network, const ReplicaSettings& settings, std::uint64_t seed,
           std::optional<std::size_t> member)
    : network_(network), settings_(settings), random_(seed), member_(member) {
  if (!member_) return;
  network_.answers_instead = [this](std::size_t asker, std::size_t asked,
                                    std::string_view payload) {
    return asked == *member_ && sometimes(4) ? answer_instead(asker, payload) : std::nullopt;
  };
}

NodeId Liar::id_of(std::size_t node) const {
  return node_id(settings_.cluster, network_.addr(node));
}

// ---- in whose name -----------------------------------------------------------------------------

// What the node itself says; or what the one who is told believes, which need not be the same.
Liar::Mask Liar::mask_of(std::size_t node, std::size_t told) {
  Mask mask{.addr = network_.addr(node), .id = id_of(node), .rank = {}, .head = {}};
  const std::size_t source = network_.running(node) && sometimes(2) ? node : told;
  for (const NodeView& each : network_.replica(source).nodes(network_.now())) {
    if (each.addr != mask.addr) continue;
    mask.rank = each.rank;
    mask.role = each.role;
    mask.refute = each.refute;
    mask.head = each.head;
    if (each.epoch.value > 0) mask.epoch = each.epoch;
  }
  return mask;
}

Liar::Mask Liar::invented() {
  const std::string addr = "nowhere:" + std::to_string(below(kInvented));
  return {.addr = addr,
          .id = node_id(settings_.cluster, addr),
          .rank = NodeRank{static_cast<std::uint32_t>(number(below(20), limits::rank_max))},
          .role = static_cast<Role>(below(4)),
          .epoch = any_epoch(Epoch{1 + below(1000)}),
          .head = Seq{below(10)}};
}

Liar::Mask Liar::anybody(std::size_t told) {
  return sometimes(8) ? invented() : mask_of(below(network_.size()), told);
}

// ---- numbers -----------------------------------------------------------------------------------

std::uint64_t Liar::number(std::uint64_t real, std::uint64_t max) {
  const std::uint64_t some[] = {real, real + 1, real + 1 + below(50), max, max - 1, 0};
  return std::min(some[below(std::size(some))], max);
}

std::uint64_t Liar::any_count(std::uint64_t real) { return number(real, limits::count_max); }

std::uint32_t Liar::any_refute(std::uint32_t real) {
  return static_cast<std::uint32_t>(number(real, limits::refute_max));
}

Epoch Liar::any_epoch(Epoch real) {
  const std::uint64_t some[] = {real.value,
                                real.value + 1,
                                real.value + below(100 * kSecond),
                                limits::epoch_told_max - kSecond,
                                limits::epoch_told_max - 10 * kSecond,
                                limits::epoch_told_max,
                                limits::epoch_told_max + 1,
                                limits::epoch_max - kSecond,
                                limits::epoch_max,
                                limits::epoch_max + 1,
                                limits::count_max,
                                1};
  // Mostly the right one: then the rest of it counts.
  const std::uint64_t one = sometimes(3) ? some[below(std::size(some))] : real.value;
  return Epoch{std::clamp<std::uint64_t>(one, 1, limits::count_max)};
}

// ---- contents ----------------------------------------------------------------------------------

Anchor Liar::any_page(const Mask& mask) {
  const std::uint64_t seq = sometimes(4) ? any_count(mask.head.value) : below(mask.head.value + 2);
  const auto pages = static_cast<std::uint32_t>(1 + below(4));
  return {Seq{std::clamp<std::uint64_t>(seq, 1, limits::count_max)}, pages * settings_.page_size};
}

std::vector<Anchor> Liar::some_pages(const Mask& mask) {
  std::vector<Anchor> pages;
  for (std::size_t i = 0; i <= below(4); ++i) pages.push_back(any_page(mask));
  return pages;
}

InsertOp Liar::any_insert(const Mask& mask) {
  InsertOp insert;
  if (sometimes(2)) insert.anchor = any_page(mask);
  const std::size_t count = (1 + below(3)) * settings_.page_size;
  for (std::size_t i = 0; i < count; ++i) {
    insert.tokens.push_back(TokenId{static_cast<std::uint32_t>(below(2))});
  }
  insert.slots = {{Slot{random_() >> 1}, count}};
  return insert;
}

std::vector<VectorEntry> Liar::any_vector(std::size_t told) {
  std::vector<VectorEntry> vector;
  for (std::size_t i = 0; i <= below(3); ++i) {
    const Mask mask = anybody(told);
    vector.push_back({mask.id, any_epoch(mask.epoch), Seq{any_count(mask.head.value)}});
  }
  return vector;
}

std::vector<MemberNews> Liar::any_news(std::size_t told) {
  std::vector<MemberNews> news;
  for (std::size_t i = 0; i <= below(3); ++i) {
    const Mask mask = anybody(told);
    const auto rank = static_cast<std::uint32_t>(number(mask.rank.value, limits::rank_max));
    news.push_back({mask.addr, sometimes(2) ? mask.rank : NodeRank{rank}, mask.role,
                    any_epoch(mask.epoch), any_refute(mask.refute), any_state(), sometimes(8)});
  }
  return news;
}

Standing Liar::any_standing(std::size_t told) {
  const Mask mask = mask_of(told, told);
  return {any_epoch(mask.epoch), any_refute(mask.refute), any_state()};
}

// What is said of leases that were granted stands for as long as they do: here not for a day.
Duration Liar::any_lease(std::uint64_t longest) {
  const std::uint64_t some[] = {0, kSecond, 20 * kSecond, longest};
  return Duration{static_cast<std::int64_t>(some[below(std::size(some))])};
}

// Mostly of a mesh that stands in lists, as this one does.
Founder Liar::any_founder(const Mask& mask) {
  const Epoch life = any_epoch(mask.epoch);
  return sometimes(4) && !mask.addr.empty() ? Founder{mask.addr, std::max(life, Epoch{1})}
                                            : Founder{};
}

JoinedMessage Liar::any_joined(const Mask& mask) {
  const NodeRank rank = sometimes(4) ? kAnyRank : NodeRank{any_refute(3)};
  return {rank, static_cast<std::uint32_t>(below(4)), any_founder(mask)};
}

Introduction Liar::any_introduction(const Mask& mask, std::size_t told) {
  Introduction said;
  said.cluster = settings_.cluster;
  said.page_size = settings_.page_size;
  said.fingerprint = settings_fingerprint(settings_.cluster, settings_.page_size);
  said.addr = mask.addr;
  said.rank = sometimes(4) ? NodeRank{static_cast<std::uint32_t>(below(10))} : mask.rank;
  said.role = mask.role;
  said.publish_addr = said.bulk_addr = std::to_string(1 + below(3));
  said.refute = any_refute(mask.refute);
  said.seen = any_standing(told);
  said.former = Former{any_epoch(mask.epoch), Seq{any_count(5)}, "engine 0", sometimes(2)};
  said.lease = any_lease(30 * kSecond);
  said.beat = any_count(1);
  said.head = Seq{any_count(mask.head.value)};
  said.bookings = any_count(0);
  said.nonce = any_count(0);
  said.stamp = any_count(0);
  said.round = any_count(0);
  said.question = any_count(1);
  said.founder = any_founder(mask);
  said.ready = sometimes(2);
  said.rank_given = sometimes(4);
  said.pull_rate = any_count(0);
  return said;
}

Pulse Liar::any_pulse(const Mask& mask, std::size_t told) {
  Pulse pulse;
  pulse.beat = any_count(1);
  pulse.view_hash = random_();
  pulse.seen = any_standing(told);
  for (const VectorEntry& each : any_vector(told)) pulse.digests.push_back({each, any_digest()});
  pulse.digests.push_back({{mask.id, mask.epoch, mask.head}, any_digest()});
  pulse.news = any_news(told);
  return pulse;
}

HeadMessage Liar::any_head(const Mask& mask, std::size_t told) {
  HeadMessage head;
  head.beat = sometimes(2) ? any_count(below(1000)) : 1'000'000 + below(1000);
  head.head = Seq{any_count(mask.head.value)};
  head.digest = any_digest();
  head.vector = any_vector(told);
  head.refute = any_refute(mask.refute);
  head.engine_token = sometimes(2) ? "engine 1" : "";
  if (sometimes(2)) head.taken_over = TakenOver{any_epoch(mask.epoch), Seq{any_count(3)}};
  head.news = any_news(told);
  head.ready = sometimes(2);
  head.rank = sometimes(2) ? kAnyRank : NodeRank{any_refute(mask.rank.value)};
  head.keeps_duplicates = sometimes(2);
  return head;
}

SnapshotChunk Liar::any_chunk(const Mask& about, std::uint64_t session) {
  SnapshotChunk chunk;
  chunk.origin = about.id;
  chunk.epoch = any_epoch(about.epoch);
  chunk.session = session;
  chunk.status = static_cast<SnapshotStatus>(below(3));
  chunk.as_of = Seq{std::max<std::uint64_t>(any_count(about.head.value), 1)};
  SnapshotEntry entry;
  entry.seq = Seq{1};
  entry.body = any_insert(about);
  entry.body.anchor = {};
  chunk.has_slots = true;
  chunk.entries.push_back(std::move(entry));
  return chunk;
}

// ---- messages ----------------------------------------------------------------------------------

Message Liar::in_name_of(const Mask& mask, Body body) {
  const auto type = static_cast<std::uint8_t>(type_of(body));
  const auto ttl = static_cast<std::uint8_t>(sometimes(2) ? 1 : 1 + below(127));
  return {{type, mask.id, any_epoch(mask.epoch), Seq{}, ttl}, std::move(body)};
}

Message Liar::op_of(const Mask& mask) {
  Message op = [&] {
    switch (below(5)) {
      case 0:
        return in_name_of(mask, DeleteOp{some_pages(mask)});
      case 1:
        return in_name_of(mask, ResetOp{});
      case 2:
        return in_name_of(mask, GcQueryOp{some_pages(mask)});
      case 3:
        return in_name_of(mask, GcAbortOp{some_pages(mask)});
      default:
        return in_name_of(mask, any_insert(mask));
    }
  }();
  const std::uint64_t next = mask.head.value + 1;
  const std::uint64_t seq = sometimes(2) ? next : any_count(next);
  op.envelope.seq = Seq{std::clamp<std::uint64_t>(seq, 1, limits::count_max)};
  return op;
}

// In the order in which they were published, as a replay has them.
Bytes Liar::ops_of(const Mask& mask) {
  Bytes frames;
  for (std::size_t i = 0; i <= below(3); ++i) {
    Message op = op_of(mask);
    op.envelope.seq = Seq{std::min(mask.head.value + 1 + i, limits::count_max)};
    encode(op, frames);
  }
  return frames;
}

Body Liar::published(const Mask& mask, std::size_t told) {
  if (sometimes(8)) return MarkerMessage{any_vector(told)};
  if (!sometimes(3)) return any_head(mask, told);
  BookingsMessage bookings{any_count(below(100)), {}, {}};
  const auto requests = static_cast<std::uint32_t>(1 + below(1000));
  bookings.promises.emplace_back(anybody(told).id, Promise{requests, requests, 100'000, 100'000});
  if (sometimes(2)) bookings.promises.back().second.pull_in_tokens = 1 + below(100'000);
  if (sometimes(2)) bookings.promises.back().second.pull_out_tokens = 1 + below(10'000'000);
  std::vector<ChunkHash> chunks(1 + below(20));
  const bool collide = sometimes(2);
  for (ChunkHash& chunk : chunks) chunk = ChunkHash{collide ? below(1000) << 40 : any_count(0)};
  bookings.chunks.emplace_back(anybody(told).id, std::move(chunks));
  return bookings;
}

Body Liar::question(const Mask& mask, std::size_t told) {
  const Mask about = anybody(told);
  switch (below(11)) {
    case 0:
      return HelloMessage{any_introduction(mask, told)};
    case 1:
      return HeartbeatMessage{any_pulse(mask, told)};
    case 2:
      return NewsMessage{any_news(told), sometimes(2)};
    case 3:
      return TickMessage{.initiator = about.id,
                         .initiator_epoch = any_epoch(about.epoch),
                         .nonce = any_count(5),
                         .round = static_cast<std::uint8_t>(1 + below(2)),
                         .hops_left = static_cast<std::uint32_t>(below(20)),
                         .visited = {{about.id, any_epoch(about.epoch), any_refute(about.refute)}},
                         .skipped = {id_of(told)}};
    case 4: {
      const Mask self = mask_of(told, told);
      return RegisterMessage{any_count(3),
                             any_count(1'000'000),
                             sometimes(3),
                             self.epoch,
                             Seq{any_count(self.head.value)},
                             sometimes(2),
                             some_pages(self),
                             {{any_page(self), any_count(3)}}};
    }
    case 5:
      return HoldMessage{any_count(mask.epoch.value), any_lease(limits::lease_us_max),
                         some_pages(mask_of(told, told))};
    case 6:
      return ProbeRequest{about.id};
    case 7:
      return ReplayRequest{about.id, any_epoch(about.epoch), Seq{1},
                           Seq{std::max<std::uint64_t>(any_count(about.head.value), 1)}};
    case 8:
      return SnapshotRequest{about.id,       any_epoch(about.epoch), Seq{any_count(0)},
                             random_() >> 2, sometimes(2),           ""};
    case 9:
      return SnapshotCredit{about.id, random_() >> 2, static_cast<std::uint32_t>(below(1000))};
    default:
      return JoinMessage{any_introduction(sometimes(2) ? mask : about, told)};
  }
}

// ---- its own answers ---------------------------------------------------------------------------

Body Liar::unasked_answer(const Mask& mask, std::size_t told) {
  const Mask about = anybody(told);
  switch (below(9)) {
    case 0:
      return WelcomeMessage{any_introduction(mask, told)};
    case 1:
      return RefusedMessage{"it is not wanted"};
    case 2:
      return HeartbeatAckMessage{any_pulse(mask, told)};
    case 3:
      return ProbeReport{about.id, sometimes(2)};
    case 4:
      return NewsMessage{any_news(told), sometimes(2)};
    case 5:
      return ReplayMessage{about.id, any_epoch(about.epoch), ReplayStatus::frames, ops_of(about)};
    case 6:
      return HeldMessage{any_count(mask.epoch.value), some_pages(mask)};
    case 7:
      return any_joined(mask);
    default:
      return RegisteredMessage{any_count(1),
                               any_count(1'000'000),
                               Seq{any_count(mask.head.value)},
                               GcMode::local_ref,
                               any_lease(limits::lease_us_max),
                               {}};
  }
}

// To what it is asked, with the numbers of the question, so that it is believed.
std::optional<Body> Liar::answer_to(const Message& asked, const Mask& mask, std::size_t asker) {
  if (const auto* hello = std::get_if<HelloMessage>(&asked.body)) {
    WelcomeMessage welcome{any_introduction(mask, asker)};
    welcome.question = hello->question;
    return welcome;
  }
  if (const auto* tick = std::get_if<TickMessage>(&asked.body)) {
    return TickAckMessage{tick->initiator, tick->nonce, tick->round};  // and goes no further
  }
  if (const auto* probe = std::get_if<ProbeRequest>(&asked.body)) {
    return ProbeReport{probe->target, sometimes(2)};
  }
  if (std::holds_alternative<HeartbeatMessage>(asked.body)) {
    return HeartbeatAckMessage{any_pulse(mask, asker)};
  }
  if (const auto* reader = std::get_if<RegisterMessage>(&asked.body)) {
    return RegisteredMessage{reader->nonce,
                             reader->stamp,
                             Seq{any_count(mask.head.value)},
                             GcMode::local_ref,
                             any_lease(limits::lease_us_max),
                             {}};
  }
  if (const auto* hold = std::get_if<HoldMessage>(&asked.body)) {
    return HeldMessage{hold->round, {}};  // and keeps nothing
  }
  if (std::holds_alternative<JoinMessage>(asked.body)) {
    return any_joined(mask);
  }
  Mask about = anybody(asker);
  if (const auto* replay = std::get_if<ReplayRequest>(&asked.body)) {
    about.id = replay->origin;
    about.head = Seq{replay->first.value - 1};
    return ReplayMessage{replay->origin, replay->epoch, static_cast<ReplayStatus>(below(3)),
                         ops_of(about)};
  }
  if (const auto* snapshot = std::get_if<SnapshotRequest>(&asked.body)) {
    // Of the asker's own former life it could give anything: nobody else is asked about that.
    if (snapshot->origin == id_of(asker)) return std::nullopt;
    about.id = snapshot->origin;
    about.epoch = snapshot->epoch;
    about.head = snapshot->applied;
    return any_chunk(about, snapshot->session);
  }
  return std::nullopt;
}

std::optional<Bytes> Liar::answer_instead(std::size_t asker, std::string_view payload) {
  const auto frame = take_frame(payload);
  if (!frame || !network_.running(*member_) || !network_.running(asker)) return std::nullopt;
  const auto asked = decode(*frame);
  if (!asked) return std::nullopt;  // corrupted on its way
  const Mask mask = mask_of(*member_, *member_);
  const auto body = answer_to(*asked, mask, asker);
  return body ? std::optional(encode(in_name_of(mask, *body))) : std::nullopt;
}

void Liar::lie() {
  const std::size_t told = below(network_.size());
  if (!network_.running(told)) return;
  const Mask mask = anybody(told);
  const std::size_t way = below(member_ ? 4 : 3);
  Bytes payload;
  for (std::size_t i = 0; i <= below(3); ++i) {
    Message message = way == 0   ? op_of(mask)
                      : way == 1 ? in_name_of(mask, published(mask, told))
                      : way == 2 ? in_name_of(mask, question(mask, told))
                                 : in_name_of(mask, ResetOp{});
    if (way == 3) {
      const Mask own = mask_of(*member_, told);
      message = in_name_of(own, unasked_answer(own, told));
    }
    encode(message, payload);
  }
  // What it says passes every gate.
  std::string_view rest = payload;
  while (!rest.empty()) {
    const auto frame = take_frame(rest);
    CHECK_THAT(frame && decode(*frame), way);
  }
  if (way < 2) return network_.arrive(told, Published{payload});
  const NodeId from = way == 2 ? mask.id : id_of(*member_);
  network_.arrive(told, Received{from, Channel::control, way == 3, payload});
}

}  // namespace radixmesh::sim
