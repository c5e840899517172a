// The op log: the last frames of each origin, so that a peer which missed some can have them again.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/ids.h"
#include "lib/oplog/message.h"

namespace radixmesh {

// Per origin a contiguous range of one epoch's frames, ending with the last appended. Bounded in
// bytes: this node's own, and all others' together; past a bound the oldest frames of the largest
// log go. Append before publishing, so that what was sent can always be asked for again.
class OpLog {
 public:
  OpLog(NodeId self, std::size_t own_bytes_max, std::size_t other_bytes_max)
      : self_(self), own_bytes_max_(own_bytes_max), other_bytes_max_(other_bytes_max) {}

  // Appends op `seq`. If it does not follow the last one of this origin and epoch, what was kept of
  // the origin is forgotten first. O(1) amortised.
  void append(NodeId origin, Epoch epoch, Seq seq, Bytes frame) {
    Log& log = logs_[origin];
    if (log.epoch != epoch || log.first.value + log.frames.size() != seq.value) {
      forget(origin, log);
      log.epoch = epoch;
      log.first = seq;
    }
    bytes_of(origin) += cost(frame);
    log.bytes += cost(frame);
    log.frames.push_back(std::move(frame));
    shrink(origin);
  }

  void forget(NodeId origin) {
    const auto found = logs_.find(origin);
    if (found == logs_.end()) return;
    forget(origin, found->second);
    logs_.erase(found);
  }

  // What was forgotten goes out of memory by and by: frames, about so many.
  void give_back(std::size_t frames_max) {
    for (; frames_max > 0 && !forgotten_.empty(); --frames_max) {
      std::deque<Bytes>& frames = forgotten_.back();
      if (!frames.empty()) frames.pop_back();
      if (frames.empty()) forgotten_.pop_back();
    }
  }
  bool gives_back() const { return !forgotten_.empty(); }

  // The oldest op that is kept of this epoch; nothing if none is.
  std::optional<Seq> first(NodeId origin, Epoch epoch) const {
    auto found = logs_.find(origin);
    if (found == logs_.end() || found->second.epoch != epoch || found->second.frames.empty()) {
      return std::nullopt;
    }
    return found->second.first;
  }

  // The frame of one op, or null.
  const Bytes* find(NodeId origin, Epoch epoch, Seq seq) const {
    auto found = logs_.find(origin);
    if (found == logs_.end() || found->second.epoch != epoch) return nullptr;
    const Log& log = found->second;
    const std::uint64_t at = seq.value - log.first.value;
    return seq < log.first || at >= log.frames.size() ? nullptr : &log.frames[at];
  }

  std::size_t memory_bytes() const { return own_bytes_ + other_bytes_; }

 private:
  struct Log {
    Epoch epoch;
    Seq first{1};
    std::deque<Bytes> frames;
    std::size_t bytes = 0;
  };

  static std::size_t cost(const Bytes& frame) { return sizeof(Bytes) + frame.capacity(); }
  std::size_t& bytes_of(NodeId origin) { return origin == self_ ? own_bytes_ : other_bytes_; }

  void forget(NodeId origin, Log& log) {
    bytes_of(origin) -= log.bytes;
    if (!log.frames.empty()) forgotten_.push_back(std::move(log.frames));
    log = Log{};
  }
  void drop_oldest(NodeId origin, Log& log) {
    bytes_of(origin) -= cost(log.frames.front());
    log.bytes -= cost(log.frames.front());
    log.frames.pop_front();
    ++log.first.value;
  }
  void shrink(NodeId appended) {
    if (appended == self_) {
      while (own_bytes_ > own_bytes_max_) drop_oldest(self_, logs_[self_]);
      return;
    }
    while (other_bytes_ > other_bytes_max_) {
      auto largest = logs_.end();
      for (auto each = logs_.begin(); each != logs_.end(); ++each) {
        if (each->first == self_) continue;
        if (largest == logs_.end() || each->second.bytes > largest->second.bytes) largest = each;
      }
      drop_oldest(largest->first, largest->second);
    }
  }

  NodeId self_;
  std::size_t own_bytes_max_, other_bytes_max_;
  std::size_t own_bytes_ = 0, other_bytes_ = 0;
  std::map<NodeId, Log> logs_;
  std::vector<std::deque<Bytes>> forgotten_;
};

}  // namespace radixmesh
