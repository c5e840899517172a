// TOKENS of the command line: "1,2,3", "@file" or "-" for stdin.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ids.h"

namespace radixmesh::cli {

// Reads the file or stdin where the argument says so. Throws UsageError.
std::vector<TokenId> read_tokens(const std::string& argument);

// What a file holds: a JSON array of integers if it begins with '[', else unsigned 32-bit
// little-endian. Token 91 begins with the byte '[' as well, so bytes that no JSON text has decide
// for the latter. Throws UsageError, beginning with `name`.
std::vector<TokenId> parse_token_file(const std::string& name, std::string_view bytes);

}  // namespace radixmesh::cli
