#include "tests/sim/reads.h"

#include <algorithm>

namespace radixmesh::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kWaitMax = 2s;  // for an owner's answer, as the sidecar does
constexpr std::size_t kReadsMax = 50;

}  // namespace

Duration Reads::up_to(Duration most) {
  return Duration{static_cast<std::int64_t>(network_.random() % most.count())};
}

std::size_t Reads::node_at(const std::string& addr) const {
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (network_.addr(i) == addr) return i;
  }
  return network_.size();
}

void Reads::begin(std::size_t node, const std::vector<TokenId>& key) {
  if (reads_.size() < kReadsMax) acquire(node, key, true, network_.now() + kWaitMax);
}

void Reads::acquire(std::size_t node, std::vector<TokenId> key, bool remote, TimePoint until) {
  auto acquired = network_.replica(node).acquire(network_.now(), {}, key, remote);
  network_.perform(node);
  checker_.engine(node).called();
  if (!acquired) return;
  if (acquired->wait) {
    waiting_.push_back({node, std::move(key), *acquired->wait, until});
    return;
  }
  Read read{.node = node,
            .key = std::move(key),
            .acquired = std::move(*acquired),
            .read_at = {},
            .asked_at = {},
            .born = {}};
  read.lied_to = checker_.believes_lies;
  read.read_at = network_.now() + up_to(longest_);
  // Mostly at once; but the process may be held up in between.
  read.asked_at = read.read_at + (network_.random() % 4 == 0 ? up_to(longest_) : Duration{0});
  const StatusView status = network_.replica(node).status();
  for (const SegmentView& segment : read.acquired.segments) {
    const Epoch epoch = status.vector.at(segment.addr).epoch;
    read.born.push_back(checker_.engine_of(segment.addr, epoch));
  }
  reads_.push_back(std::move(read));
}

void Reads::look_after() {
  const TimePoint now = network_.now();
  for (Waiting& each : std::exchange(waiting_, {})) {
    if (network_.paused(each.node)) {
      waiting_.push_back(std::move(each));
    } else if (now >= each.until) {
      acquire(each.node, std::move(each.key), false, each.until);
    } else if (network_.replica(each.node).waits(now, each.wait)) {
      waiting_.push_back(std::move(each));
    } else {
      acquire(each.node, std::move(each.key), true, each.until);
    }
  }
  for (Read& each : reads_) {
    if (!each.is_read && now >= each.read_at) read(each);
  }
  std::erase_if(reads_, [&](const Read& each) {
    // A process that is stopped answers nothing.
    if (!each.is_read || now < each.asked_at || network_.paused(each.node)) return false;
    ask(each);
    return true;
  });
}

// The bytes come without any sidecar.
void Reads::read(Read& read) {
  read.is_read = true;
  const std::vector<Stamp> stamps = stamps_of(read.key);
  for (std::size_t i = 0; i < read.acquired.segments.size(); ++i) {
    const SegmentView& segment = read.acquired.segments[i];
    const Engine& engine = checker_.engine(node_at(segment.addr));
    if (engine.born() != read.born[i]) read.lost = true;
    if (!segment.slots) continue;
    std::size_t token = segment.begin;
    for (const SlotRun& run : segment.slots->runs()) {
      for (std::uint64_t slot = 0; slot < run.count; ++slot, ++token) {
        if (engine.stamp_in(run.start.value + slot) != stamps[token]) read.wrong = true;
      }
    }
  }
}

void Reads::ask(const Read& read) {
  Replica& replica = network_.replica(read.node);
  const bool valid = replica.is_valid(network_.now(), read.acquired.reference);
  if (read.acquired.reference != 0) ++(valid && !read.lost ? accepted : refused);
  if (valid && !read.lost && read.wrong && !read.lied_to && !checker_.violation) {
    checker_.violation = "node " + std::to_string(read.node) + " used bytes of a freed slot of " +
                         read.acquired.segments.back().addr + ", read at " +
                         std::to_string(read.read_at.time_since_epoch().count());
  }
  replica.release(network_.now(), read.acquired.path, read.acquired.reference);
  network_.perform(read.node);
}

void Reads::died(std::size_t node) {
  std::erase_if(waiting_, [node](const Waiting& each) { return each.node == node; });
  std::erase_if(reads_, [node](const Read& each) { return each.node == node; });
}

}  // namespace radixmesh::sim
