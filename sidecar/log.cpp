#include "sidecar/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace radixmesh {
namespace {

bool as_json = false;

spdlog::level::level_enum spdlog_level(LogLine::Level level) {
  switch (level) {
    case LogLine::Level::info:
      return spdlog::level::info;
    case LogLine::Level::warning:
      return spdlog::level::warn;
    case LogLine::Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// key=value key="value with spaces" -> the members of an object.
nlohmann::json parse_detail(const std::string& detail) {
  nlohmann::json out = nlohmann::json::object();
  for (std::size_t at = 0; at < detail.size();) {
    const std::size_t equals = detail.find('=', at);
    if (equals == std::string::npos) break;
    const bool quoted = equals + 1 < detail.size() && detail[equals + 1] == '"';
    const std::size_t begin = equals + (quoted ? 2 : 1);
    const std::size_t end = std::min(detail.find(quoted ? '"' : ' ', begin), detail.size());
    out[detail.substr(at, equals - at)] = detail.substr(begin, end - begin);
    at = end + (quoted ? 2 : 1);
  }
  return out;
}

}  // namespace

void open_log(const std::string& level, const std::string& format) {
  as_json = format == "json";
  auto logger = spdlog::stderr_logger_st("radixmesh");
  logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
  logger->set_pattern(as_json ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(logger);
}

void log_line(LogLine::Level level, const std::string& event, const std::string& text) {
  // Names and reasons come from other nodes too: one line stays one line.
  std::string detail = text;
  for (char& c : detail) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  if (!as_json) {
    spdlog::log(spdlog_level(level), "event={} {}", event, detail);
    return;
  }
  nlohmann::json line = parse_detail(detail);
  line["event"] = event;
  line["level"] = spdlog::level::to_string_view(spdlog_level(level)).data();
  line["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  spdlog::log(spdlog_level(level), "{}",
              line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace radixmesh
