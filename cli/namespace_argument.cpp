#include "cli/namespace_argument.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <vector>

#include "cli/units.h"
#include "cli/usage_error.h"

namespace radixmesh::cli {
namespace {

constexpr std::array<std::string_view, 4> kParts = {"model", "lora", "salt", "extra_key"};
constexpr std::string_view kHex = ":hex";

[[noreturn]] void fail(std::string_view what, const char* rule) {
  throw UsageError("--namespace: \"" + std::string(what) + "\" " + rule);
}

// At commas, but for those with a backslash before them.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') {
      items.emplace_back();
    } else {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      items.back() += text[i];
    }
  }
  return items;
}

std::string unhex(std::string_view item, std::string_view digits) {
  std::string bytes;
  if (digits.size() % 2 != 0) fail(item, "has an odd number of hex digits");
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    const char* end = digits.data() + i + 2;
    if (std::from_chars(digits.data() + i, end, byte, 16).ptr != end) {
      fail(item, "is not in hex digits");
    }
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return printable(out);
}

std::string hex_of(const Json& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const Json& item : bytes) {
    const auto byte = item.is_number_unsigned() ? item.get<std::uint8_t>() : 0;
    out += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

}  // namespace

CacheNamespace parse_namespace(std::string_view text) {
  CacheNamespace name;
  for (const std::string& item : split(text)) {
    const std::size_t equals = item.find('=');
    if (equals == std::string::npos) fail(item, "is not NAME=VALUE");
    std::string_view key = std::string_view(item).substr(0, equals);
    std::string value = item.substr(equals + 1);
    const bool hex = key.ends_with(kHex);
    if (hex) key.remove_suffix(kHex.size());
    std::size_t at = 0;
    while (at < kParts.size() && kParts[at] != key) ++at;
    if (at == kParts.size()) fail(item, "is none of model=, lora=, salt=, extra_key=");
    NamespacePart& part = name.parts[at];
    if (part.kind != NamespacePart::Kind::nil) fail(item, "comes a second time");
    part.kind = hex ? NamespacePart::Kind::bytes : NamespacePart::Kind::text;
    part.value = hex ? unhex(item, value) : std::move(value);
  }
  return name;
}

std::string namespace_text(const Json& name) {
  if (name.is_null()) return "default";
  if (!name.is_array() || name.size() != kParts.size()) return plain_cell(name);
  std::string out;
  for (std::size_t i = 0; i < kParts.size(); ++i) {
    if (name[i].is_null()) continue;
    if (!out.empty()) out += ",";
    out += kParts[i];
    out += name[i].is_string() ? "=" + escaped(name[i].get<std::string>())
                               : std::string(kHex) + "=" + hex_of(name[i]);
  }
  return out.empty() ? "default" : out;
}

}  // namespace radixmesh::cli
