#include "cli/units.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace radixmesh::cli {
namespace {

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 96> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

bool is_count(const Json& value) { return value.is_number_unsigned(); }

using Cell = std::string (*)(const Json&);

// Parts of what is nested deeper than once are in brackets.
std::string items_text(const Json& value, Cell of_item, const char* open, const char* close) {
  std::string out;
  for (const auto& [name, item] : value.items()) {
    out += out.empty() ? "" : ", ";
    if (value.is_object()) out += printable(name) + " ";
    out += item.is_structured() ? items_text(item, of_item, "(", ")") : of_item(item);
  }
  return out.empty() ? "none" : open + out + close;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    byte < 0x20 || byte == 0x7F ? out += formatted("\\x%02x", byte) : out += c;
  }
  return out;
}

std::string count_text(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string short_count_text(std::uint64_t count) {
  constexpr std::array<const char*, 5> kUnits = {"M", "G", "T", "P", "E"};
  if (count < 1'000'000) return count_text(count);
  double value = static_cast<double>(count) / 1e6;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return formatted(value < 9.995   ? "%.2f %s"
                   : value < 99.95 ? "%.1f %s"
                                   : "%.0f %s",
                   value, kUnits[unit]);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  if (unit == 0) return count_text(bytes) + " B";
  return formatted("%.1f %s", value, kUnits[unit]);
}

std::string exact_bytes_text(std::uint64_t bytes) {
  return bytes < 1024 ? bytes_text(bytes) : bytes_text(bytes) + " (" + count_text(bytes) + ")";
}

std::string epoch_text(std::uint64_t epoch) {
  const auto seconds = static_cast<std::time_t>(epoch / 1'000'000);
  std::tm utc{};
  std::array<char, 96> buffer{};
  // An epoch is the start in microseconds; 0 says that none was heard of yet.
  if (epoch == 0 || gmtime_r(&seconds, &utc) == nullptr ||
      std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M:%S UTC", &utc) == 0) {
    return std::to_string(epoch);
  }
  return std::to_string(epoch) + " (" + buffer.data() + ")";
}

std::string milliseconds_text(std::uint64_t millis) {
  if (millis < 1000) return std::to_string(millis) + " ms";
  const double seconds = static_cast<double>(millis) / 1000;
  if (seconds < 120) return formatted("%.1f s", seconds);
  if (seconds < 7200) return formatted("%.0f min", seconds / 60);
  if (seconds < 48 * 3600) return formatted("%.1f h", seconds / 3600);
  return formatted("%.0f d", seconds / 86400);
}

std::string seconds_text(double seconds) {
  if (seconds > 0 && seconds < 0.01) return formatted("%.1f ms", seconds * 1000);
  return milliseconds_text(static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e15) * 1000 + 0.5));
}

std::string cell(const Json& value) {
  if (value.is_structured()) return items_text(value, cell, "", "");
  return is_count(value) ? count_text(value.get<std::uint64_t>()) : plain_cell(value);
}

std::string plain_cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_structured()) return items_text(value, plain_cell, "", "");
  return printable(value.is_string() ? value.get<std::string>() : one_line(value));
}

std::string epoch_cell(const Json& value) {
  return is_count(value) ? epoch_text(value.get<std::uint64_t>()) : plain_cell(value);
}

std::string seconds_cell(const Json& value) {
  return value.is_number() ? seconds_text(value.get<double>()) : plain_cell(value);
}

bool is_rank(const Json& value) {
  constexpr std::uint64_t kNone = 0xFFFFFFFF;
  return is_count(value) && value.get<std::uint64_t>() < kNone;
}

std::string rank_cell(const Json& value) {
  return is_count(value) && !is_rank(value) ? "-" : plain_cell(value);
}

std::string head_text(const Json& head, std::uint64_t tokens) {
  if (!head.is_array() || head.size() % 4 != 0) return plain_cell(head);
  std::string out;
  for (std::size_t at = 0; at + 4 <= head.size(); at += 4) {
    std::uint32_t token = 0;
    for (std::size_t byte = 0; byte < 4; ++byte) {
      if (!is_count(head[at + byte])) return plain_cell(head);
      token |= head[at + byte].get<std::uint32_t>() << (8 * byte);
    }
    out += (at == 0 ? "" : ",") + std::to_string(token);
  }
  return head.size() / 4 < tokens ? out + ",..." : out;
}

std::string runs_text(const Json& runs) {
  constexpr std::size_t kRunsShown = 8;
  if (!runs.is_array() || runs.empty()) return "-";
  std::string out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i == kRunsShown) {
      return out + " and " + count_text(runs.size() - i) + " more runs (--json has all)";
    }
    if (!runs[i].is_array() || runs[i].size() != 2 || !is_count(runs[i][0]) ||
        !is_count(runs[i][1])) {
      return plain_cell(runs);
    }
    const auto start = runs[i][0].get<std::uint64_t>(), count = runs[i][1].get<std::uint64_t>();
    out +=
        (i == 0 ? "[" : " [") + std::to_string(start) + ", " + std::to_string(start + count) + ")";
  }
  return out;
}

std::string interval_text(const Json& begin, const Json& end) {
  return "[" + plain_cell(begin) + ", " + plain_cell(end) + ")";
}

}  // namespace radixmesh::cli
