#include "sidecar/config/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace radixmesh {
namespace {

constexpr std::size_t kQuotedBytesMax = 120;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The bytes of the UTF-8 character that the text begins with; 0 where it begins with none.
std::size_t character_bytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return 0;
  const auto tail = text.substr(1, bytes - 1);
  if (!std::ranges::all_of(tail, is_continuation)) return 0;
  // Longer than need be, half of a surrogate pair, or above the last character.
  const auto second = static_cast<unsigned char>(tail.front());
  const bool wrong = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                     (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
  return wrong ? 0 : bytes;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::size_t shown = std::min(text.size(), kQuotedBytesMax);
  while (shown < text.size() && shown > 0 && is_continuation(text[shown])) --shown;
  std::string out = "\"";
  for (const char c : text.substr(0, shown)) out.push_back(is_control(c) ? '?' : c);
  return out + (shown < text.size() ? "...\"" : "\"");
}

std::string range_text(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return "from " + std::to_string(min) + " on";
  return "from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string range_text(double min, double max) {
  return "from " + toml_number(min) + " to " + toml_number(max);
}

std::int64_t parse_whole(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc{} || end != text.end() || value < min || value > max) {
    throw BrokenRule{in_quotes(text) + " is not a whole number " + range_text(min, max)};
  }
  return value;
}

double parse_number(std::string_view text, double min, double max) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  const bool read = error == std::errc{} && end == text.end() && std::isfinite(value);
  if (!read || value < min || value > max) {
    throw BrokenRule{in_quotes(text) + " is not a number " + range_text(min, max)};
  }
  return value;
}

bool parse_boolean(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (text == no) return false;
  }
  throw BrokenRule{in_quotes(text) + " is not true or false"};
}

void check_text(std::string_view text, std::size_t bytes_max) {
  if (text.empty()) throw BrokenRule{"is empty"};
  if (text.size() > bytes_max) {
    throw BrokenRule{in_quotes(text) + " is longer than " + std::to_string(bytes_max) + " bytes"};
  }
  if (std::ranges::any_of(text, is_control)) {
    throw BrokenRule{in_quotes(text) + " has control characters, such as ends of lines"};
  }
  if (!is_utf8(text)) throw BrokenRule{"is not UTF-8 text"};
}

std::vector<std::string> split_list(std::string_view text) {
  if (trimmed(text).empty()) {
    throw BrokenRule{"is empty: where there are none, leave it out"};
  }
  std::vector<std::string> parts;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    parts.emplace_back(trimmed(rest.substr(0, comma)));
    if (parts.back().empty()) {
      throw BrokenRule{in_quotes(text) + " has an empty item: there is a comma too many"};
    }
    if (comma == std::string_view::npos) return parts;
    rest.remove_prefix(comma + 1);
  }
}

std::string toml_number(double value) {
  // The largest bound has 13 digits before the point, the smallest number some 20 behind it.
  std::array<char, 512> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  return std::string(text.data(), end);
}

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

}  // namespace radixmesh
