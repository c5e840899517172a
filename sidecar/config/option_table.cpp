#include "sidecar/config/option_table.h"

#include <algorithm>

#include "lib/base/check.h"

namespace radixmesh {

std::string variable_of(std::string_view name) {
  std::string out = "RADIXMESH_";
  for (const char c : name) {
    const bool small = c >= 'a' && c <= 'z';
    out.push_back(c == '-' ? '_' : small ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

std::string where_written(const Written& written, std::size_t part) {
  switch (written.source) {
    case Source::variable:
      return variable_of(written.name);
    case Source::file: {
      const unsigned line = part < written.lines.size() ? written.lines[part] : written.line;
      return written.file + ":" + std::to_string(line) + ": " + written.name;
    }
    case Source::standard:
    case Source::flag:
      break;
  }
  return "--" + written.name;
}

std::string origin_of(const Written& written) {
  switch (written.source) {
    case Source::standard:
      return "default";
    case Source::file:
      return written.file + ":" + std::to_string(written.line);
    case Source::variable:
    case Source::flag:
      break;
  }
  return where_written(written);
}

std::string Option::variable() const { return variable_of(name); }

const Option* OptionTable::find(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  return found == options_.end() ? nullptr : &*found;
}

const Option& OptionTable::at(std::string_view name) const {
  const Option* found = find(name);
  CHECK_THAT(found != nullptr);
  return *found;
}

void OptionTable::take(const Written& written) {
  const auto option = std::ranges::find(options_, written.name, &Option::name);
  CHECK_THAT(option != options_.end());
  try {
    option->take(written.parts);
  } catch (const BrokenRule& broken) {
    throw OptionError(where_written(written, broken.part) + ": " + broken.rule);
  }
  option->written = written;
}

void OptionTable::check_needed() const {
  for (const Option& option : options_) {
    if (!option.needed || option.written.source != Source::standard) continue;
    throw OptionError(option.flag() + ": must be given, here, as " + option.variable() +
                      " or in the file");
  }
}

std::string OptionTable::where(std::string_view name, std::size_t part) const {
  return where_written(at(name).written, part);
}

}  // namespace radixmesh
