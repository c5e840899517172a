// Text for a terminal of 80 columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace radixmesh::cli {

inline constexpr std::size_t kColumns = 80;

// Characters, not bytes: what follows the first byte of a UTF-8 character takes no room.
std::size_t width_of(std::string_view text);

// Lines of at most kColumns, broken at blanks; a longer word has a line of its own. The first line
// begins with `first`, the others with `indent` blanks. Ends with a newline.
std::string wrapped(std::string_view first, std::string_view text, std::size_t indent);

}  // namespace radixmesh::cli
