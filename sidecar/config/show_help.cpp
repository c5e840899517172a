#include <string_view>

#include "sidecar/config/show_options.h"
#include "sidecar/exit_codes.h"

namespace radixmesh {
namespace {

constexpr std::size_t kHelpColumns = 96;
constexpr std::size_t kIndent = 6;

// The words in lines, each set in.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out, line;
  const auto end_line = [&] {
    if (!line.empty()) out += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, blank);
    if (!line.empty() && indent + line.size() + 1 + word.size() > kHelpColumns) end_line();
    if (!line.empty()) line += " ";
    line += word;
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  end_line();
  return out;
}

std::string plain(std::string_view toml) {
  return std::string(toml.starts_with('"') ? toml.substr(1, toml.size() - 2) : toml);
}

// "[default 1, from 1 to 1024; RADIXMESH_PAGE_SIZE]"
std::string facts_of(const Option& option) {
  std::string out;
  const auto add = [&out](const char* mark, const std::string& fact) {
    if (!fact.empty()) out += (out.empty() ? "" : mark) + fact;
  };
  if (option.needed) add(", ", "must be given");
  if (!option.standard.empty()) add(", ", "default " + plain(option.standard.front()));
  add(", ", option.range);
  if (option.in_environment) add("; ", option.variable());
  return out.empty() ? "" : "[" + out + "]";
}

std::string paragraph(const Option& option) {
  std::string out = "  " + option.flag();
  if (!option.placeholder.empty()) out += " " + option.placeholder;
  return out + "\n" + wrapped(option.text, kIndent) + wrapped(facts_of(option), kIndent);
}

}  // namespace

std::string show_help(const OptionTable& table) {
  std::string out =
      "The RadixMesh sidecar: keeps one replicated picture of which prefix is cached where.\n"
      "Usage: radixmesh-sidecar --local-cache-addr HOST:PORT --ipc PATH [OPTIONS]\n";
  std::string group;
  for (const Option& option : table.options()) {
    if (option.group != group) out += "\n" + option.group + ":\n";
    group = option.group;
    out += paragraph(option);
  }
  out += "  --help, -h\n" + wrapped("print this, then end", kIndent);
  out += "  --version\n" + wrapped("print the version, then end", kIndent);
  out += "\n" + wrapped(
                    "Options that take a value are also variables, and but for --config lines "
                    "of the TOML file: --page-size 16 is RADIXMESH_PAGE_SIZE=16 and page-size=16. "
                    "Flags win over the file, the file over variables; a variable that "
                    "is empty counts as not set. The items of a list have commas between, are "
                    "given in several flags, or are an array of the file.",
                    0);
  return out + "\n" + wrapped(std::string("Exit codes: ") + kExitCodesText + ".", 0);
}

}  // namespace radixmesh
