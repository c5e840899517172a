#include "sidecar/config/command_line.h"

#include <algorithm>
#include <optional>

namespace radixmesh {
namespace {

std::string not_a_flag(const std::string& argument, const OptionTable& table) {
  std::vector<std::string> flags = {"--help", "--version"};
  for (const Option& option : table.options()) flags.push_back(option.flag());
  return "there is no such option" + did_you_mean(argument, flags);
}

std::string not_an_argument(const std::string& argument, const std::vector<Written>& before,
                            const OptionTable& table) {
  const std::string says = in_quotes(argument) + ": an argument that belongs to no flag";
  if (before.empty() || table.at(before.back().name).form != Form::list) return says;
  return says + "; the items of --" + before.back().name +
         " are one argument, with commas and no blanks between";
}

class FlagReader {
 public:
  FlagReader(int argc, const char* const* argv, const OptionTable& table)
      : arguments_(argv + std::min(argc, 1), argv + argc), table_(table) {}

  std::vector<Written> read() {
    while (at_ < arguments_.size()) read_flag(arguments_[at_++]);
    return std::move(written_);
  }

 private:
  void read_flag(const std::string& argument) {
    if (!argument.starts_with('-')) throw OptionError(not_an_argument(argument, written_, table_));
    const std::size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const Option* option = flag.starts_with("--") ? table_.find(flag.substr(2)) : nullptr;
    if (option == nullptr) {
      throw OptionError(in_quotes(flag) + ": " + not_a_flag(flag, table_));
    }
    std::optional<std::string> value;
    if (equals != std::string::npos) value = argument.substr(equals + 1);
    if (option->form == Form::nothing) {
      if (value) throw OptionError(flag + ": takes no value, but has " + in_quotes(*value));
    } else if (!value) {
      value = next_argument(*option);
    }
    add(*option, value.value_or(""));
  }

  std::string next_argument(const Option& option) {
    if (at_ == arguments_.size() || arguments_[at_].starts_with("--")) {
      throw OptionError(option.flag() + ": its value is missing, " + option.placeholder);
    }
    return arguments_[at_++];
  }

  void add(const Option& option, const std::string& value) {
    const auto before = std::ranges::find(written_, option.name, &Written::name);
    if (before != written_.end() && option.form != Form::list) {
      throw OptionError(option.flag() + ": is given twice");
    }
    std::vector<std::string> parts = {value};
    if (option.form == Form::list) {
      try {
        parts = split_list(value);
      } catch (const BrokenRule& broken) {
        throw OptionError(option.flag() + ": " + broken.rule);
      }
    }
    if (before == written_.end()) {
      written_.push_back({.name = option.name, .parts = parts, .source = Source::flag});
    } else {
      before->parts.insert(before->parts.end(), parts.begin(), parts.end());
    }
  }

  std::vector<std::string> arguments_;
  const OptionTable& table_;
  std::size_t at_ = 0;
  std::vector<Written> written_;
};

}  // namespace

CommandLine read_command_line(int argc, const char* const* argv, const OptionTable& table) {
  CommandLine line;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    line.help = line.help || argument == "--help" || argument == "-h";
    line.version = line.version || argument == "--version";
  }
  if (!line.help && !line.version) line.written = FlagReader(argc, argv, table).read();
  return line;
}

}  // namespace radixmesh
