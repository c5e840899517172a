#include "tests/bench/mesh_bench_load.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "ipc/reading.h"
#include "tests/bench/prompts.h"

namespace radixmesh::bench {
namespace {

using ipc::Reader;

double us_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

void wait_for_any(std::vector<pollfd>& items) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
  if (::poll(items.data(), items.size(), static_cast<int>(ms)) == 0) {
    throw std::runtime_error("no sidecar says anything any more");
  }
}

}  // namespace

MeshLoad::MeshLoad(Sidecars& sidecars, const LoadOptions& options)
    : sidecars_(sidecars), options_(options) {
  for (std::size_t i = 0; i < sidecars.engines(); ++i) {
    engines_.push_back({RawLink(sidecars.socket(i))});
  }
}

// ---- many at a time ----------------------------------------------------------------------------

void MeshLoad::make_next_insert(Engine& engine) {
  make_prompt(next_prompt_, options_.tokens, tokens_);
  SlotRuns slots;
  slots.append({Slot{next_prompt_ * options_.tokens}, options_.tokens});
  make_insert(engine.next_id++, tokens_, slots, request_);
  ++next_prompt_;
}

void MeshLoad::send_inserts(Engine& engine) {
  while (engine.to_send > 0 && engine.under_way < options_.window) {
    make_next_insert(engine);
    engine.link.queue(request_);
    --engine.to_send;
    ++engine.under_way;
  }
  engine.link.flush();
}

void MeshLoad::take_answers(Engine& engine) {
  while (engine.under_way > 0) {
    const auto body = engine.link.try_frame();
    if (!body) return;
    const auto answer = msgpack::unpack(body->data(), body->size());
    const Reader reader(answer.get());
    if (const auto refusal = reader.at(2).refusal()) {
      throw std::runtime_error("an insert was refused: " + refusal->message);
    }
    expect_equal("id of an answer", reader.at(1).u32(), engine.next_answer++);
    expect_equal("tokens that were there before", reader.at(3).field("prefix_len").u32(), 0u);
    expect_equal("tokens stored", reader.at(3).field("stored").u32(), options_.tokens);
    --engine.under_way;
    ++engine.inserted;
  }
}

void MeshLoad::await_answers() {
  std::vector<pollfd> items(engines_.size());
  while (true) {
    bool busy = false;
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      Engine& engine = engines_[i];
      send_inserts(engine);
      busy |= engine.under_way > 0;
      items[i] = {engine.link.descriptor(), POLLIN, 0};
      if (engine.link.wants_to_write()) items[i].events |= POLLOUT;
    }
    if (!busy) return;
    wait_for_any(items);
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      if ((items[i].revents & ~POLLOUT) != 0) take_answers(engines_[i]);
    }
  }
}

// Asks one node after the other until it has all. The answer of one that is behind comes behind its
// work, so this takes little from it.
void MeshLoad::await_all() {
  for (std::size_t node = 0; node < sidecars_.size(); ++node) {
    ipc::Client client(sidecars_.socket(node));
    wait_until("all inserts at " + sidecars_.addr(node), [&] {
      const ipc::Answer answer = client.status();
      const Reader vector = Reader(answer.get()).field("version_vector");
      for (std::size_t i = 0; i < engines_.size(); ++i) {
        const std::uint64_t seq = vector.field(sidecars_.addr(i)).at(1).u64();
        if (seq < engines_[i].inserted) return false;
      }
      return true;
    });
  }
}

Flood MeshLoad::flood(std::uint64_t inserts) {
  Flood out;
  std::vector<double> before;
  for (std::size_t i = 0; i < sidecars_.size(); ++i) before.push_back(sidecars_.cpu_seconds(i));
  for (Engine& engine : engines_) engine.to_send = inserts / engines_.size();
  out.inserts = inserts / engines_.size() * engines_.size();
  const double own = cpu_seconds_of(::getpid());
  const auto start = Clock::now();
  await_answers();
  out.accepted_seconds = seconds_since(start);
  await_all();
  out.seconds = seconds_since(start);
  out.own_cpu_seconds = cpu_seconds_of(::getpid()) - own;
  for (std::size_t i = 0; i < sidecars_.size(); ++i) {
    out.node_cpu_seconds.push_back(sidecars_.cpu_seconds(i) - before[i]);
    out.cpu_seconds += out.node_cpu_seconds.back();
  }
  return out;
}

// ---- one at a time -----------------------------------------------------------------------------

void MeshLoad::subscribe() {
  make_request(
      1, "subscribe", 1,
      [](Packer& packer) {
        pack_text(packer, "events");
        packer.pack_array(1);
        pack_text(packer, "op");
      },
      request_);
  for (std::size_t i = 1; i < sidecars_.size(); ++i) {
    subscribers_.emplace_back(sidecars_.socket(i));
    subscribers_.back().send(request_);
    subscribers_.back().read_frame();
  }
}

// How many notifications were there; one must be of op `seq` of the first engine.
std::uint64_t MeshLoad::take_notification(RawLink& link, std::uint64_t seq) {
  const auto body = link.try_frame();
  if (!body) return 0;
  const auto event = msgpack::unpack(body->data(), body->size());
  const Reader params = Reader(event.get()).at(2);
  expect_equal("origin of an op", params.field("origin").text(), sidecars_.addr(0));
  expect_equal("seq of an op", params.field("seq").u64(), seq);
  expect_equal("tokens of an op", params.field("tokens").u32(), options_.tokens);
  return 1;
}

MeshLoad::Trip MeshLoad::insert_one() {
  if (subscribers_.empty()) subscribe();
  Engine& engine = engines_.front();
  make_next_insert(engine);
  const std::uint64_t seq = engine.inserted + 1;
  engine.under_way = 1;
  std::vector<pollfd> items;
  for (const RawLink& link : subscribers_) items.push_back({link.descriptor(), POLLIN, 0});
  items.push_back({engine.link.descriptor(), POLLIN, 0});
  Trip trip;
  const auto start = Clock::now();
  engine.link.send(request_);
  for (std::uint64_t missing = subscribers_.size(); missing > 0 || engine.under_way > 0;) {
    wait_for_any(items);
    const double us = us_between(start, Clock::now());
    for (std::size_t i = 0; i < subscribers_.size(); ++i) {
      if (items[i].revents == 0) continue;
      missing -= take_notification(subscribers_[i], seq);
      trip.visible_us = us;
    }
    if (items.back().revents != 0) {
      take_answers(engine);
      trip.answered_us = us;
    }
  }
  return trip;
}

// ---- what must hold ----------------------------------------------------------------------------

void MeshLoad::check() {
  await_all();
  using Row = std::map<std::string, std::string>;
  Row versions, digests;
  std::vector<TokenId> tokens;
  for (std::size_t node = 0; node < sidecars_.size(); ++node) {
    ipc::Client client(sidecars_.socket(node));
    const ipc::Answer answer = client.status();
    const Reader status(answer.get());
    Row seen_versions, seen_digests;
    status.field("version_vector").for_each_pair([&](const std::string& addr, const Reader& entry) {
      seen_versions[addr] =
          std::to_string(entry.at(0).u64()) + "/" + std::to_string(entry.at(1).u64());
    });
    status.field("digests").for_each_pair(
        [&](const std::string& addr, const Reader& digest) { seen_digests[addr] = digest.text(); });
    if (node == 0) versions = seen_versions, digests = seen_digests;
    const std::string who = " at " + sidecars_.addr(node);
    expect_equal("version vector" + who, seen_versions, versions);
    expect_equal("digests" + who, seen_digests, digests);
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      const std::uint64_t seq = status.field("version_vector").field(sidecars_.addr(i)).at(1).u64();
      expect_equal("ops of " + sidecars_.addr(i) + who, seq, engines_[i].inserted);
    }
    expect_equal("tokens in the tree" + who, status.field("tree_tokens").u64(),
                 next_prompt_ * options_.tokens);
    expect_equal("tokens of its own" + who, status.field("local_tokens").u64(),
                 node < engines_.size() ? engines_[node].inserted * options_.tokens : 0);
    // Some of the prompts, as a lookup sees them.
    for (std::uint64_t i = 0; i < next_prompt_; i += 1 + next_prompt_ / 20) {
      make_prompt(i, options_.tokens, tokens);
      expect_equal("matched of prompt " + std::to_string(i) + who,
                   client.match_prefix(tokens).length, options_.tokens);
    }
  }
}

Counters MeshLoad::counters() {
  Counters sum;
  for (std::size_t node = 0; node < sidecars_.size(); ++node) {
    ipc::Client client(sidecars_.socket(node));
    const ipc::Answer answer = client.status();
    const Reader status(answer.get());
    for (const char* name : {"bytes_sent", "bytes_received", "messages_sent", "messages_received",
                             "messages_dropped", "messages_malformed", "memory_bytes"}) {
      sum[name] += status.field(name).u64();
    }
    status.field("counters").for_each_pair([&](const std::string& name, const Reader& value) {
      sum[name] += value.u64();
    });
  }
  return sum;
}

}  // namespace radixmesh::bench
