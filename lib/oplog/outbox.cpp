#include "lib/oplog/outbox.h"

#include "lib/base/limits.h"

namespace radixmesh {

void Outbox::log(LogLine::Level level, std::string event, std::string detail) {
  owe(LogLine{level, std::move(event), std::move(detail)});
}

void Outbox::count(std::string_view what, std::uint64_t by) {
  auto found = counters_.find(what);
  if (found == counters_.end()) found = counters_.emplace(what, 0).first;
  found->second += by;
}

bool Outbox::may_answer() {
  if (!of_message_ || ++of_message_->answers <= limits::answers_of_a_message_max) return true;
  count("answers_dropped");
  return false;
}

bool Outbox::may_ask(std::size_t members) {
  const std::size_t most = limits::answers_of_a_message_max + members;
  if (!of_message_ || ++of_message_->questions <= most) return true;
  count("questions_dropped");
  return false;
}

}  // namespace radixmesh
