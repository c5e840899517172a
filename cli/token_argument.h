// TOKENS of the command line: "1,2,3", "@file" or "-" for stdin.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh::cli {

// Reads the file or stdin where the argument says so; `binary`: as parse_binary_tokens() does.
// Throws UsageError.
std::vector<TokenId> read_tokens(const std::string& argument, bool binary);

// The numbers in a text: a JSON array of them if it begins with '[', else with commas, blanks or
// ends of lines between them. Never anything else, whatever its length: binary tokens are asked for
// by name. Throws UsageError, beginning with `name`.
std::vector<TokenId> parse_token_text(const std::string& name, std::string_view text);

// Unsigned 32-bit little-endian. Throws UsageError, beginning with `name`.
std::vector<TokenId> parse_binary_tokens(const std::string& name, std::string_view bytes);

}  // namespace radixmesh::cli
