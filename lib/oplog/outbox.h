// What the parts of a replica owe: effects in their order, lines of the log among them, and counts
// of what happened. All of them write into one, which the shell empties.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/oplog/effects.h"

namespace radixmesh {

class Outbox {
 public:
  using Counters = std::map<std::string, std::uint64_t, std::less<>>;

  void owe(Effect effect) { effects_.push_back(std::move(effect)); }
  // What is owed since the last call.
  std::vector<Effect> take() { return std::exchange(effects_, {}); }
  void log(LogLine::Level level, std::string event, std::string detail);
  void count(std::string_view what, std::uint64_t by = 1);
  const Counters& counters() const { return counters_; }

  // While one message is read it may bring about so many answers, and so many questions with one
  // for each member beside; what is more is dropped, and counted.
  void begin_message() { of_message_ = OfMessage{}; }
  void end_message() { of_message_.reset(); }
  bool may_answer();
  bool may_ask(std::size_t members);

 private:
  struct OfMessage {
    std::size_t answers = 0, questions = 0;
  };

  std::vector<Effect> effects_;
  Counters counters_;
  std::optional<OfMessage> of_message_;
};

}  // namespace radixmesh
