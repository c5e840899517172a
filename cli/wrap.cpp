#include "cli/wrap.h"

#include <algorithm>

namespace radixmesh::cli {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string wrapped(std::string_view first, std::string_view text, std::size_t indent) {
  std::string out, line(first);
  bool begun = false;  // the line has a word
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    const std::string_view word = text.substr(0, blank);
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
    if (begun && width_of(line) + 1 + width_of(word) > kColumns) {
      out += line + "\n";
      line.assign(indent, ' ');
      begun = false;
    }
    line += begun ? " " : "";
    line += word;
    begun = true;
  }
  return out + line + "\n";
}

}  // namespace radixmesh::cli
