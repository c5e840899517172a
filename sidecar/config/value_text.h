// Single values as text: what somebody wrote into a value, and a value into what a TOML file says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace radixmesh {

// What was written breaks a rule: the rest of the sentence that begins with where it was written,
// and which part of a list it is about.
struct BrokenRule {
  std::string rule;
  std::size_t part = 0;
};

// In quotes, on one line and not too long, for messages.
std::string in_quotes(std::string_view text);

// All of the text is the number, or BrokenRule says what it had to be. No blanks, no plus sign, no
// "nan", "inf" or 0x10.
std::int64_t parse_whole(std::string_view text, std::int64_t min, std::int64_t max);
double parse_number(std::string_view text, double min, double max);
// "from 1 to 1024", or "from 0 on" where the most is what fits the type.
std::string range_text(std::int64_t min, std::int64_t max);
std::string range_text(double min, double max);

bool parse_boolean(std::string_view text);  // true, yes, on, 1; false, no, off, 0

// Not empty, at most so many bytes, UTF-8 without control characters; or BrokenRule.
void check_text(std::string_view text, std::size_t bytes_max);

// Parts between commas, without the blanks around them; BrokenRule where one is empty.
std::vector<std::string> split_list(std::string_view text);

// As TOML: the shortest decimals without an exponent that read as the same number; text in quotes.
std::string toml_number(double value);
std::string toml_text(std::string_view text);

}  // namespace radixmesh
