// The order of one origin's ops: apply the next, ignore the old, hold a bounded number after a gap.
// Frames may come in any order, twice, or not at all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "lib/base/ids.h"
#include "lib/base/limits.h"
#include "lib/base/planted.h"
#include "lib/oplog/message.h"

namespace radixmesh {

class OriginStream {
 public:
  enum class Verdict : std::uint8_t {
    next,         // apply it now, then call applied_one()
    held,         // after a gap: kept until the gap is filled
    duplicate,    // applied before, or held already
    stale_epoch,  // of an earlier life
    new_epoch,    // of a later life: call begin_epoch() and offer it again
    overflow,     // after a gap, and no room: dropped, repair will fetch it
  };

  Epoch epoch() const { return epoch_; }
  Seq applied() const { return applied_; }

  Verdict offer(Epoch epoch, Seq seq, std::string_view frame) {
    if (epoch < epoch_) return Verdict::stale_epoch;
    if (epoch > epoch_) return Verdict::new_epoch;
    if (seq <= applied_ && is_planted(PlantedFault::apply_twice)) return Verdict::next;
    if (seq <= applied_ || held_.contains(seq)) return Verdict::duplicate;
    if (is_planted(PlantedFault::no_gap_check)) return Verdict::next;
    if (seq.value == applied_.value + 1 && !paused_) return Verdict::next;
    if (held_.size() >= limits::pending_frames_max ||
        held_bytes_ + frame.size() > limits::pending_bytes_max) {
      return Verdict::overflow;
    }
    held_bytes_ += frame.size();
    held_.emplace(seq, Bytes(frame));
    return Verdict::held;
  }

  void applied_one() { ++applied_.value; }

  // While paused, the next op is held like one after a gap: the state is about to be replaced.
  void pause(bool paused) { paused_ = paused; }

  // Takes the held frame that has become the next, if there is one.
  std::optional<Bytes> take_next() {
    auto first = held_.begin();
    if (paused_ || first == held_.end() || first->first.value != applied_.value + 1) {
      return std::nullopt;
    }
    Bytes frame = std::move(first->second);
    drop(first);
    return frame;
  }

  // Another life, of which nothing is known yet.
  void begin_epoch(Epoch epoch) {
    epoch_ = epoch;
    applied_ = {};
    held_.clear();
    held_bytes_ = 0;
  }

  // The state was replaced by one as of (epoch, applied).
  void jump_to(Epoch epoch, Seq applied) {
    if (epoch != epoch_) begin_epoch(epoch);
    applied_ = applied;
    while (!held_.empty() && held_.begin()->first <= applied_) drop(held_.begin());
  }

  std::size_t held_bytes() const { return held_bytes_; }

 private:
  void drop(std::map<Seq, Bytes>::iterator at) {
    held_bytes_ -= at->second.size();
    held_.erase(at);
  }

  Epoch epoch_;
  Seq applied_;
  std::map<Seq, Bytes> held_;
  std::size_t held_bytes_ = 0;
  bool paused_ = false;
};

}  // namespace radixmesh
