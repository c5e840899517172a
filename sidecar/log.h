// The log: one line per change of state, on standard error, as key=value text or as JSON.
#pragma once

#include <string>

#include "lib/replica_io.h"

namespace radixmesh {

// `level` is a name of --log-level, `format` one of --log-format.
void open_log(const std::string& level, const std::string& format);

// `detail` is key=value pairs, values with spaces in double quotes.
void log_line(LogLine::Level level, const std::string& event, const std::string& detail);

}  // namespace radixmesh
