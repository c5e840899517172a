#include "sidecar/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

namespace radixmesh {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warn", "error", "off"};
constexpr std::array<spdlog::level::level_enum, 5> kSpdlogLevels = {
    spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err,
    spdlog::level::off};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  return kSpdlogLevels[static_cast<std::size_t>(level)];
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

// The value of the first `node=`.
std::string_view node_of(std::string_view detail) {
  constexpr std::string_view key = "node=";
  const std::size_t at = detail.find(key);
  if (at == std::string_view::npos || (at > 0 && detail[at - 1] != ' ')) return {};
  const std::string_view rest = detail.substr(at + key.size());
  return rest.substr(0, rest.find(' '));
}

// Where spdlog's lines go.
class QueueSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit QueueSink(LogWriter& writer) : writer_(writer) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer_.write(std::string(line.data(), line.size()));
  }
  void flush_() override {}

  LogWriter& writer_;
};

std::string as_json(LogLevel level, const std::string& event, const std::string& detail) {
  nlohmann::json line = parse_detail(detail);
  line["event"] = event;
  line["level"] = spdlog::level::to_string_view(spdlog_level(level)).data();
  line["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

LogLevel log_level_of(std::string_view name) {
  const auto at = std::ranges::find(kLevelNames, name);
  return static_cast<LogLevel>(std::min<std::ptrdiff_t>(at - kLevelNames.begin(), 4));
}

Log::Log(LogLevel level, std::string_view format)
    : as_json_(format == "json"), writer_(STDERR_FILENO) {
  spdlog::set_default_logger(spdlog::create<QueueSink>("radixmesh", writer_));
  set_level(level);
  spdlog::set_pattern(as_json_ ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
}
Log::~Log() { spdlog::shutdown(); }  // before the writer that it hands lines to

void Log::set_level(LogLevel level) {
  level_ = level;
  spdlog::set_level(spdlog_level(level));
}

void Log::line(TimePoint now, LogLevel level, const std::string& event, const std::string& detail) {
  if (!shows(level) || !limiter_.offer(now, event, node_of(detail))) return;
  own_line(level, event, detail);
}

void Log::own_line(LogLevel level, const std::string& event, const std::string& text) {
  if (!shows(level)) return;
  // Names and reasons come from other nodes too: one line stays one line.
  std::string detail = text;
  for (char& c : detail) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  if (as_json_) return spdlog::log(spdlog_level(level), "{}", as_json(level, event, detail));
  spdlog::log(spdlog_level(level), "event={} {}", event, detail);
}

void Log::look_after(TimePoint now) {
  for (const LineLimiter::LeftOut& each : limiter_.take_left_out(now)) {
    const std::string of = each.event.empty() ? "" : "of=" + each.event + " ";
    const std::string node = each.node.empty() ? "" : "node=" + each.node + " ";
    own_line(LogLevel::warn, "lines_left_out", of + node + "lines=" + std::to_string(each.lines));
  }
  const std::uint64_t dropped = writer_.dropped();
  if (dropped == dropped_told_) return;
  // Told only once it can be: else this line would be the next that finds no room.
  if (!writer_.idle()) return;
  own_line(LogLevel::warn, "lines_dropped",
           "lines=" + std::to_string(dropped - dropped_told_) + " why=\"nobody read the log\"");
  dropped_told_ = dropped;
}

}  // namespace radixmesh
