#include "sidecar/config/toml_file.h"

#include <fcntl.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace radixmesh {
namespace {

// Far more than all options take.
constexpr std::size_t kFileBytesMax = 1024 * 1024;
// Of what the library says, which repeats names of the file.
constexpr std::size_t kReasonBytesMax = 300;

struct Descriptor {
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

std::string contents_of(const std::string& path, const std::string& where) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16 * 1024> block;
  for (;;) {
    const ssize_t bytes = file.number < 0 ? -1 : ::read(file.number, block.data(), block.size());
    if (bytes < 0 && file.number >= 0 && errno == EINTR) continue;
    if (bytes < 0)
      throw OptionError(where + ": " + path + " cannot be read: " + std::strerror(errno));
    if (bytes == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(bytes));
    if (text.size() > kFileBytesMax) {
      throw OptionError(where + ": " + path + " has more than " + std::to_string(kFileBytesMax) +
                        " bytes");
    }
  }
}

const char* type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text in quotes";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or a time";
  }
}

const char* form_name(Form form) {
  switch (form) {
    case Form::text:
      return "text in quotes";
    case Form::whole:
      return "a whole number";
    case Form::number:
      return "a number";
    case Form::boolean:
      return "true or false";
    case Form::list:
      return "a list of texts, or text in quotes with commas";
    case Form::nothing:
      break;
  }
  return "nothing";
}

// The value as a flag would say it; nothing where it has another type.
std::optional<std::string> text_of(const toml::node& node, Form form) {
  if (const auto* text = node.as_string(); text && (form == Form::text || form == Form::list)) {
    return text->get();
  }
  if (const auto* whole = node.as_integer();
      whole && (form == Form::whole || form == Form::number)) {
    return std::to_string(whole->get());
  }
  if (const auto* number = node.as_floating_point(); number && form == Form::number) {
    return toml_number(number->get());
  }
  if (const auto* boolean = node.as_boolean(); boolean && form == Form::boolean) {
    return boolean->get() ? "true" : "false";
  }
  return std::nullopt;
}

class TomlReader {
 public:
  TomlReader(const std::string& path, const OptionTable& table) : path_(path), table_(table) {}

  std::vector<Written> read() {
    const std::string text = contents_of(path_, table_.where("config"));
    toml::table document;
    try {
      document = toml::parse(text, path_);
    } catch (const toml::parse_error& error) {
      throw OptionError(path_ + ":" + std::to_string(error.source().begin.line) + ": not TOML: " +
                        std::string(error.description().substr(0, kReasonBytesMax)));
    }
    // The library sorts them by name.
    std::vector<std::pair<const toml::key*, const toml::node*>> entries;
    for (const auto& [key, node] : document) entries.emplace_back(&key, &node);
    std::ranges::sort(entries, {}, [](const auto& entry) {
      const toml::source_position at = entry.first->source().begin;
      return std::pair(at.line, at.column);
    });
    std::vector<Written> out;
    for (const auto& [key, node] : entries) out.push_back(read_entry(*key, *node));
    return out;
  }

 private:
  Written read_entry(const toml::key& key, const toml::node& node) const {
    const std::string name(key.str());
    const unsigned line = key.source().begin.line;
    const std::string where = path_ + ":" + std::to_string(line) + ": ";
    if (is_section(node)) {
      throw OptionError(where + in_quotes(name) +
                        ": sections, and dots in keys, have no place here; a line is an option, "
                        "such as page-size = 16");
    }
    const Option* option = table_.find(name);
    if (option == nullptr) throw OptionError(where + in_quotes(name) + ": " + not_a_key(name));
    if (!option->in_file) throw OptionError(where + name + ": has no place in the file");
    Written written{.name = name, .source = Source::file, .file = path_, .line = line};
    if (const toml::array* list = node.as_array(); list && option->form == Form::list) {
      for (const toml::node& item : *list) add_part(written, item, *option);
    } else {
      add_part(written, node, *option);
      if (option->form == Form::list) split(written);
    }
    return written;
  }

  static bool is_section(const toml::node& node) {
    if (const toml::table* table = node.as_table()) return !table->is_inline();
    const toml::array* list = node.as_array();
    if (list == nullptr || list->empty()) return false;
    const toml::table* first = list->front().as_table();
    return first != nullptr && !first->is_inline();
  }

  std::string not_a_key(const std::string& name) const {
    std::vector<std::string> keys;
    for (const Option& option : table_.options()) {
      if (option.in_file) keys.push_back(option.name);
    }
    return "there is no such option" + did_you_mean(name, keys);
  }

  static void add_part(Written& written, const toml::node& node, const Option& option) {
    written.lines.push_back(node.source().begin.line);
    const std::optional<std::string> text = text_of(node, option.form);
    if (!text) {
      throw OptionError(where_written(written, written.parts.size()) + ": takes " +
                        form_name(option.form) + ", not " + type_name(node));
    }
    written.parts.push_back(*text);
  }

  static void split(Written& written) {
    try {
      written.parts = split_list(written.parts.front());
    } catch (const BrokenRule& broken) {
      throw OptionError(where_written(written) + ": " + broken.rule);
    }
    written.lines.resize(written.parts.size(), written.lines.front());
  }

  const std::string& path_;
  const OptionTable& table_;
};

}  // namespace

std::vector<Written> read_toml_file(const std::string& path, const OptionTable& table) {
  return TomlReader(path, table).read();
}

}  // namespace radixmesh
