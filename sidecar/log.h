// The log: one line per change of state, on standard error, as key=value text or as JSON. Logging
// never waits (log_writer.h), and nothing that others do fills it (line_limiter.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/line_limiter.h"
#include "lib/replica_io.h"
#include "sidecar/log_writer.h"

namespace radixmesh {

// What a line is for. A level shows itself and those after it.
enum class LogLevel : std::uint8_t { debug, info, warn, error, off };
// By the names of --log-level.
LogLevel log_level_of(std::string_view name);

class Log {
 public:
  // `format` is one of --log-format: text or json.
  Log(LogLevel level, std::string_view format);
  ~Log();

  void set_level(LogLevel level);
  bool shows(LogLevel level) const { return level >= level_; }
  // `detail` is key=value pairs, values with spaces in double quotes; `node=` of them counts for
  // the limit. Lines of the process itself are not limited.
  void line(TimePoint now, LogLevel level, const std::string& event, const std::string& detail);
  void own_line(LogLevel level, const std::string& event, const std::string& detail);
  // To be called now and then: tells what was left out.
  void look_after(TimePoint now);

  std::uint64_t dropped() const { return writer_.dropped(); }

 private:
  LogLevel level_ = LogLevel::info;
  bool as_json_;
  LineLimiter limiter_;
  LogWriter writer_;
  std::uint64_t dropped_told_ = 0;
};

}  // namespace radixmesh
