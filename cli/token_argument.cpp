#include "cli/token_argument.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/units.h"
#include "cli/usage_error.h"
#include "lib/base/limits.h"

namespace radixmesh::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr char kRule[] = " is no token id, an integer from 0 to 4294967295";

// As it may stand in one line of a terminal.
std::string quoted(std::string_view item) {
  constexpr std::size_t kShown = 40;
  const bool longer = item.size() > kShown;
  return '"' + printable(item.substr(0, kShown)) + (longer ? "...\"" : "\"");
}

TokenId parse_token(const std::string& name, std::string_view item) {
  std::uint32_t token = 0;
  const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), token);
  if (error != std::errc() || end != item.data() + item.size()) {
    throw UsageError(name + ": " + quoted(item) + kRule);
  }
  return TokenId{token};
}

// Blanks or one comma, with or without blanks around it, between two items.
std::vector<TokenId> parse_list(const std::string& name, std::string_view text) {
  std::vector<TokenId> tokens;
  const auto skip_blanks = [&text] {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  };
  skip_blanks();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n,"), text.size());
    tokens.push_back(parse_token(name, text.substr(0, end)));
    text.remove_prefix(end);
    skip_blanks();
    if (!text.starts_with(',')) continue;
    text.remove_prefix(1);
    skip_blanks();
    if (text.empty()) parse_token(name, text);  // a comma, and nothing behind it
  }
  return tokens;
}

std::string read_all(const std::string& name, std::FILE* file) {
  std::string bytes;
  char part[64 * 1024];
  while (const std::size_t got = std::fread(part, 1, sizeof part, file)) {
    bytes.append(part, got);
    // A request has the same bound, so what is longer could not be asked anyway.
    if (bytes.size() > limits::ipc_frame_bytes_max) {
      throw UsageError(name + ": more than " + std::to_string(limits::ipc_frame_bytes_max) +
                       " bytes do not fit a request");
    }
  }
  if (std::ferror(file) != 0) throw UsageError(name + ": " + std::strerror(errno));
  return bytes;
}

std::vector<TokenId> parse_json(const std::string& name, std::string_view text) {
  const auto array = nlohmann::json::parse(text, nullptr, false);
  if (!array.is_array()) throw UsageError(name + ": no JSON array");
  std::vector<TokenId> tokens;
  for (const auto& item : array) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > 0xFFFFFFFFu) {
      throw UsageError(name + ": item " + std::to_string(tokens.size()) + kRule);
    }
    tokens.push_back(TokenId{item.get<std::uint32_t>()});
  }
  return tokens;
}

bool is_text(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) {
    return (c >= 0x20 && c < 0x7F) || kBlanks.find(c) != std::string_view::npos;
  });
}

}  // namespace

std::vector<TokenId> parse_token_text(const std::string& name, std::string_view text) {
  if (!is_text(text)) throw UsageError(name + ": no text (for binary tokens say --binary)");
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin != std::string_view::npos && text[begin] == '[') return parse_json(name, text);
  return parse_list(name, text);
}

std::vector<TokenId> parse_binary_tokens(const std::string& name, std::string_view bytes) {
  if (bytes.size() % sizeof(TokenId) != 0) {
    throw UsageError(name + ": " + std::to_string(bytes.size()) +
                     " bytes are no whole number of 32-bit tokens");
  }
  std::vector<TokenId> tokens(bytes.size() / sizeof(TokenId));
  if (!tokens.empty()) std::memcpy(tokens.data(), bytes.data(), bytes.size());
  return tokens;
}

std::vector<TokenId> read_tokens(const std::string& argument, bool binary) {
  const auto parse = binary ? parse_binary_tokens : parse_token_text;
  if (argument == "-") return parse("stdin", read_all("stdin", stdin));
  if (!argument.starts_with('@')) {
    if (binary) throw UsageError("--binary: TOKENS must be @FILE or -");
    return parse_list("TOKENS", argument);
  }
  const std::string name = argument.substr(1);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "rb"),
                                                             std::fclose);
  if (!file) throw UsageError(name + ": " + std::strerror(errno));
  return parse(name, read_all(name, file.get()));
}

}  // namespace radixmesh::cli
