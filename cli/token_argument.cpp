#include "cli/token_argument.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/usage_error.h"
#include "lib/base/limits.h"

namespace radixmesh::cli {
namespace {

std::vector<TokenId> parse_list(std::string_view list) {
  std::vector<TokenId> tokens;
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    std::uint32_t token = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), token);
    if (error != std::errc() || end != item.data() + item.size()) {
      throw UsageError("TOKENS: \"" + std::string(item) +
                       "\" is no token id, an integer from 0 to 4294967295");
    }
    tokens.push_back(TokenId{token});
    if (comma == std::string_view::npos) return tokens;
    list.remove_prefix(comma + 1);
  }
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

bool may_be_json(std::string_view bytes) {
  return bytes.starts_with('[') && std::ranges::all_of(bytes, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 || c == '\n' || c == '\r' || c == '\t';
         });
}

std::vector<TokenId> parse_json(const std::string& name, std::string_view text) {
  const auto array = nlohmann::json::parse(text, nullptr, false);
  if (!array.is_array()) throw UsageError(name + ": no JSON array");
  std::vector<TokenId> tokens;
  for (const auto& item : array) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > 0xFFFFFFFFu) {
      throw UsageError(name + ": item " + std::to_string(tokens.size()) +
                       " is no token id, an integer from 0 to 4294967295");
    }
    tokens.push_back(TokenId{item.get<std::uint32_t>()});
  }
  return tokens;
}

}  // namespace

std::vector<TokenId> parse_token_file(const std::string& name, std::string_view bytes) {
  if (may_be_json(bytes)) return parse_json(name, bytes);
  if (bytes.size() % sizeof(TokenId) != 0) {
    throw UsageError(name + ": " + std::to_string(bytes.size()) +
                     " bytes are no whole number of 32-bit tokens");
  }
  std::vector<TokenId> tokens(bytes.size() / sizeof(TokenId));
  if (!tokens.empty()) std::memcpy(tokens.data(), bytes.data(), bytes.size());
  return tokens;
}

std::vector<TokenId> read_tokens(const std::string& argument) {
  if (argument == "-") return parse_token_file("stdin", read_all("stdin", stdin));
  if (!argument.starts_with('@')) return parse_list(argument);
  const std::string name = argument.substr(1);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "rb"),
                                                             std::fclose);
  if (!file) throw UsageError(name + ": " + std::strerror(errno));
  return parse_token_file(name, read_all(name, file.get()));
}

}  // namespace radixmesh::cli
