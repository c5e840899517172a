// Values as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json.h"

namespace radixmesh::cli {

// Text from elsewhere with its control characters as \xNN: a namespace must not steer a terminal.
std::string printable(std::string_view text);

std::string count_text(std::uint64_t count);          // 1,234,567
std::string short_count_text(std::uint64_t count);    // 999,999, then 1.23 M, 12.3 M, 1.23 G
std::string bytes_text(std::uint64_t bytes);          // 1.2 MiB
std::string exact_bytes_text(std::uint64_t bytes);    // 1.2 MiB (1,234,567)
std::string epoch_text(std::uint64_t epoch);          // 1700000000000000 (2023-11-14 22:13:20 UTC)
std::string milliseconds_text(std::uint64_t millis);  // 900 ms, 1.5 s, 12 min, 3.4 h, 12 d
std::string seconds_text(double seconds);             // the same

// Any value in a table: numbers with separators, "-" for null, text as it is. The items of arrays
// and maps stand one after another, "3, 4" or "how replay, seconds_ago 2", and "none" where there
// are none.
std::string cell(const Json& value);
// The same without separators, for what is a name and no amount: ranks, epochs.
std::string plain_cell(const Json& value);
// "-" where `value` is no number.
std::string epoch_cell(const Json& value);
std::string seconds_cell(const Json& value);

// Whether it is a rank that a member has: one that waits to be given one tells the largest number.
bool is_rank(const Json& value);
std::string rank_cell(const Json& value);

// `head` of an edge or entry that spans `tokens`: "1,2,3,4,5,6,7,8,..." where there are more.
std::string head_text(const Json& head, std::uint64_t tokens);
// Runs [start, count] as half-open intervals; past the first 8 it says how many more there are.
std::string runs_text(const Json& runs);
// [16, 48)
std::string interval_text(const Json& begin, const Json& end);

}  // namespace radixmesh::cli
